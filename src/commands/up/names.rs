//! Checks where the names of services point, as far as this machine can tell.

use std::net::IpAddr;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Fails if a name does not point to an address.
pub(super) async fn check(domain: &str, address: IpAddr) -> Result<(), String> {
    let asked = tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((domain, 443))).await;
    let found = match asked {
        Ok(Ok(found)) => found.map(|it| it.ip()).collect::<Vec<_>>(),
        Ok(Err(error)) => return Err(advice(&format!("was not found ({error})"), domain, address)),
        Err(_) => return Err(advice("was not found within 5 s", domain, address)),
    };
    match found.first() {
        _ if found.contains(&address) => Ok(()),
        Some(other) => Err(advice(&format!("points to {other}"), domain, address)),
        None => Err(advice("has no address", domain, address)),
    }
}

fn advice(problem: &str, domain: &str, address: IpAddr) -> String {
    let record = if address.is_ipv4() { "A" } else { "AAAA" };
    format!(
        "{domain} {problem}, as far as this machine can tell. Set its {record} record to {address}, unless \
         it is that already. The service asks for its certificate again by itself, within 15 \
         minutes after a first failure"
    )
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn a_name_that_points_elsewhere_is_a_problem() {
        let loopback = Ipv4Addr::LOCALHOST.into();
        assert_eq!(super::check("localhost", loopback).await, Ok(()));
        let elsewhere = "203.0.113.7".parse().unwrap();
        let problem = super::check("localhost", elsewhere).await.unwrap_err();
        assert!(problem.contains("Set its A record to 203.0.113.7"), "{problem}");
    }
}
