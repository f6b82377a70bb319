//! Prices of hosts, as far as they are known without asking AWS.

use serde::Serialize;

/// When the table was made.
const AS_OF: &str = "2025-01";
/// The region whose prices it has.
const REGION: &str = "us-east-1";
/// Hours of a month, as AWS's calculator counts them.
const HOURS_A_MONTH: f64 = 730.0;

/// Linux on demand without an address, in USD an hour, by AWS's price list.
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

/// A public IPv4 address, elastic or not, in USD an hour, by AWS's price list.
const ADDRESS_HOURLY: f64 = 0.005;

/// What hosts cost, in USD.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// An hour.
    pub hourly: f64,
    /// A month of 730 hours.
    pub monthly: f64,
    /// The region that the prices are of.
    pub region: &'static str,
    /// The month in which the prices were looked up.
    pub as_of: &'static str,
}

/// The price of a host of a type with its public address, in USD an hour; `None` if the type is not
/// in the table.
pub fn hourly(instance_type: &str) -> Option<f64> {
    let price = HOURLY.iter().find(|(known, _)| *known == instance_type).map(|(_, price)| *price);
    Some(price? + ADDRESS_HOURLY)
}

/// The price of several hosts of a type; `None` if it is not in the table.
pub fn cost(instance_type: &str, hosts: usize) -> Option<Cost> {
    let hosts = f64::from(u32::try_from(hosts).ok()?);
    let hourly = hourly(instance_type)? * hosts;
    Some(Cost { hourly, monthly: hourly * HOURS_A_MONTH, region: REGION, as_of: AS_OF })
}

#[cfg(test)]
mod tests {
    #[test]
    fn hosts_cost_what_the_table_says() {
        let cost = super::cost("t2.xlarge", 2).unwrap();
        assert!((cost.hourly - 0.3812).abs() < 1e-9 && (cost.monthly - 278.276).abs() < 1e-6);
        assert_eq!(super::cost("x9.huge", 2), None);
    }
}
