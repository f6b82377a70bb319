//! `eventpost up` on EC2: launches new hosts beside the old ones, carries their data over, and
//! terminates the old ones only when the new ones serve. An interrupted launch is resumed.

mod address;
mod carry;
mod host;
mod survey;
mod take_over;

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ec2::{Ec2, Instance, Launch};
use futures_util::future::{join_all, try_join_all};
use ssh::Host;
use support::event::Reporter;
use support::wait::unix_seconds;
use tokio::sync::watch;

use self::carry::CarryOver;
use self::host::{NewHost, Run, bring_up};
use self::survey::Survey;
use super::Row;
use crate::cli::{self, Up};
use crate::config::{Access, Service};
use crate::deploy;
use crate::docker;
use crate::error::Error;
use crate::fixtures::AllFixtures;
use crate::plan::Plan;
use crate::plan::launch::LaunchPlan;
use crate::session::{Grants, Session};

/// A host that serves answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What an interrupt leaves.
const LEFT: &str = "`eventpost status` shows which hosts there are";

/// What is done, and how much of it has been done.
struct Work<'a> {
    args: &'a Up,
    session: &'a Session,
    ec2: &'a Ec2,
    survey: Survey,
    plan: LaunchPlan,
    fixtures: &'a AllFixtures,
    /// The hosts that were launched or resumed so far, for people to read.
    launched: Mutex<Vec<String>>,
}

