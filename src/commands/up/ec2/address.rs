//! What new hosts have of old ones beside the data: the Elastic IP addresses of their services, and the
//! certificates.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ec2::{ElasticIp, Instance};
use futures_util::future::{join_all, try_join_all};
use ssh::Host;
use support::event::Reporter;
use support::wait::Deadline;

use super::Work;
use crate::config::PublicAddress;
use crate::docker::{self, TlsFiles};
use crate::error::Error;
use crate::session::instance_target;

/// The addresses of the services that have one of their own, by service.
pub(super) type Addresses = BTreeMap<String, ElasticIp>;

/// The certificates that services take along from their old hosts.
pub(super) type Certificates = BTreeMap<String, TlsFiles>;

/// The address and the DNS name that an instance has once the launch is complete.
pub(super) fn final_address(
    instance: &Instance,
    elastic: Option<&ElasticIp>,
) -> Option<(IpAddr, Option<String>)> {
    let now = instance.address?;
    let Some(elastic) = elastic.filter(|it| it.address != now) else {
        return Some((now, instance.dns.clone()));
    };
    let dns = instance.dns.as_deref().and_then(|name| elastic.dns(now, name));
    Some((elastic.address, dns))
}

impl Work<'_> {
    /// The address of each service, if the services are to have some. Allocates those that are
    /// missing.
    pub(super) async fn addresses(&self) -> Result<Addresses, Error> {
        let config = &self.session.config;
        if config.address != PublicAddress::Elastic {
            return Ok(Addresses::new());
        }
        let ensure = config.services.iter().map(async |service| {
            let name = service.name.as_str();
            let elastic = match ElasticIp::of_service(&self.survey.addresses, name) {
                Some(known) => known.clone(),
                None => self.ec2.allocate_address(self.session.stack(), name).await?,
            };
            Ok::<_, Error>((name.to_owned(), elastic))
        });
        Ok(try_join_all(ensure).await?.into_iter().collect())
    }

    /// The certificates that the old hosts got from an authority. One that cannot be read costs
    /// another one, and is no reason to stop.
    pub(super) async fn certificates(&self) -> Certificates {
        let services = self.session.config.services.iter().filter(|it| it.asks_for_certificate());
        let read = services.map(async |service| {
            let name = service.name.as_str();
            let old = self.plan.terminated();
            let old = old.iter().filter(|it| it.serving && it.is_running() && it.service == name);
            // Older ones are left over, and so may be their certificates.
            let old = old.max_by_key(|it| it.generation)?;
            let reporter = self.session.reporter(name);
            reporter.step("reading its certificate");
            let host = self.connect(old, reporter).await;
            let files = match host {
                Ok(host) => docker::read_tls(&host, service).await.map_err(Error::Host),
                Err(error) => Err(error),
            };
            let warn = |error: &Error| {
                reporter.warning(format!(
                    "its certificate is not taken along, and a new one will be asked for: {error}"
                ));
            };
            Some((name.to_owned(), files.inspect_err(warn).ok()??))
        });
        join_all(read).await.into_iter().flatten().collect()
    }

    /// Connects to an old host.
    pub(super) async fn connect(
        &self,
        old: &Instance,
        reporter: Reporter<'_>,
    ) -> Result<Host, Error> {
        let target = instance_target(&self.session.config, old, &self.survey.identity);
        let target = target.ok_or_else(|| Error::NoAddress { instance: old.id.clone() })?;
        let deadline = Deadline::after(super::CONNECT_TIMEOUT);
        ssh::connect(&target, deadline, reporter).await.map_err(Error::Host)
    }
}
