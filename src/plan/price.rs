//! Prices of hosts, as far as they are known without asking AWS.

/// When the table was made.
pub const AS_OF: &str = "2025-01";
/// The region whose prices it has.
pub const REGION: &str = "us-east-1";
/// Hours of a month, as AWS's calculator counts them.
pub const HOURS_A_MONTH: f64 = 730.0;

/// Linux on demand, in USD an hour, by AWS's price list.
const HOURLY: &[(&str, f64)] = &[
    ("t2.nano", 0.0058),
    ("t2.micro", 0.0116),
    ("t2.small", 0.023),
    ("t2.medium", 0.0464),
    ("t2.large", 0.0928),
    ("t2.xlarge", 0.1856),
    ("t2.2xlarge", 0.3712),
    ("t3.nano", 0.0052),
    ("t3.micro", 0.0104),
    ("t3.small", 0.0208),
    ("t3.medium", 0.0416),
    ("t3.large", 0.0832),
    ("t3.xlarge", 0.1664),
    ("t3.2xlarge", 0.3328),
    ("m5.large", 0.096),
    ("m5.xlarge", 0.192),
    ("m5.2xlarge", 0.384),
    ("c5.large", 0.085),
    ("c5.xlarge", 0.17),
    ("c5.2xlarge", 0.34),
];

/// What an instance of a type costs, in USD an hour; `None` where the table has none.
pub fn hourly(kind: &str) -> Option<f64> {
    HOURLY.iter().find(|(known, _)| *known == kind).map(|(_, price)| *price)
}
