//! Errors of EC2, explained to users.

use crate::model::Ingress;

/// A call that failed, after all retries.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{region}: {action} failed: {message}{}", hint(code.as_deref(), message))]
pub struct Ec2Error {
    /// The API's action.
    pub action: &'static str,
    /// The region.
    pub region: String,
    /// EC2's code, if it answered.
    pub code: Option<String>,
    /// What EC2 answered.
    pub message: String,
}

/// Why a stack cannot be launched in the account as it is. Nothing without the stack's tag is
/// changed, so the user decides what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Ec2Error),
    /// There is no VPC that hosts could be launched in.
    #[error(
        "{region}: hosts are launched in the default VPC, and there is none: create it with `aws \
         ec2 create-default-vpc --region {region}`"
    )]
    NoDefaultVpc {
        /// The region.
        region: String,
    },
    /// The security group of the stack's name is not the stack's.
    #[error(
        "{region}: the security group {id} in {vpc} is called `{name}` but lacks the tag \
         eventpost:stack={stack}, so it is not this stack's and is left as it is. Set \
         security_group.name in eventpost.yml: to another name, for a group of the stack's own, or \
         to `{name}`, to use this group without changing it"
    )]
    ForeignGroup {
        /// The region.
        region: String,
        /// The group's id.
        id: String,
        /// The VPC that it is in.
        vpc: String,
        /// Its name.
        name: String,
        /// The stack.
        stack: String,
    },
    /// The security group that the file names does not let in what the stack needs.
    #[error(
        "{region}: the security group {id}, which security_group.name calls `{name}`, is not this \
         stack's and is not changed, but it does not open {}. Add the rules yourself:{}",
        ingresses(.missing),
        commands(.region, .id, .missing)
    )]
    ClosedGroup {
        /// The region.
        region: String,
        /// The group's id.
        id: String,
        /// Its name.
        name: String,
        /// The rules that it lacks.
        missing: Vec<Ingress>,
    },
    /// The key pair that hosts would be launched with is not the stack's.
    #[error(
        "{region}: the key pair {id} is called `{name}` but {problem}, so hosts are not launched \
         with it. Name another ssh.key in eventpost.yml, or remove the key pair if nobody needs \
         it: `aws ec2 delete-key-pair --region {region} --key-pair-id {id}`"
    )]
    ForeignKey {
        /// The region.
        region: String,
        /// The key pair's id.
        id: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Another key pair has the name of the stack's lock.
    #[error(
        "{region}: the key pair {id} has the name of the stack's lock, `{name}`, but not its \
         tags, so it is not eventpost's. Give the stack another name, or remove the key pair if \
         nobody needs it: `aws ec2 delete-key-pair --region {region} --key-pair-id {id}`"
    )]
    ForeignLock {
        /// The region.
        region: String,
        /// The key pair's id.
        id: String,
        /// Its name.
        name: String,
    },
}

fn ingresses(rules: &[Ingress]) -> String {
    let rules = rules.iter().map(|rule| format!("port {} from {}", rule.port, rule.from));
    rules.collect::<Vec<_>>().join(", ")
}

fn commands(region: &str, group: &str, rules: &[Ingress]) -> String {
    let command =
        |rule: &Ingress| format!("\n    {}", authorize(region, group, rule.port, &rule.from));
    rules.iter().map(command).collect()
}

/// The command that adds a rule to a group.
pub fn authorize(region: &str, group: &str, port: u16, from: &str) -> String {
    format!(
        "aws ec2 authorize-security-group-ingress --region {region} --group-id {group} \
         --protocol tcp --port {port} --cidr {from}"
    )
}

impl Ec2Error {
    pub(crate) fn new(action: &'static str, region: &str, message: impl Into<String>) -> Self {
        Self { action, region: region.into(), code: None, message: message.into() }
    }

    /// Whether EC2 answered with one of these codes.
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

/// How to fix an error with a code, as the end of its message.
fn hint(code: Option<&str>, message: &str) -> &'static str {
    match code.unwrap_or_default() {
        "UnauthorizedOperation" | "AccessDenied" if message.contains("explicit deny") => {
            ". A policy of the account or its organization denies it, whatever else is allowed: it \
             may require certain `tags`, or forbid a type, a region or `metadata_tokens: optional`. \
             Ask whoever manages the policy"
        }
        "AuthFailure" | "InvalidClientTokenId" | "SignatureDoesNotMatch" => {
            ". AWS does not accept these credentials: check the profile or the environment"
        }
        "ExpiredToken" | "RequestExpired" | "ExpiredTokenException" => {
            ". The credentials have expired: log in again, then run the same command"
        }
        "UnauthorizedOperation" | "AccessDenied" => {
            ". The permissions that eventpost needs are listed in docs/aws.md"
        }
        "InsufficientInstanceCapacity" => {
            ". AWS has no capacity of this type in the zone now: try again later, or use another \
             instance_type or region"
        }
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => {
            ". The account's quota is used up: ask AWS for a higher one, or use --fresh \
             --terminate-first after `eventpost backup`"
        }
        "AddressLimitExceeded" => {
            ". Release an address that nobody uses, or ask AWS for a higher quota of Elastic IP \
             addresses"
        }
        "RequestLimitExceeded" | "Throttling" => {
            ". AWS throttles this account's calls: run the same command again in a moment"
        }
        _ => "",
    }
}
