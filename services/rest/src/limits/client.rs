//! Whose requests are counted together.

use std::net::{IpAddr, Ipv4Addr};

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Client {
    /// An address of IPv4.
    V4(Ipv4Addr),
    /// A network of IPv6 with 64 bits, of which one client has all addresses
    /// ([RFC 6177](https://www.rfc-editor.org/rfc/rfc6177)).
    V6(u64),
    /// The holder of a token, wherever it is.
    Holder(u64),
    /// Many clients that have this address in common.
    Crowd(IpAddr),
    /// All clients at addresses, when there are too many to count each by itself.
    Others,
}

impl Client {
    /// The client at an address.
    pub(super) fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                Self::V6(u64::try_from(address.to_bits() >> 64).unwrap_or_default())
            }
        }
    }

    /// Whether it may have more than a client.
    pub(super) fn is_wide(self) -> bool {
        match self {
            Self::V4(_) | Self::V6(_) => false,
            Self::Holder(_) | Self::Crowd(_) | Self::Others => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let client = |text: &str| Client::at(text.parse().unwrap());
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::2"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
    }
}
