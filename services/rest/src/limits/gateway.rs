//! The address that Docker puts in the place of some clients.

use std::net::{IpAddr, Ipv4Addr};

/// The default gateway of IPv4, if there is one. Docker's proxy connects to a container from it, on
/// behalf of clients that use IPv6 and of those on the host itself: they cannot be told apart.
pub(super) fn gateway() -> Option<IpAddr> {
    let table = std::fs::read_to_string("/proc/net/route").ok()?;
    default_route(&table).map(IpAddr::V4)
}

/// The gateway of the default route in the kernel's table, whose addresses are hexadecimal numbers
/// in the machine's order of bytes.
fn default_route(table: &str) -> Option<Ipv4Addr> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (destination, gateway) = (columns.next()?, columns.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        let is_default = destination == "00000000" && gateway != 0;
        is_default.then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_default_route_is_found() {
        let table = "Iface\tDestination\tGateway \tFlags\n\
                     eth0\t000011AC\t00000000\t0001\n\
                     eth0\t00000000\t010011AC\t0003\n";
        assert_eq!(default_route(table), Some(Ipv4Addr::new(172, 17, 0, 1)));
        assert_eq!(default_route("Iface\tDestination\tGateway\n"), None);
    }
}
