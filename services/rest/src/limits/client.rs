//! Whose requests are counted together.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

/// How many times the rates and connections of one client the holders of a token may have. They may
/// use no more memory.
const WIDE: NonZeroU32 = NonZeroU32::new(4).expect("not zero");
/// How many times as much clients may have that cannot be told apart.
const CROWD: NonZeroU32 = NonZeroU32::new(16).expect("not zero");

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

    /// How many clients it stands for.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::V4(_) | Self::V6(_) => Kind::One,
            Self::Holder(_) | Self::Others => Kind::Wide,
            Self::Crowd(_) => Kind::Crowd,
        }
    }
}

/// How much a client may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What one may have.
    One,
    /// Some times as much.
    Wide,
    /// As much as many clients, because it is many.
    Crowd,
}

impl Kind {
    /// How many times the rates and connections of one client it may have.
    pub(super) fn times(self) -> NonZeroU32 {
        match self {
            Self::One => NonZeroU32::MIN,
            Self::Wide => WIDE,
            Self::Crowd => CROWD,
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
