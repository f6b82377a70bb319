//! Looks at the account before anything is changed, and plans from what is there.

use ec2::{
    Ec2, Ec2Error, ElasticIp, GroupChange, GroupPlan, Instance, Launch, MachineImage, NewInstance,
};
use futures_util::future::join_all;
use ssh::Identity;
use std::time::Duration;
use support::event::{NullSink, Reporter};
use support::http::{Client, Endpoint};
use support::wait::{Deadline, unix_seconds};

use crate::access::Token;
use crate::cli;
use crate::config::{Config, PublicAddress};
use crate::docker;
use crate::error::Error;
use crate::fixtures::AllFixtures;
use crate::health;
use crate::plan::launch::{self, LaunchPlan, LaunchSpec};
use crate::plan::{Action, Operation, Plan, price};
use crate::session::{Session, instance_target};

/// A host that runs answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What there is before anything is changed.
pub(super) struct Survey {
    pub(super) identity: Identity,
    pub(super) image: MachineImage,
    pub(super) group: GroupPlan,
    /// Whether the account has the key that logs in.
    has_key: bool,
    pub(super) instances: Vec<Instance>,
    /// The stack's Elastic IP addresses.
    pub(super) addresses: Vec<ElasticIp>,
}

/// The stack's addresses. Fails if those that the services lack cannot be allocated.
async fn addresses(config: &Config, ec2: &Ec2) -> Result<Vec<ElasticIp>, Ec2Error> {
    let addresses = ec2.addresses(config.stack.as_str()).await?;
    if config.address == PublicAddress::Elastic {
        let names = config.services.iter().map(|it| it.name.as_str());
        let missing: Vec<_> =
            names.filter(|it| ElasticIp::of_service(&addresses, it).is_none()).collect();
        ec2.may_allocate(config.stack.as_str(), &missing).await?;
    }
    Ok(addresses)
}

impl Survey {
    /// Looks at everything. Reports all problems at once.
    pub(super) async fn take(session: &Session, ec2: &Ec2) -> Result<Self, Error> {
        let (config, stack) = (&session.config, session.stack());
        let identity = session.planned_identity().and_then(|identity| {
            if identity.is_for_ec2() {
                return Ok(identity);
            }
            let path = session.key_path();
            Err(Error::Request(format!(
                "ssh.key: EC2 takes RSA and Ed25519 keys, and {} is another one",
                path.display()
            )))
        });
        let image = async {
            let image = ec2.machine_image(&config.image).await?;
            ec2.check_architecture(&config.launch.instance_type, &image).await?;
            Ok(image)
        };
        let key = async {
            match &identity {
                Ok(identity) => ec2.has_key(stack, identity).await,
                Err(_) => Ok(false),
            }
        };
        let spec = config.group_spec();
        let (image, instances, addresses, group, key) = tokio::join!(
            image,
            ec2.instances(stack),
            addresses(config, ec2),
            ec2.plan_group(&spec),
            key
        );
        match (identity, image, instances, addresses, group, key) {
            (Ok(identity), Ok(image), Ok(instances), Ok(addresses), Ok(group), Ok(has_key)) => {
                let survey = Self { identity, image, group, has_key, instances, addresses };
                survey.may_launch(session, ec2).await?;
                Ok(survey)
            }
            (identity, image, instances, addresses, group, key) => {
                let calls = [image.err(), instances.err(), addresses.err()];
                let calls = calls.into_iter().flatten().map(Error::Ec2);
                let account = [group.err(), key.err()].into_iter().flatten().map(Error::Account);
                let errors = identity.err().into_iter().chain(calls).chain(account);
                Err(Error::several(errors.collect()))
            }
        }
    }

