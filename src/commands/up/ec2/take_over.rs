//! Moves Elastic IP addresses from old hosts to the new ones, in the moment of the switch.
//!
//! An address points to the old host until the new one has its data and accepts writes. Then the old
//! service finishes what it answers while new connections wait, and the address moves, which cuts
//! off what is under way to the old host and to the new host's own address.

use std::time::Duration;

use futures_util::future::join_all;
use support::event::Reporter;
use support::http::Endpoint;
use support::wait::Deadline;

use super::Work;
use super::host::NewHost;
use crate::deploy::reach;
use crate::docker;
use crate::error::Error;
use crate::health;
use crate::session::instance_target;

/// The host answered a moment ago.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
const READY_TIMEOUT: Duration = Duration::from_secs(60);

impl Work<'_> {
    /// Connects to the old hosts at the addresses, so that the switch itself takes less time. One that
    /// cannot be connected to loses its address all the same, and what is under way to it is cut off,
    /// as by a host that fails.
    pub(super) async fn connect_holders(&self, new: &mut [NewHost]) {
        let connect = new.iter_mut().map(async |host| {
            let name = host.service.name.clone();
            let Some(holder) = self.plan.address_holder(name.as_str()) else { return };
            let reporter = self.session.reporter(name.as_str());
            let warn = |error: &Error| {
                reporter.warning(format!("requests to the old host may be cut off: {error}"));
            };
            host.old = self.connect(holder, reporter).await.inspect_err(warn).ok();
        });
        join_all(connect).await;
    }

    /// Moves the addresses that still point to old hosts.
    pub(super) async fn take_over(&self, new: &mut [NewHost]) -> Result<(), Error> {
        all(new.iter_mut().filter(|host| host.elastic.is_some()).map(|host| self.move_to(host)))
            .await
    }

    async fn move_to(&self, new: &mut NewHost) -> Result<(), Error> {
        let Some(elastic) = &new.elastic else { return Ok(()) };
        let (service, id) = (new.service.name.clone(), &new.instance.id);
        let reporter = self.session.reporter(service.as_str());
        reporter.step(format!("moving {}", elastic.address));
        if let Some(old) = &new.old
            && let Err(error) = docker::step_aside(old, &new.service).await
        {
            reporter.warning(format!("requests to the old host may be cut off: {error}"));
        }
        let Err(error) = self.ec2.move_address(elastic, id).await else { return Ok(()) };
        if let Some(old) = &new.old {
            // If this fails, too, the service goes on by itself a little later.
            let _ = docker::go_on(old, &new.service).await;
        }
        reporter.failed(error.to_string());
        let (service, address) = (service.to_string(), elastic.address);
        Err(Error::Address { service, address, instance: id.clone(), source: Box::new(error) })
    }

    /// Checks that the addresses point to the new hosts, which prove themselves there, and that the
    /// services answer.
    pub(super) async fn check_moved(&self, new: &mut [NewHost]) -> Result<(), Error> {
        all(new.iter_mut().filter(|host| host.elastic.is_some()).map(async |host| {
            let (service, id) = (host.service.name.clone(), host.instance.id.clone());
            let reporter = self.session.reporter(service.as_str());
            let checked = self.check_one(host, reporter).await;
            checked.map_err(|error| {
                reporter.failed(error.headline());
                let (service, source) = (service.to_string(), Box::new(error));
                Error::AfterMove { service, instance: id, source }
            })
        }))
        .await
    }

    async fn check_one(&self, new: &mut NewHost, reporter: Reporter<'_>) -> Result<(), Error> {
        let Some(elastic) = new.elastic.take() else { return Ok(()) };
        reporter.step(format!("waiting for {}", elastic.address));
        new.instance = self.ec2.wait_moved(&elastic, &new.instance.id, reporter).await?;
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
}

/// Does all of some work, even if a part of it fails.
async fn all(
    work: impl Iterator<Item = impl Future<Output = Result<(), Error>>>,
) -> Result<(), Error> {
    let errors: Vec<_> = join_all(work).await.into_iter().filter_map(Result::err).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::several(errors)) }
}
