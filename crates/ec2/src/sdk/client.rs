//! Connects to EC2: region, credentials, retries, timeouts.

use std::fmt::Write;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::config::ProvideCredentials;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use super::Ec2Error;
use super::http;
use super::log::CallLog;
use crate::model::{Account, UserTags};

/// If a third of all calls are throttled, one in 60,000 is throttled eight times in a row.
const ATTEMPTS: u32 = 8;

/// A region of EC2, for one account.
#[derive(Debug, Clone)]
pub struct Ec2 {
    pub(super) client: aws_sdk_ec2::Client,
    pub(super) region: String,
    /// The id of the access key, which is no secret.
    pub(super) access_key: String,
    /// What everything that is created is tagged with, too.
    pub(super) user_tags: UserTags,
}

impl Ec2 {
    /// Finds region and credentials as AWS's tools do (environment, profile, SSO, container,
    /// instance). Fails if there are no credentials.
    pub async fn connect(account: &Account) -> Result<Self, Ec2Error> {
        let retry = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(Duration::from_millis(200))
            .with_max_backoff(Duration::from_secs(5));
        let timeout = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(20))
            .operation_timeout(Duration::from_secs(90))
            .build();
        let http = http::client()?;
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http.clone())
            .retry_config(retry)
            .timeout_config(timeout);
        if let Some(region) = &account.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &account.profile {
            // The name alone would select it only where the environment has no credentials.
            let settings = ProviderConfig::without_region().with_http_client(http);
            let settings = match &account.region {
                Some(region) => settings.with_region(Some(Region::new(region.clone()))),
                None => settings.load_default_region().await,
            };
            let credentials = ProfileFileCredentialsProvider::builder().configure(&settings);
            loader = loader
                .credentials_provider(credentials.profile_name(profile).build())
                .profile_name(profile);
        }
        let config = loader.load().await;
        let Some(region) = config.region().map(ToString::to_string) else {
            let problem = "no region is set: add `region:` to eventpost.yml, or set AWS_REGION";
            return Err(Ec2Error::new("connecting", "AWS", problem));
        };
        let access_key = access_key(&config, &region).await?;
        let logged = aws_sdk_ec2::config::Builder::from(&config).interceptor(CallLog).build();
        let client = aws_sdk_ec2::Client::from_conf(logged);
        Ok(Self { client, region, access_key, user_tags: account.tags.clone() })
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl Ec2 {
    /// Extracts the code and the message of an error of the SDK.
    pub(super) fn failed<E, R>(&self, action: &'static str, error: &SdkError<E, R>) -> Ec2Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let code = error.code().map(String::from);
        let mut message = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{message} ({code})"),
            _ => support::chain(error),
        };
        // It is for AWS's own tools, and longer than everything else.
        if let Some((readable, encoded)) = message.split_once(ENCODED) {
            tracing::debug!("{action}: for `aws sts decode-authorization-message`{encoded}");
            let code = code.as_deref().unwrap_or_default();
            message = format!("{readable} ({code})");
        }
        if code.as_deref().is_some_and(|code| CREDENTIALS.contains(&code)) {
            let _ = write!(message, " with the access key {}", self.access_key);
        }
        Ec2Error { action, region: self.region.clone(), code, message }
    }
}

/// Begins the part of a message that only `aws sts decode-authorization-message` can read.
const ENCODED: &str = " Encoded authorization failure message";

/// Codes that are about the credentials themselves.
const CREDENTIALS: [&str; 6] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "SignatureDoesNotMatch",
];

/// The id of the access key that calls will be signed with.
async fn access_key(config: &aws_config::SdkConfig, region: &str) -> Result<String, Ec2Error> {
    let failed = |problem: String| {
        let message = format!(
            "no usable AWS credentials ({problem}): set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or run `aws sso login`"
        );
        Ec2Error::new("looking for credentials", region, message)
    };
    let provider = config.credentials_provider().ok_or_else(|| failed("none are set".into()))?;
    match provider.provide_credentials().await {
        Ok(credentials) => Ok(credentials.access_key_id().into()),
        Err(error) => Err(failed(support::chain(&error))),
    }
}
