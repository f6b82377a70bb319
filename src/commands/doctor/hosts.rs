//! Checks services on hosts, from the account to the container.

use std::time::Duration;

use ec2::Ec2;
use futures_util::future::join_all;
use ssh::{Host, HostError, Identity, Target};
use support::event::{EventSink, Reporter};
use support::http::{Client, Endpoint};
use support::machine::Machine;
use support::wait::{Deadline, unix_seconds};

use super::{Findings, reach};
use crate::access::Token;
use crate::cli::Doctor;
use crate::commands::{access, hosts};
use crate::config::{Config, Service};
use crate::docker;
use crate::doctor::{Check, Facts, cause};
use crate::error::Error;
use crate::health;
use crate::local::StackFolder;

/// A host that is up answers at once.
const SSH_LIMIT: Duration = Duration::from_secs(10);

/// A service's walk.
struct Walk<'a> {
    config: &'a Config,
    service: &'a Service,
    /// The account that its host is in; none where it is a machine that exists.
    ec2: Option<&'a Ec2>,
    reporter: Reporter<'a>,
    token: Option<&'a Token>,
    /// Whether a bundle is to be filled.
    bundle: bool,
}

pub(super) async fn look(
    args: &Doctor,
    config: &Config,
    sink: &dyn EventSink,
    findings: &mut Findings,
) -> Result<(), Error> {
    let named = hosts::named(config, &args.placement.hosts)?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let mut account = None;
    if named.is_empty() {
        match ask_account(config, &mut findings.checks).await {
            Some(found) => account = Some(found),
            None => return Ok(()),
        }
    }
    let identity = match hosts::identity(config, &stack) {
        Ok(identity) => identity,
        Err(error) => {
            let fix = "name a key in ssh.key that can be read, without a passphrase";
            findings.checks.push(Check::wrong("key", error.to_string(), fix));
            return Ok(());
        }
    };
    let token = access::token_for_hosts(config, (&args.stack, &args.token))?;
    let walks = config.services.iter().map(|service| {
        let reporter = Reporter::new(sink, service.name.as_str());
        let ec2 = account.as_ref().map(|(ec2, _)| ec2);
        let (token, bundle) = (token.as_ref(), args.bundle.is_some());
        let walk = Walk { config, service, ec2, reporter, token, bundle };
        let machine = account.as_ref().and_then(|(_, all)| serving(all, service));
        let address = named.get(service.name.as_str()).copied();
        let target = address.map(|it| hosts::known_target(config, service, it, &identity));
        let identity = &identity;
        async move {
            match target {
                Some(target) => walk.host(&target, None).await,
                None => walk.machine(machine, identity).await,
            }
        }
    });
    for found in join_all(walks).await {
        findings.checks.extend(found.checks);
        findings.files.extend(found.files);
    }
    Ok(())
}

/// The account and the stack's machines in it, where both can be had.
async fn ask_account(config: &Config, checks: &mut Vec<Check>) -> Option<(Ec2, Vec<Machine>)> {
    let ec2 = match Ec2::connect(config.region.as_deref()).await {
        Ok(ec2) => ec2,
        Err(error) => {
            let fix = "log in to AWS; docs/aws.md says which ways there are";
            checks.push(Check::wrong("credentials", error.to_string(), fix));
            return None;
        }
    };
    match ec2.machines(config.stack.as_str()).await {
        Ok(machines) => {
            checks.push(Check::fine("credentials", format!("{} answers", ec2.region())));
            Some((ec2, machines))
        }
        Err(error) => {
            let fix = "see what AWS says; docs/aws.md lists the permissions that are needed";
            checks.push(Check::wrong("credentials", error.to_string(), fix));
            None
        }
    }
}

/// The machine of a service that serves, or else the newest.
fn serving<'a>(machines: &'a [Machine], service: &Service) -> Option<&'a Machine> {
    let of = machines.iter().filter(|it| it.is_alive() && it.service == service.name.as_str());
    of.max_by_key(|machine| (machine.serving, machine.generation))
}

