//! The proxies that are trusted to name the client.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;

/// The address of the client, and of each proxy but the last, from left to right. Each proxy adds
/// the address that it was reached from.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that are trusted to name the client.
#[derive(Debug, Default)]
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(super) fn new(trusted: Vec<IpNet>) -> Self {
        Self(trusted)
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The last address that is not a trusted proxy's: whatever stands before it may be made up.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            // By bytes: what a client has sent may be anything.
            for part in line.as_bytes().rsplit(|byte| *byte == b',') {
                let Some(address) = address(part.trim_ascii()) else { return client };
                client = address.to_canonical();
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// An address, which some proxies write with the port.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    let with_port = || text.parse().ok().map(|it: SocketAddr| it.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&'static str]) -> String {
        let proxies = Proxies(trusted.iter().map(|it| it.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_have_added_counts() {
        let proxies = &["10.0.0.0/8", "2001:db8::/32"];
        for (peer, lines, found) in [
            ("192.0.2.9", &["192.0.2.1"][..], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7, 192.0.2.1, 10.3.3.3"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7", "192.0.2.1", "10.3.3.3,10.4.4.4"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
            ("2001:db8::1", &["[2001:470::5]:80"], "2001:470::5"),
            ("2001:db8::1", &["[2001:470::5]"], "2001:470::5"),
            ("10.0.0.1", &["\u{ff}, 192.0.2.1"], "192.0.2.1"),
            // Nothing is known of what stands before.
            ("10.0.0.1", &["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["10.1.1.1"], "10.1.1.1"),
        ] {
            assert_eq!(client(proxies, peer, lines), found, "{peer} {lines:?}");
        }
        assert_eq!(client(&[], "10.0.0.1", &["192.0.2.1"]), "10.0.0.1");
    }
}
