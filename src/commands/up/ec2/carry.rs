//! Carries the data of the old hosts over to the new ones, so that no acknowledged write is
//! lost:
//!
//! 1. the new services run and refuse writes, the old ones serve;
//! 2. the old ones refuse writes (503 and `Retry-After`) and keep answering reads;
//! 3. their data is copied, host to host through this machine, and verified;
//! 4. the new hosts are marked as the serving ones: the step that decides;
//! 5. the new services accept writes.
//!
//! The old services refuse writes only for a limited time, which is renewed as long as this
//! command lives: however this command ends before the fourth step, they soon accept writes
//! again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ec2::Ec2;
use futures_util::future::{join_all, try_join_all};
use ssh::{Host, Identity, Target};
use support::event::Reporter;
use support::wait::Deadline;

use super::host::NewHost;
use crate::config::Service;
use crate::docker::{self, DataStep};
use crate::error::Error;
use crate::health;
use crate::plan::launch::LaunchPlan;
use crate::session::{Session, instance_target};

/// A host that serves answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the old services refuse writes unless this is renewed, in seconds.
const READ_ONLY_TERM: u32 = 300;
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);
/// How long they do so once the new ones have their data, in seconds: until their hosts are
/// terminated.
const READ_ONLY_FINAL_TERM: u32 = 30 * 86400;

/// The data that are carried over.
pub(super) struct CarryOver<'a> {
    sources: Vec<Source<'a>>,
    /// Whether the old services may refuse writes because of this command.
    is_read_only: AtomicBool,
}

/// An old host that has the data of a service.
struct Source<'a> {
    service: &'a Service,
    target: Target,
    reporter: Reporter<'a>,
}

/// A source with a connection of its own, since copying occupies the others.
struct ConnectedSource<'c, 'a> {
    source: &'c Source<'a>,
    host: Host,
}

impl<'a> CarryOver<'a> {
    /// What a plan carries over.
    pub(super) fn new(
        session: &'a Session,
        identity: &Identity,
        plan: &LaunchPlan,
    ) -> Result<Self, Error> {
        let mut sources = Vec::new();
        for service in &session.config.services {
            let Some(instance) = plan.source(service.name.as_str()) else { continue };
            let target = instance_target(&session.config, instance, identity);
            let target = target.filter(|_| instance.is_running());
            let target = target.ok_or_else(|| Error::SourceDown {
                instance: instance.id.clone(),
                service: service.name.to_string(),
                state: instance.state.to_string(),
            })?;
            let reporter = session.reporter(service.name.as_str());
            sources.push(Source { service, target, reporter });
        }
        Ok(Self { sources, is_read_only: AtomicBool::new(false) })
    }

    /// Checks that all data can be copied. Changes nothing.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let checks = self.sources.iter().map(|source| async {
            let checked = source.check().await;
            checked.inspect_err(|error| source.reporter.failed(error.headline()))
        });
        let checked: Result<Vec<()>, Error> = join_all(checks).await.into_iter().collect();
        checked.map(drop).map_err(|error| Error::CarryOver { source: Box::new(error) })
    }

    /// Copies the data of the old services to the new ones. From then on, the old ones refuse
    /// writes.
    pub(super) async fn copy(&self, new: &mut [NewHost]) -> Result<(), Error> {
        if self.sources.is_empty() {
            return Ok(());
        }
        let connect = self.sources.iter().map(async |source| {
            Ok::<_, Error>(ConnectedSource { source, host: source.connect().await? })
        });
        let connected = try_join_all(connect).await?;
        self.is_read_only.store(true, Ordering::Relaxed);
        for source in &self.sources {
            source.reporter.step("switching to read-only");
        }
        refuse_writes(&connected, READ_ONLY_TERM).await?;
        let copies = new.iter_mut().filter_map(|to| {
            let source = self.sources.iter().find(|source| source.is_of(to))?;
            Some(source.copy_to(to))
        });
        let renew = async {
            loop {
                tokio::time::sleep(RENEWAL_INTERVAL).await;
                if let Err(error) = refuse_writes(&connected, READ_ONLY_TERM).await {
                    return error;
                }
            }
        };
        tokio::select! {
            done = try_join_all(copies) => done?,
            error = renew => return Err(error),
        };
        refuse_writes(&connected, READ_ONLY_FINAL_TERM).await
    }

    /// Makes the old services accept writes again, if this command made them refuse them.
    pub(super) async fn accept_writes_again(&self) {
        if !self.is_read_only.swap(false, Ordering::Relaxed) {
            return;
        }
        join_all(self.sources.iter().map(|source| async {
            let accepted = async {
                let host = source.connect().await?;
                docker::run_data(&host, source.service, DataStep::ReadWrite)
                    .await
                    .map_err(Error::Host)
            };
            if let Err(error) = accepted.await {
                source.reporter.warning(format!(
                    "{} refuses writes for up to {READ_ONLY_TERM} s: {error}",
                    source.target.name
                ));
            }
        }))
        .await;
    }

    /// Marks the new hosts as those that serve, and makes their services accept writes.
    pub(super) async fn commit(&self, ec2: &Ec2, new: &[NewHost]) -> Result<(), Error> {
        let ids: Vec<_> = new.iter().map(|host| host.instance.id.clone()).collect();
        if let Err(error) = ec2.set_serving(&ids).await {
            self.accept_writes_again().await;
            return Err(error.into());
        }
        let copied = new.iter().filter(|host| self.sources.iter().any(|it| it.is_of(host)));
        let accept = copied.map(|it| docker::run_data(&it.host, &it.service, DataStep::ReadWrite));
        try_join_all(accept).await?;
        Ok(())
    }
}

async fn refuse_writes(connected: &[ConnectedSource<'_, '_>], seconds: u32) -> Result<(), Error> {
    let refuse = connected.iter().map(|ConnectedSource { source, host }| {
        docker::run_data(host, source.service, DataStep::ReadOnly(seconds))
    });
    try_join_all(refuse).await?;
    Ok(())
}

impl Source<'_> {
    fn is_of(&self, new: &NewHost) -> bool {
        self.service.name == new.service.name
    }

    async fn connect(&self) -> Result<Host, Error> {
        let deadline = Deadline::after(CONNECT_TIMEOUT);
        ssh::connect(&self.target, deadline, self.reporter).await.map_err(Error::Host)
    }

    async fn check(&self) -> Result<(), Error> {
        self.reporter.step("checking its data");
        let host = self.connect().await?;
        docker::run_data(&host, self.service, DataStep::Check).await?;
        self.reporter.done("its data can be copied");
        Ok(())
    }

    async fn copy_to(&self, to: &mut NewHost) -> Result<(), Error> {
        let copied = self.try_copy_to(to).await;
        to.watch.lap("data");
        copied.inspect_err(|error| self.reporter.failed(error.headline()))
    }

    async fn try_copy_to(&self, to: &mut NewHost) -> Result<(), Error> {
        let Self { service, reporter, .. } = self;
        reporter.step("copying its data");
        let from = self.connect().await?;
        docker::carry(&from, &to.host, service, *reporter).await?;
        docker::run_data(&to.host, service, DataStep::Replace).await?;
        docker::run_data(&to.host, service, DataStep::Forget).await?;
        let (name, path) = (service.name.as_str(), service.health.as_str());
        let deadline = Deadline::after(READY_TIMEOUT);
        to.ready = health::wait_ready(name, to.ready.client(), path, deadline, *reporter).await?;
        Ok(())
    }
}
