//! This module owns what EC2's errors mean to a user.

use std::fmt::Write;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use super::Ec2;
use crate::error;

/// A call that failed, after all retries.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{region}: {action} failed: {message}{}", hint(code.as_deref()))]
pub struct Ec2Error {
    /// The API's action.
    pub action: &'static str,
    /// The region.
    pub region: String,
    /// EC2's code, where it answered.
    pub code: Option<String>,
    /// What it said.
    pub message: String,
}

impl Ec2Error {
    pub(super) fn new(action: &'static str, region: &str, message: impl Into<String>) -> Self {
        Self { action, region: region.into(), code: None, message: message.into() }
    }

    /// Whether EC2 answered with one of these codes.
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

impl Ec2 {
    /// Reads a code and a message out of an error of the SDK.
    pub(super) fn failed<E, R>(&self, action: &'static str, error: &SdkError<E, R>) -> Ec2Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let code = error.code().map(String::from);
        let mut message = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{message} ({code})"),
            _ => error::chain(error),
        };
        if code.as_deref().is_some_and(|code| CREDENTIALS.contains(&code)) {
            let _ = write!(message, " with the access key {}", self.access_key);
        }
        Ec2Error { action, region: self.region.clone(), code, message }
    }
}

/// Codes that say something about the credentials themselves.
const CREDENTIALS: [&str; 6] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "SignatureDoesNotMatch",
];

/// What to do about a code, as the end of a message.
fn hint(code: Option<&str>) -> &'static str {
    match code.unwrap_or_default() {
        "AuthFailure" | "InvalidClientTokenId" | "SignatureDoesNotMatch" => {
            ". AWS does not know these credentials: check the profile or the environment"
        }
        "ExpiredToken" | "RequestExpired" | "ExpiredTokenException" => {
            ". The credentials have expired: log in again, then run the same command"
        }
        "UnauthorizedOperation" | "AccessDenied" => {
            ". The permissions that eventpost needs are listed in docs/aws.md"
        }
        "InsufficientInstanceCapacity" => {
            ". AWS has none of this type free in the zone now: try again later, or another \
             instance_type or region"
        }
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => {
            ". The account's quota is used up: ask AWS for more, or use --fresh --terminate-first after `eventpost backup`"
        }
        "RequestLimitExceeded" | "Throttling" => {
            ". AWS throttles this account's calls: run the same command again in a moment"
        }
        _ => "",
    }
}
