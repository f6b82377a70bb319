//! Moves Elastic IP addresses from old hosts to the new ones, in the moment of the switch.
//!
//! An address leads to the old host until the new one has its data and accepts writes. Then the old
//! service finishes what it answers while new connections wait, and the address moves, which cuts
//! off what is under way to the old host and to the new host's own address.

use std::time::Duration;

use ec2::ElasticIp;
use futures_util::future::join_all;
use ssh::Host;
use support::event::Reporter;
use support::http::Endpoint;
use support::wait::Deadline;

use super::Work;
use super::host::NewHost;
use crate::config::Service;
use crate::deploy::reach;
use crate::docker;
use crate::error::Error;
use crate::health;
use crate::session::instance_target;

/// The host answered a moment ago.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
const READY_TIMEOUT: Duration = Duration::from_secs(60);

impl Work<'_> {
    /// Moves the addresses that still lead to old hosts.
    pub(super) async fn take_over(&self, new: &mut [NewHost]) -> Result<(), Error> {
        let moved = new.iter_mut().map(async |host| {
            let Some(elastic) = host.elastic.take() else { return Ok(()) };
            let (service, id) = (host.service.name.clone(), host.instance.id.clone());
            let reporter = self.session.reporter(service.as_str());
            let moved = self.take_over_one(host, &elastic, reporter).await;
            moved.map_err(|error| {
                reporter.failed(error.headline());
                let (source, address) = (Box::new(error), elastic.address);
                let service = service.to_string();
                Error::Address { service, address, instance: id, source }
            })
        });
        let errors: Vec<_> = join_all(moved).await.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() { Ok(()) } else { Err(Error::several(errors)) }
    }

    async fn take_over_one(
        &self,
        new: &mut NewHost,
        elastic: &ElasticIp,
        reporter: Reporter<'_>,
    ) -> Result<(), Error> {
        reporter.step(format!("moving {}", elastic.address));
        let old = self.step_aside(&new.service, reporter).await;
        let moved = self.ec2.move_address(elastic, &new.instance.id, reporter).await;
        if let (Err(_), Some(old)) = (&moved, old) {
            // If this fails, too, the service goes on by itself a little later.
            let _ = docker::go_on(&old, &new.service).await;
        }
        new.instance = moved?;
        // That the host proves itself there shows that the address has moved.
        let target = instance_target(&self.session.config, &new.instance, &self.survey.identity);
        let target =
            target.ok_or_else(|| Error::NoAddress { instance: new.instance.id.clone() })?;
        new.host = ssh::connect(&target, Deadline::after(CONNECT_TIMEOUT), reporter).await?;
        let endpoint = Endpoint::at((elastic.address, new.service.port).into());
        let client = reach(&new.host, &new.service, endpoint);
        let (name, path) = (new.service.name.as_str(), new.service.health.as_str());
        let deadline = Deadline::after(READY_TIMEOUT);
        new.ready = health::wait_ready(name, &client, path, deadline, reporter).await?;
        new.watch.lap("address");
        Ok(())
    }

    /// Has the old service finish what it answers. If it cannot be told to, connections to it are cut
    /// off, as by a host that fails.
    async fn step_aside(&self, service: &Service, reporter: Reporter<'_>) -> Option<Host> {
        let old = self.plan.address_holder(service.name.as_str())?;
        let aside = async {
            let host = self.connect(old, reporter).await?;
            docker::step_aside(&host, service).await?;
            Ok::<_, Error>(host)
        };
        let warn = |error: &Error| {
            reporter.warning(format!("requests to the old host may be cut off: {error}"));
        };
        aside.await.inspect_err(warn).ok()
    }
}
