//! Checks services on hosts, from the account to the container.

use std::time::Duration;

use ec2::{Ec2, Instance, InstanceState};
use futures_util::future::join_all;
use ssh::{Host, HostError, Identity, Target};
use support::event::Reporter;
use support::http::{Client, Endpoint};
use support::wait::{Deadline, unix_seconds};

use super::{Findings, reach};
use crate::access::Token;
use crate::cli::Doctor;
use crate::config::Service;
use crate::docker;
use crate::doctor::{Check, Facts, cause};
use crate::error::Error;
use crate::health;
use crate::session::{Placement, Session, existing_target, instance_target};

/// A host that runs answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The checks of one service.
struct ServiceChecks<'a> {
    session: &'a Session,
    service: &'a Service,
    /// The region of its instance; `None` on an existing host.
    ec2: Option<&'a Ec2>,
    reporter: Reporter<'a>,
    token: Option<&'a Token>,
    /// Whether to collect files for a bundle.
    bundle: bool,
}

pub(super) async fn check_services(
    args: &Doctor,
    session: &Session,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut account = None;
    if session.placement == Placement::Ec2 {
        match check_account(session, &mut findings.checks).await {
            Some(found) => account = Some(found),
            None => return Ok(()),
        }
    }
    let identity = session.identity();
    let token = session.token(&args.token)?;
    let walks = session.config.services.iter().map(|service| {
        let reporter = session.reporter(service.name.as_str());
        let ec2 = account.as_ref().map(|(ec2, _)| *ec2);
        let (token, bundle) = (token.as_ref(), args.bundle.is_some());
        let walk = ServiceChecks { session, service, ec2, reporter, token, bundle };
        let instance = account.as_ref().and_then(|(_, all)| serving(all, service));
        let identity = &identity;
        async move {
            let name = service.name.as_str();
            match &session.placement {
                Placement::Hosts(addresses) => {
                    let config = &session.config;
                    match identity {
                        Ok(identity) => {
                            let target = existing_target(config, name, addresses[name], identity);
                            walk.host(&target, None).await
                        }
                        Err(error) => only(no_key(error).of(name)),
                    }
                }
                Placement::Local | Placement::Ec2 => walk.instance(instance, identity).await,
            }
        }
    });
    for found in join_all(walks).await {
        findings.extend(found);
    }
    Ok(())
}

/// The region and the stack's instances in it, if both can be had.
async fn check_account<'s>(
    session: &'s Session,
    checks: &mut Vec<Check>,
) -> Option<(&'s Ec2, Vec<Instance>)> {
    let ec2 = match session.ec2().await {
        Ok(ec2) => ec2,
        Err(error) => {
            let fix = "log in to AWS; docs/aws.md lists the ways to do that";
            checks.push(Check::wrong("credentials", error.to_string(), fix));
            return None;
        }
    };
    match ec2.instances(session.stack()).await {
        Ok(instances) => {
            checks.push(Check::fine("credentials", format!("{} answers", ec2.region())));
            Some((ec2, instances))
        }
        Err(error) => {
            let fix = "see what AWS says; docs/aws.md lists the permissions that are needed";
            checks.push(Check::wrong("credentials", error.to_string(), fix));
            None
        }
    }
}

/// The instance of a service that serves, or else the newest.
fn serving<'a>(instances: &'a [Instance], service: &Service) -> Option<&'a Instance> {
    let own = instances.iter().filter(|it| it.is_alive() && it.service == service.name.as_str());
    own.max_by_key(|instance| (instance.serving, instance.generation))
}

