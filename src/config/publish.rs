//! Reads the key `bind`, and says where a service can be reached: what Docker publishes on the
//! host, and what is open to the world.

use std::net::{IpAddr, Ipv4Addr};

use support::yaml::Section;

use super::model::{Service, Tls};
use super::tls::{CERTIFICATE_FILE, HTTPS_IN_CONTAINER, REDIRECT_IN_CONTAINER};

/// The port that every service listens on in its container.
const IN_CONTAINER: u16 = 8080;

/// The ports of HTTPS, and of HTTP that redirects there.
const HTTPS: u16 = 443;
const REDIRECT: u16 = 80;

/// Reads the address.
pub(super) fn bind(section: &mut Section<'_>) -> Option<IpAddr> {
    section.parsed("bind", |text| text.parse().ok(), "an address of the host, like 127.0.0.1")
}

impl Service {
    /// Whether clients elsewhere speak plain HTTP to the service itself: not HTTPS, nor to a proxy of
    /// its host or network.
    pub fn is_public(&self) -> bool {
        self.tls.is_none() && self.bind.is_none_or(|address| address.is_unspecified())
    }

    /// The ports that are open to the world.
    pub fn public_ports(&self) -> Vec<u16> {
        match &self.tls {
            Some(_) => vec![HTTPS, REDIRECT],
            None if self.is_public() => vec![self.port],
            None => Vec::new(),
        }
    }

    /// The ports whose new connections wait while one container takes the place of another.
    pub fn ports(&self) -> Vec<u16> {
        let tls = self.tls.iter().flat_map(|_| [HTTPS, REDIRECT]);
        [self.port].into_iter().chain(tls).collect()
    }

    /// The name that it answers HTTPS for, if it has one.
    pub fn domain(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.domain.as_str())
    }

    /// Whether it asks an authority for a certificate, and is not given one.
    pub fn asks_for_certificate(&self) -> bool {
        let has_files = |tls: &Tls| tls.files.iter().any(|it| it.variable == CERTIFICATE_FILE);
        self.tls.as_ref().is_some_and(|tls| !has_files(tls))
    }

    /// Where browsers find it, if it has a name.
    pub fn named_url(&self) -> Option<String> {
        Some(format!("https://{}", self.domain()?))
    }

    /// What Docker publishes, as `docker run --publish` takes it. This command reaches the service
    /// at the host's loopback, through SSH.
    pub fn published(&self) -> Vec<String> {
        let port = self.port;
        if self.tls.is_some() {
            return vec![
                format!("{HTTPS}:{HTTPS_IN_CONTAINER}"),
                format!("{REDIRECT}:{REDIRECT_IN_CONTAINER}"),
                format!("127.0.0.1:{port}:{IN_CONTAINER}"),
            ];
        }
        let Some(address) = self.bind.filter(|_| !self.is_public()) else {
            return vec![format!("{port}:{IN_CONTAINER}")];
        };
        let at = |address: IpAddr| match address {
            IpAddr::V4(address) => format!("{address}:{port}:{IN_CONTAINER}"),
            IpAddr::V6(address) => format!("[{address}]:{port}:{IN_CONTAINER}"),
        };
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let other = Some(address).filter(|it| *it != loopback);
        [loopback].into_iter().chain(other).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{accepted, errors};

    #[test]
    fn a_service_is_open_to_the_world_unless_it_is_bound_to_an_address() {
        for (bind, published, ports) in [
            ("", vec!["81:8080"], vec![81]),
            ("bind: 0.0.0.0", vec!["81:8080"], vec![81]),
            ("bind: 127.0.0.1", vec!["127.0.0.1:81:8080"], vec![]),
            ("bind: 10.0.0.5", vec!["127.0.0.1:81:8080", "10.0.0.5:81:8080"], vec![]),
            ("bind: '::1'", vec!["127.0.0.1:81:8080", "[::1]:81:8080"], vec![]),
        ] {
            let text =
                format!("stack: s\nservices:\n  e:\n    build: e\n    port: 81\n    {bind}\n");
            let config = accepted(&text);
            assert_eq!(config.services[0].published(), published, "{bind}");
            assert_eq!(config.services[0].public_ports(), ports, "{bind}");
        }
        let error = errors("stack: s\nservices: {e: {build: e, bind: localhost}}");
        assert!(error.contains("bind: must be an address of the host"), "{error}");
    }
}
