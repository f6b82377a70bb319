//! Logs each attempt of a call to EC2: the action, how it ended, how long it took and the
//! request id that AWS's support asks for. Never what was sent: it includes private keys.

use std::time::{Duration, Instant};

use aws_sdk_ec2::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use support::wait::in_words;
use tracing::info;

/// The longest code that is looked for in an answer.
const LONGEST_CODE: usize = 80;

/// Logs the calls of a client.
#[derive(Debug)]
pub(super) struct CallLog;

/// When an attempt began.
#[derive(Debug)]
struct AttemptStart(Instant);

impl Storable for AttemptStart {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "CallLog"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(AttemptStart(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let action = config.load::<Metadata>().map_or("a call", Metadata::name);
        let attempt = config.load::<RequestAttempts>().map_or(1, RequestAttempts::attempts);
        let took = config.load::<AttemptStart>().map_or(Duration::ZERO, |began| began.0.elapsed());
        let ended = context.response().map_or_else(|| "no answer".into(), ended);
        info!("{action}, attempt {attempt}: {ended}, in {}", in_words(took));
        Ok(())
    }
}

/// An answer for the log: its status, its error code if it has one, and its request id.
fn ended(response: &HttpResponse) -> String {
    let mut text = response.status().to_string();
    if let Some(code) = response.body().bytes().and_then(code) {
        text = format!("{text} {code}");
    }
    match response.headers().get("x-amzn-requestid") {
        Some(id) => format!("{text}, request {id}"),
        None => text,
    }
}

/// The code of an error in an answer.
fn code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= LONGEST_CODE).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_error_is_found() {
        let body = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>m\
            </Message></Error></Errors></Response>";
        assert_eq!(code(body.as_bytes()).as_deref(), Some("RequestLimitExceeded"));
        for other in ["", "<DescribeInstancesResponse/>", "<Code>", "<Code>x"] {
            assert_eq!(code(other.as_bytes()), None, "{other}");
        }
        assert_eq!(code(format!("<Code>{}</Code>", "x".repeat(81)).as_bytes()), None);
    }
}
