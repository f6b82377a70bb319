//! Limits from the command line and the environment.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use ipnet::IpNet;

use super::gateway::gateway;
use super::proxies::Proxies;
use super::{ClientLimits, Quotas};

/// What each client may have where strangers reach the service.
const REQUESTS: u32 = 5000;
const CHANGES: u32 = 2000;
const SEARCHES: u32 = 100;
const MAILS: u32 = 20;
const CONNECTIONS: u32 = 256;

/// The limits of each client.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LimitArgs {
    /// Requests a second that each client may send; others are refused with 429. 0 is no limit
    /// [default: 5000; on loopback: 0]
    #[arg(long, value_name = "N", env = "LIMIT_REQUESTS")]
    limit_requests: Option<u32>,

    /// Changes a second that each client may make. 0 is no limit [default: 2000; on loopback: 0]
    #[arg(long, value_name = "N", env = "LIMIT_CHANGES")]
    limit_changes: Option<u32>,

    /// Searches a second that each client may send. 0 is no limit [default: 100; on loopback: 0]
    #[arg(long, value_name = "N", env = "LIMIT_SEARCHES")]
    limit_searches: Option<u32>,

    /// Reminders an hour that each client may ask for; each sends a mail. 0 is no limit [default: 20;
    /// on loopback: 0]
    #[arg(long, value_name = "N", env = "LIMIT_REMINDERS")]
    limit_reminders: Option<u32>,

    /// Connections that each client may have open. 0 is no limit [default: 256; on loopback: 0]
    #[arg(long, value_name = "N", env = "LIMIT_CONNECTIONS")]
    limit_connections: Option<u32>,

    /// Addresses or networks of proxies that are trusted to name the client in X-Forwarded-For; with
    /// one, the limits hold on loopback, too
    #[arg(long, value_name = "ADDRESS", env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    trusted_proxies: Vec<Network>,

    /// Count all clients that connect from the default gateway of IPv4 as many: in a container, Docker
    /// puts its address in place of those of clients that use IPv6
    #[arg(long, env = "DOCKER_PROXY")]
    docker_proxy: bool,
}

impl LimitArgs {
    /// The limits of a service that listens on an address. Nobody but the machine's own users
    /// reaches one on loopback, unless there is a proxy in front of it.
    pub(crate) fn limits(&self, address: SocketAddr) -> ClientLimits {
        let trusted: Vec<_> = self.trusted_proxies.iter().filter_map(|it| it.0).collect();
        let is_loopback = address.ip().to_canonical().is_loopback() && trusted.is_empty();
        let limit = |given: Option<u32>, default| {
            NonZeroU32::new(given.unwrap_or(if is_loopback { 0 } else { default }))
        };
        let quotas = Quotas {
            requests: limit(self.limit_requests, REQUESTS),
            changes: limit(self.limit_changes, CHANGES),
            searches: limit(self.limit_searches, SEARCHES),
            mails: limit(self.limit_reminders, MAILS),
            connections: limit(self.limit_connections, CONNECTIONS),
        };
        let gateway = self.docker_proxy.then(gateway).flatten();
        ClientLimits::new(quotas, Proxies::new(trusted), gateway)
    }
}

/// An address, or a network like `10.0.0.0/8`. A variable that is empty names none.
#[derive(Debug, Clone)]
struct Network(Option<IpNet>);

fn network(text: &str) -> Result<Network, String> {
    if text.is_empty() {
        return Ok(Network(None));
    }
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    match text.parse().or_else(|_| address()) {
        Ok(network) => Ok(Network(Some(network))),
        Err(_) => Err("must be an address, or a network like 10.0.0.0/8".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let parse = |text| Args::try_parse_from(["test", "--trusted-proxies", text]);
        let args =
            parse("192.0.2.1,10.0.0.0/8,2001:db8::/32").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(args.limits.trusted_proxies.len(), 3);
        for bad in ["proxy.example.org", "10.0.0.0/33"] {
            let error = parse(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(error.to_string().contains("must be an address"), "{error}");
        }
    }
}
