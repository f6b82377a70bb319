//! Certificates for tests, which nobody trusts.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// Two keys that were made for tests.
pub(crate) const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7inJpbhZDsT9xrEd\n\
    cOwTKcdrOVpm1fm0TG6mO35Et/2hRANCAARu5ecxmwtjupyV46oIIb0HCikGTV9w\n\
    POClmQZkl21PjlT0FXb20ngiYQYM2xXni7euVfGdTSSPTAPPO3YZCIZB\n\
    -----END PRIVATE KEY-----\n";
pub(crate) const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggAQmbmiw2ZTcBvTn\n\
    9dAKeQ4564AUBEtwogYgDGJh9JChRANCAATSuzgsudYPq/zqrIM7+7Q/CG19MC/A\n\
    f8ctBoEd06nNMWDX5V8wLcUMyQ+xc8kAn8Blrm4Mh0Xm/gnaManjBeBH\n\
    -----END PRIVATE KEY-----\n";

/// A certificate for names, for 90 days from the beginning of 2026, in PEM.
pub(crate) fn certificate(key: &str, names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 4, 1);
    params.self_signed(&KeyPair::from_pem(key).unwrap()).unwrap().pem()
}