impl ServiceChecks<'_> {
    /// Checks the instance and everything on it.
    async fn instance(
        &self,
        instance: Option<&Instance>,
        identity: &Result<Identity, Error>,
    ) -> Findings {
        let name = self.service.name.as_str();
        let alone = |check: Check| only(check.of(name));
        let Some(instance) = instance else {
            let fix = "`eventpost up` launches one";
            return alone(Check::wrong("host", "no instance exists", fix));
        };
        let Instance { id, state, instance_type, .. } = instance;
        let identity = match identity {
            Ok(identity) => identity,
            Err(error) => return alone(no_key(error)),
        };
        let target = instance_target(&self.session.config, instance, identity);
        let Some(target) = target.filter(|_| instance.is_running()) else {
            let fix = match state {
                InstanceState::Pending => "wait until it runs, and check again".into(),
                _ => format!("`aws ec2 start-instances --instance-ids {id}` starts it again"),
            };
            return alone(Check::wrong("host", format!("{id} is {state}"), fix));
        };
        let mut findings =
            alone(Check::fine("host", format!("{id}, a {instance_type}, is running")));
        if !instance.serving {
            let found = format!("its launch was interrupted before {id} served");
            let fix = "`eventpost up` resumes it";
            findings.checks.push(Check::wrong("launch", found, fix).of(name));
        }
        findings.extend(self.host(&target, Some(instance)).await);
        findings
    }

    /// Checks the connection and everything on the host.
    async fn host(&self, target: &Target, instance: Option<&Instance>) -> Findings {
        let name = self.service.name.as_str();
        let mut findings = Findings::default();
        self.reporter.step("checking");
        let account = self.ec2.zip(instance);
        match ssh::connect(target, Deadline::after(CONNECT_TIMEOUT), self.reporter).await {
            Ok(host) => {
                findings
                    .checks
                    .push(Check::fine("SSH", format!("{} accepts the key", target.address)));
                findings.checks.extend(self.inside(&host).await);
                findings.checks.extend(self.outside(target, &findings.checks, account).await);
                findings.checks.extend(self.token(target, &host).await);
                if self.bundle {
                    findings.files.push((format!("{name}/host.txt"), self.files(&host).await));
                }
            }
            Err(error) => {
                if let (Some((ec2, instance)), HostError::Unreachable { .. }) = (account, &error) {
                    findings
                        .checks
                        .extend(reach::diagnose(ec2, &self.session.config, instance, 22).await);
                }
                findings.checks.push(refused(&error));
            }
        }
        if let Some((ec2, instance)) = account.filter(|_| self.bundle) {
            let console = ec2.console(&instance.id).await;
            let console = console.unwrap_or_else(|error| error.to_string());
            findings.files.push((format!("{name}/console.txt"), console));
        }
        let wrong = cause(&findings.checks).map(|check| check.subject);
        self.reporter.done(wrong.map_or("no problems found".into(), |it| format!("check {it}")));
        findings.checks = findings.checks.into_iter().map(|check| check.of(name)).collect();
        findings
    }

    /// Checks what the host reports about itself.
    async fn inside(&self, host: &Host) -> Vec<Check> {
        match docker::facts(host, self.service).await {
            Ok(facts) => Facts::parse(&facts).judge(unix_seconds()),
            Err(error) => {
                let fix = "run `eventpost ssh SERVICE` and check its free disk space and memory";
                vec![Check::wrong("host", error.to_string(), fix)]
            }
        }
    }

    /// Checks whether it answers clients outside the host, if they connect to it.
    async fn outside(
        &self,
        target: &Target,
        before: &[Check],
        account: Option<(&Ec2, &Instance)>,
    ) -> Vec<Check> {
        if !self.service.is_public() {
            return Vec::new();
        }
        let (name, port) = (self.service.name.as_str(), self.service.port);
        let endpoint = Endpoint::at((target.address.ip(), port).into());
        let url = endpoint.url(&self.service.health);
        match health::check(name, &Client::from(endpoint), &self.service.health).await {
            Ok(ready) if ready.about.is_read_only() => vec![Check::wrong(
                "writes",
                "are refused",
                "expected while `eventpost up` copies the data, and it ends by itself; to end it \
                 now: `eventpost exec SERVICE -- sudo docker exec \
                 eventpost-SERVICE /service read-only --data /data --off`",
            )],
            Ok(_) => vec![Check::fine("answer", format!("{url} answers that it is ready"))],
            Err(problem) => {
                let mut checks = Vec::new();
                if let (Some((ec2, instance)), None) = (account, cause(before)) {
                    checks = reach::diagnose(ec2, &self.session.config, instance, port).await;
                }
                let fix = "if everything else is fine, something in between blocks connections: a \
                    firewall, a proxy, or another service on that port";
                checks.push(Check::wrong("answer", problem.to_string(), fix));
                checks
            }
        }
    }

    /// Checks whether the service accepts this user's token, which is sent through SSH.
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

fn only(check: Check) -> Findings {
    Findings { checks: vec![check], ..Findings::default() }
}

/// Why there is no key to log in with.
fn no_key(error: &Error) -> Check {
    Check::wrong("key", error.to_string(), "set ssh.key to a readable key without a passphrase")
}

/// Why SSH refuses the connection, as far as it says so.
fn refused(error: &HostError) -> Check {
    let fix = match error {
        HostError::WrongHostKey { advice, .. } => advice.as_str(),
        HostError::RevokedHostKey { .. } => {
            "give the host a new key, or remove the line of known_hosts if it is there by mistake"
        }
        HostError::Denied { .. } => {
            "the key that launched the host is needed: ssh.key in the description, or the \
             state folder of the machine that ran `eventpost up`"
        }
        _ => {
            "its console shows how far it has booted: `eventpost doctor --bundle FILE`; `aws ec2 \
             reboot-instances` often helps if all other checks pass"
        }
    };
    Check::wrong("SSH", error.to_string(), fix)
}