impl Walk<'_> {
    /// From the machine on.
    async fn machine(&self, machine: Option<&Machine>, identity: &Identity) -> Findings {
        let name = self.service.name.as_str();
        let alone = |check: Check| Findings { checks: vec![check.of(name)], ..Findings::default() };
        let Some(machine) = machine else {
            let fix = "`eventpost up` launches one";
            return alone(Check::wrong("host", "there is none", fix));
        };
        let Machine { id, state, kind, .. } = machine;
        let target = hosts::ec2_target(self.config, machine, identity);
        let Some(target) = target.filter(|_| state == "running") else {
            let fix = match state.as_str() {
                "pending" => "wait until it runs, and look again".into(),
                _ => format!("`aws ec2 start-instances --instance-ids {id}` starts it again"),
            };
            return alone(Check::wrong("host", format!("{id} is {state}"), fix));
        };
        let mut findings = alone(Check::fine("host", format!("{id}, a {kind}, is running")));
        if !machine.serving {
            let found = format!("{id} was launched, and not brought to where it serves");
            let fix = "`eventpost up` goes on with it";
            findings.checks.push(Check::wrong("launch", found, fix).of(name));
        }
        let found = self.host(&target, Some(machine)).await;
        findings.checks.extend(found.checks);
        findings.files.extend(found.files);
        findings
    }

    /// From the connection on.
    async fn host(&self, target: &Target, machine: Option<&Machine>) -> Findings {
        let name = self.service.name.as_str();
        let mut findings = Findings::default();
        self.reporter.step("looking");
        let account = self.ec2.zip(machine);
        match ssh::connect(target, Deadline::after(SSH_LIMIT), self.reporter).await {
            Ok(host) => {
                findings.checks.push(Check::fine("SSH", format!("{} lets us in", target.address)));
                findings.checks.extend(self.inside(&host).await);
                findings.checks.extend(self.outside(target, &findings.checks, account).await);
                findings.checks.extend(self.token(target, &host).await);
                if self.bundle {
                    findings.files.push((format!("{name}/host.txt"), self.files(&host).await));
                }
            }
            Err(error) => {
                if let (Some((ec2, machine)), HostError::Unreachable { .. }) = (account, &error) {
                    findings.checks.extend(reach::why(ec2, self.config, machine, 22).await);
                }
                findings.checks.push(refused(&error));
            }
        }
        if let Some((ec2, machine)) = account.filter(|_| self.bundle) {
            let console = ec2.console(&machine.id).await;
            let console = console.unwrap_or_else(|error| error.to_string());
            findings.files.push((format!("{name}/console.txt"), console));
        }
        let wrong = cause(&findings.checks).map(|check| check.subject);
        self.reporter.done(wrong.map_or("nothing is wrong".into(), |it| format!("{it} is wrong")));
        findings.checks = findings.checks.into_iter().map(|check| check.of(name)).collect();
        findings
    }

    /// What the host says of itself.
    async fn inside(&self, host: &Host) -> Vec<Check> {
        match docker::facts(host, self.service).await {
            Ok(facts) => Facts::parse(&facts).judge(unix_seconds()),
            Err(error) => {
                let fix = "`eventpost ssh SERVICE`, and look whether it has room and memory left";
                vec![Check::wrong("host", error.to_string(), fix)]
            }
        }
    }

    /// Whether it answers those who need it.
    async fn outside(
        &self,
        target: &Target,
        before: &[Check],
        account: Option<(&Ec2, &Machine)>,
    ) -> Vec<Check> {
        let (name, port) = (self.service.name.as_str(), self.service.port);
        let endpoint = Endpoint::at((target.address.ip(), port).into());
        let url = endpoint.url(&self.service.health);
        match health::check(name, &Client::from(endpoint), &self.service.health).await {
            Ok(ready) if ready.about.is_read_only() => vec![Check::wrong(
                "writes",
                "are refused",
                "while `eventpost up` copies the data, that is as it is to be, and it ends by \
                 itself; to end it now: `eventpost exec SERVICE -- sudo docker exec \
                 eventpost-SERVICE /service read-only --data /data --off`",
            )],
            Ok(_) => vec![Check::fine("answer", format!("{url} answers that it is ready"))],
            Err(problem) => {
                let mut checks = Vec::new();
                if let (Some((ec2, machine)), None) = (account, cause(before)) {
                    checks = reach::why(ec2, self.config, machine, port).await;
                }
                let fix = "where all else is fine, something between refuses: a firewall, a \
                    proxy, or another service on that port";
                checks.push(Check::wrong("answer", problem.to_string(), fix));
                checks
            }
        }
    }

    /// Whether the service accepts this user's token, which is sent through SSH.
    async fn token(&self, target: &Target, host: &Host) -> Option<Check> {
        let token = self.token.cloned()?;
        let (name, port) = (self.service.name.as_str(), self.service.port);
        let endpoint = Endpoint::at((target.address.ip(), port).into());
        let client = Client::through(host.port(port), endpoint, Some(token));
        Some(super::token(name, &client, &self.service.health).await)
    }

    async fn files(&self, host: &Host) -> String {
        docker::report(host, self.service).await.unwrap_or_else(|error| error.to_string())
    }
}

/// Why SSH does not let us in, as far as it says so.
fn refused(error: &HostError) -> Check {
    let fix = match error {
        HostError::WrongHostKey { advice, .. } => *advice,
        HostError::Denied { .. } => {
            "the key that launched the host is needed: ssh.key in the description, or the \
             state folder of the machine that ran `eventpost up`"
        }
        _ => {
            "its console says how far it has come: `eventpost doctor --bundle FILE`; `aws ec2 \
             reboot-instances` often helps where all else is fine"
        }
    };
    Check::wrong("SSH", error.to_string(), fix)
}