pub(super) async fn run(
    args: &Up,
    session: Session,
    fixtures: &AllFixtures,
) -> Result<ExitCode, Error> {
    let begin = Instant::now();
    let rows = session.locked("up", async || {
        let ec2 = session.ec2().await?;
        let survey = session.inspect(Survey::take(&session, ec2)).await?;
        let plan = survey.plan(&session.config, &args.plan, fixtures);
        if let Some(loss) = plan.loss().filter(|_| !args.yes) {
            session.confirm(format!("{loss} Continue?")).await?;
        }
        let (session, launched) = (&session, Mutex::default());
        let work = Work { args, session, ec2, survey, plan, fixtures, launched };
        work.run().await.map_err(|error| work.kept(error))
    });
    let rows = rows.await?;
    super::explain_addresses(&session, &rows).await;
    session.folder.set_last_up(begin.elapsed().as_secs_f64())?;
    session.print(&rows, args.plan.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// The operations that `up` would execute now.
pub(super) async fn plan(
    args: &cli::Plan,
    session: &Session,
    fixtures: &AllFixtures,
) -> Result<Plan, Error> {
    let survey = Survey::take(session, session.ec2().await?).await?;
    let plan = survey.plan(&session.config, args, fixtures);
    // What `up` would refuse is refused here, too.
    let carry = CarryOver::new(session, &survey.identity, &plan)?;
    carry.check().await?;
    session.check_token(&args.token)?;
    survey.preview(plan, args, session).await
}

impl Work<'_> {
    async fn run(&self) -> Result<Vec<Row>, Error> {
        let carry = CarryOver::new(self.session, &self.survey.identity, &self.plan)?;
        let built = self.session.run(LEFT, self.build(&carry)).await;
        let mut new = match built {
            Ok(new) => new,
            Err(error) => {
                // The old hosts continue where they were.
                carry.accept_writes_again().await;
                return Err(error);
            }
        };
        // A signal waits for this, which takes some seconds: in the middle of it, nobody would know
        // which hosts are the right ones.
        carry.commit(self.ec2, &new).await?;
        self.take_over(&mut new).await?;
        self.session.run(LEFT, self.check_moved(&mut new)).await?;
        for host in &new {
            let reporter = self.session.reporter(host.service.name.as_str());
            reporter.done(format!("serves at {}", host.url()));
        }
        let rows = new.into_iter().map(NewHost::into_row).collect();
        if !self.args.plan.terminate_first {
            self.session.run(LEFT, self.terminate_old()).await?;
        }
        Ok(rows)
    }

    /// Brings the new hosts up to the point where only the switch from the old ones is left.
    async fn build(&self, carry: &CarryOver<'_>) -> Result<Vec<NewHost>, Error> {
        let (config, ec2) = (&self.session.config, self.ec2);
        // Data that cannot be carried over must be known before anything is launched.
        carry.check().await?;
        let grants = self.grants().await?;
        let certificates = self.certificates().await;
        if self.args.plan.terminate_first {
            self.terminate_old().await?;
        }
        let (stack, spec) = (self.session.stack(), config.group_spec());
        let Survey { identity, image, group, .. } = &self.survey;
        self.session.store_identity(identity)?;
        let (group, key) =
            tokio::try_join!(ec2.ensure_group(&spec, group), ec2.ensure_key(stack, identity))?;
        let launch = Launch {
            stack: stack.into(),
            generation: self.plan.generation,
            options: config.launch.clone(),
            image: image.clone(),
            group: Some(group),
            key: Some(key),
            by: docker::operator(),
            expires: self.args.ttl.map(|ttl| unix_seconds() + ttl.as_secs()),
        };
        let run = Run {
            work: self,
            launch,
            grants: &grants,
            addresses: self.addresses().await?,
            certificates,
            urls: watch::Sender::default(),
        };
        let new = config.services.iter().map(|service| {
            let artifact = deploy::artifact(config, service, self.session.sink());
            bring_up(&run, service, &self.fixtures[&service.name], artifact)
        });
        let mut new = try_join_all(new).await?;
        carry.copy(&mut new).await?;
        self.connect_holders(&mut new).await;
        grants.are_deployed()?;
        Ok(new)
    }

    /// The newest of the lists of tokens that this machine and the old hosts have.
    async fn grants(&self) -> Result<Grants, Error> {
        let connected = self.connect_serving().await;
        let hosts: Vec<_> = connected.iter().map(|(host, service)| (host, *service)).collect();
        self.session.host_grants(&self.args.plan.token, &hosts, true).await
    }

    /// The old hosts that serve and can be connected to, each with its service; none if access
    /// is open.
    async fn connect_serving(&self) -> Vec<(Host, &Service)> {
        let services = &self.session.config.services;
        let with_service = |instance: Instance| {
            let service = services.iter().find(|it| it.name.as_str() == instance.service)?;
            instance.serving.then_some((instance, service))
        };
        let old: Vec<_> = self.plan.terminated().into_iter().filter_map(with_service).collect();
        if old.is_empty() || self.session.access() == Access::Open {
            return Vec::new();
        }
        let (reporter, all) = (self.session.reporter("access"), old.len());
        reporter.step("connecting to the old hosts");
        let connect = old.into_iter().map(async |(instance, service)| {
            Some((self.connect_if_possible(&instance, reporter).await?, service))
        });
        let connected: Vec<_> = join_all(connect).await.into_iter().flatten().collect();
        reporter.done(format!("connected to {} of {all} old hosts", connected.len()));
        connected
    }

    /// A host that serves. One that cannot be connected to is replaced all the same, but without
    /// its list of tokens.
    async fn connect_if_possible(
        &self,
        instance: &Instance,
        reporter: Reporter<'_>,
    ) -> Option<Host> {
        let warn = |error: &Error| {
            reporter.warning(format!(
                "{error}. The list of tokens of this machine is used, which may be older than the \
                 host's: `eventpost token list` shows it"
            ));
        };
        self.connect(instance, reporter).await.inspect_err(warn).ok()
    }

    /// Terminates the hosts that the new ones replace.
    async fn terminate_old(&self) -> Result<(), Error> {
        let old = self.plan.terminated();
        if old.is_empty() {
            return Ok(());
        }
        let ids = old.iter().map(|it| it.id.as_str()).collect::<Vec<_>>().join(", ");
        let reporter = self.session.reporter("old hosts");
        reporter.step(format!("terminating {ids}"));
        let terminated = self.ec2.terminate(&old, reporter).await;
        terminated.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.done(format!("terminated {ids}"));
        Ok(())
    }

    /// Adds the hosts that were launched in spite of an error.
    fn kept(&self, error: Error) -> Error {
        let launched = self.launched.lock().unwrap_or_else(PoisonError::into_inner);
        if launched.is_empty() {
            return error;
        }
        Error::Kept { source: Box::new(error), hosts: launched.join(", ") }
    }
}