    /// Asks whether the hosts may be launched, by a dry run of the launch itself: policies look at
    /// everything in it.
    async fn may_launch(&self, session: &Session, ec2: &Ec2) -> Result<(), Error> {
        let (config, host_key) = (&session.config, Identity::generate()?);
        let Some(service) = config.services.first() else { return Ok(()) };
        let key = self.has_key.then(|| Ec2::key_name(session.stack(), &self.identity));
        let launch = Launch {
            stack: session.stack().into(),
            generation: 0,
            options: config.launch.clone(),
            image: self.image.clone(),
            group: self.group.id().map(String::from),
            key,
            by: docker::operator(),
            expires: None,
        };
        let in_database = service.database().is_some();
        let name = service.name.as_str();
        let new = NewInstance { service: name, in_database, host_key: &host_key };
        Ok(ec2.may_launch(&launch, &new).await?)
    }

    /// The operations of a launch.
    pub(super) fn plan(
        &self,
        config: &Config,
        args: &cli::Plan,
        fixtures: &AllFixtures,
    ) -> LaunchPlan {
        let services: Vec<_> = config.services.iter().map(|it| it.name.to_string()).collect();
        let fixtures = fixtures.iter().filter(|_| !args.no_seed);
        let databases = config.services.iter().filter(|it| it.database().is_some());
        let databases: Vec<_> = databases.map(|it| it.name.to_string()).collect();
        let is_elastic = config.address == PublicAddress::Elastic;
        let wanted = LaunchSpec {
            addresses: is_elastic.then_some(&*self.addresses),
            services: &services,
            databases: &databases,
            setup: &self.setup(config),
            fixtures: &fixtures.map(|(name, all)| (name.to_string(), all.items.len())).collect(),
            instance_type: &config.launch.instance_type,
            image: &self.image.id,
            fresh: args.fresh,
            terminate_first: args.terminate_first,
        };
        // Launches are numbered by the time at which they begin.
        launch::plan(wanted, &self.instances, u32::try_from(unix_seconds()).unwrap_or(u32::MAX))
    }

    /// What is changed in the account before instances are launched.
    fn setup(&self, config: &Config) -> Vec<Operation> {
        let name = config.security_group.name.as_str().to_owned();
        let group = self.group.change().map(|change| match change {
            GroupChange::Create => {
                Operation::of_stack(Action::CreateGroup { name }, "there is none")
            }
            GroupChange::Open(ports) => {
                let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
                let reason = format!("no rule opens {}", ports.join(", "));
                Operation::of_stack(Action::OpenPorts { group: name }, reason)
            }
        });
        let import = || Operation::of_stack(Action::ImportKey, "the account does not have it");
        group.into_iter().chain((!self.has_key).then(import)).collect()
    }

    /// The same with what the hosts cost, and with how much data the old ones hold.
    pub(super) async fn preview(
        &self,
        plan: LaunchPlan,
        args: &cli::Plan,
        session: &Session,
    ) -> Result<Plan, Error> {
        let (config, mut operations) = (&session.config, plan.operations);
        let token = session.token(&args.token)?;
        let counts = operations.iter_mut().map(|operation| async {
            let (Action::CarryOver { from: instance, resources }
            | Action::Terminate { instance, loses_data: true, resources }) = &mut operation.action
            else {
                return;
            };
            *resources = self.count(config, instance, token.as_ref()).await;
        });
        join_all(counts).await;
        Ok(Plan {
            cost: price::cost(&config.launch.instance_type, config.services.len()),
            last_time_seconds: session.folder.last_up(),
            notes: config.image.note().into_iter().collect(),
            ..Plan::new(session.stack(), operations)
        })
    }

    /// How many resources the service on an instance holds, if it says so.
    async fn count(
        &self,
        config: &Config,
        instance: &Instance,
        token: Option<&Token>,
    ) -> Option<u64> {
        let service = config.services.iter().find(|it| it.name.as_str() == instance.service)?;
        let endpoint = Endpoint::at((instance.address?, service.port).into());
        let client = if token.is_none() && service.is_public() {
            endpoint.into()
        } else {
            let target = instance_target(config, instance, &self.identity)?;
            let reporter = Reporter::new(&NullSink, &instance.service);
            let deadline = Deadline::after(CONNECT_TIMEOUT);
            let host = ssh::connect(&target, deadline, reporter).await.ok()?;
            Client::through(host.port(service.port), endpoint, token.cloned())
        };
        let ready = health::check(&instance.service, &client, &service.health).await.ok()?;
        ready.about.resources
    }
}
