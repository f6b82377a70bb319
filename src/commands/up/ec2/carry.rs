//! Carries the data of the old hosts over to the new ones, so that no acknowledged write is
//! lost:
//!
//! 1. the new services run and refuse writes, the old ones serve;
//! 2. the old ones are told to refuse writes (503 and `Retry-After`) and keep answering reads;
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
use ssh::{Host, Target};
use support::event::Reporter;
use support::wait::Deadline;

use super::Work;
use super::host::Brought;
use crate::commands::hosts;
use crate::config::Service;
use crate::docker::{self, DataStep};
use crate::error::Error;
use crate::health;

/// A host that serves answers at once.
const SSH_LIMIT: Duration = Duration::from_secs(30);
const READY_LIMIT: Duration = Duration::from_secs(120);
/// For how long the old services refuse writes unless this is renewed, in seconds.
const REFUSED: u32 = 300;
const RENEWAL: Duration = Duration::from_secs(60);
/// For how long they do once others have their data, in seconds: their hosts are ended.
const REFUSED_FOR_GOOD: u32 = 30 * 86400;

/// The data that are carried over.
pub(super) struct Carry<'a> {
    loads: Vec<Load<'a>>,
    /// Whether writes may be refused on account of this command.
    refused: AtomicBool,
}

/// The data of one service.
struct Load<'a> {
    service: &'a Service,
    /// The host that has them.
    from: Target,
    reporter: Reporter<'a>,
}

impl<'a> Carry<'a> {
    /// What the plan has to be carried.
    pub(super) fn new(work: &'a Work<'a>) -> Result<Self, Error> {
        let mut loads = Vec::new();
        for service in &work.config.services {
            let Some(machine) = work.plan.source(service.name.as_str()) else { continue };
            let from = hosts::ec2_target(work.config, machine, &work.found.identity);
            let from = from.filter(|_| machine.state == "running").ok_or_else(|| {
                Error::NotRunning(format!(
                    "{} has the data of {} and is {}: start it, so that they can be copied, or \
                     begin without them with --fresh",
                    machine.id, machine.service, machine.state
                ))
            })?;
            let reporter = Reporter::new(work.display, service.name.as_str());
            loads.push(Load { service, from, reporter });
        }
        Ok(Self { loads, refused: AtomicBool::new(false) })
    }

    /// Sees that all data can be copied. Changes nothing.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let check = async |load: &Load<'_>| {
            load.reporter.step("looking at its data");
            let step = DataStep::Check;
            let host = load.connect().await?;
            docker::run_data(&host, load.service, step).await.map_err(Error::Host)
        };
        let checks = join_all(self.loads.iter().map(|load| async move {
            check(load).await.inspect_err(|error: &Error| load.reporter.failed(error.headline()))
        }));
        let found: Result<Vec<()>, Error> = checks.await.into_iter().collect();
        found.map(drop).map_err(|error| Error::Carry { source: Box::new(error) })
    }

    /// Has the new services hold what the old ones do. From then on these refuse writes.
    pub(super) async fn move_data(&self, brought: &mut [Brought]) -> Result<(), Error> {
        if self.loads.is_empty() {
            return Ok(());
        }
        // Of their own: the copying occupies its connection.
        let keepers = try_join_all(self.loads.iter().map(Load::connect)).await?;
        self.refused.store(true, Ordering::Relaxed);
        for load in &self.loads {
            load.reporter.step("having writes refused");
        }
        self.refuse(&keepers, REFUSED).await?;
        let moves = brought.iter_mut().filter_map(|to| {
            let load = self.loads.iter().find(|load| load.service.name == to.service.name)?;
            Some(load.carry_to(to))
        });
        let keep_on = async {
            loop {
                tokio::time::sleep(RENEWAL).await;
                if let Err(error) = self.refuse(&keepers, REFUSED).await {
                    return error;
                }
            }
        };
        tokio::select! {
            done = try_join_all(moves) => done?,
            error = keep_on => return Err(error),
        };
        // What is refused now is refused until the old hosts are ended.
        self.refuse(&keepers, REFUSED_FOR_GOOD).await
    }

    async fn refuse(&self, keepers: &[Host], seconds: u32) -> Result<(), Error> {
        let hosts = self.loads.iter().zip(keepers);
        let refuse = hosts
            .map(|(load, host)| docker::run_data(host, load.service, DataStep::Refuse(seconds)));
        try_join_all(refuse).await?;
        Ok(())
    }

    /// Has the old services take writes again, where this command had them refused.
    pub(super) async fn take_back(&self) {
        if !self.refused.swap(false, Ordering::Relaxed) {
            return;
        }
        join_all(self.loads.iter().map(|load| async {
            let taken = async {
                let host = load.connect().await?;
                docker::run_data(&host, load.service, DataStep::Take).await.map_err(Error::Host)
            };
            if let Err(error) = taken.await {
                load.reporter.warning(format!(
                    "{} refuses writes until its time is over: {error}",
                    load.from.name
                ));
            }
        }))
        .await;
    }

    /// Makes the new hosts those that serve, and has their services take writes.
    pub(super) async fn commit(&self, ec2: &Ec2, brought: &[Brought]) -> Result<(), Error> {
        let ids: Vec<_> = brought.iter().map(|it| it.machine.id.clone()).collect();
        if let Err(error) = ec2.set_serving(&ids).await {
            self.take_back().await;
            return Err(error.into());
        }
        let take = brought.iter().filter(|it| self.loads.iter().any(|load| load.is_of(it)));
        let taken = take.map(|it| docker::run_data(&it.host, &it.service, DataStep::Take));
        try_join_all(taken).await?;
        Ok(())
    }
}

impl Load<'_> {
    fn is_of(&self, brought: &Brought) -> bool {
        self.service.name == brought.service.name
    }

    async fn connect(&self) -> Result<Host, Error> {
        let deadline = Deadline::after(SSH_LIMIT);
        ssh::connect(&self.from, deadline, self.reporter).await.map_err(Error::Host)
    }

    async fn carry_to(&self, to: &mut Brought) -> Result<(), Error> {
        let carried = self.copy_to(to).await;
        to.watch.lap("data");
        carried.inspect_err(|error| self.reporter.failed(error.headline()))
    }

    async fn copy_to(&self, to: &mut Brought) -> Result<(), Error> {
        let Self { service, reporter, .. } = self;
        reporter.step("copying its data");
        let from = self.connect().await?;
        docker::carry(&from, &to.host, service, *reporter).await?;
        docker::run_data(&to.host, service, DataStep::Replace).await?;
        docker::run_data(&to.host, service, DataStep::Forget).await?;
        let (name, path) = (service.name.as_str(), service.health.as_str());
        let deadline = Deadline::after(READY_LIMIT);
        let there = health::wait_ready(name, to.ready.client(), path, deadline, *reporter).await?;
        to.ready = there;
        Ok(())
    }
}
