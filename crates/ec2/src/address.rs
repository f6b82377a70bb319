//! Elastic IP addresses, which a stack's services keep from launch to launch.

use std::net::IpAddr;

/// An Elastic IP address of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticIp {
    /// The id of its allocation, such as `eipalloc-0123456789abcdef0`.
    pub id: String,
    /// The address.
    pub address: IpAddr,
    /// The service that it was allocated for.
    pub service: String,
    /// The id of the instance that it points to, if it points to one.
    pub instance: Option<String>,
}

impl ElasticIp {
    /// The address of a service among those of its stack, of which the first counts.
    pub fn of_service<'a>(all: &'a [Self], service: &str) -> Option<&'a Self> {
        all.iter().find(|it| it.service == service)
    }

    /// The DNS name that EC2 gives an instance with this address, after the name that the instance
    /// has with another one: the address is the only part that differs.
    pub fn dns(&self, other_address: IpAddr, other_name: &str) -> Option<String> {
        let part = |address: IpAddr| format!("ec2-{}.", address.to_string().replace('.', "-"));
        let rest = other_name.strip_prefix(&part(other_address))?;
        Some(part(self.address) + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_the_address_alone() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let elastic = ElasticIp {
            id: "eipalloc-1".into(),
            address: address("203.0.113.7"),
            service: "events".into(),
            instance: None,
        };
        let name = "ec2-198-51-100-1.eu-west-1.compute.amazonaws.com";
        assert_eq!(
            elastic.dns(address("198.51.100.1"), name).as_deref(),
            Some("ec2-203-0-113-7.eu-west-1.compute.amazonaws.com")
        );
        assert_eq!(elastic.dns(address("198.51.100.1"), "host.example.org"), None);
    }
}
