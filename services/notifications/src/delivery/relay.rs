//! Sends a mail to the relay, and decides what an error means.

use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use store::AttemptOutcome;

use super::settings::{Login, Security, Settings};

/// The maximum number of connections to the relay.
pub(super) const CONNECTIONS: u32 = 4;
/// The timeout of each SMTP command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout of an attempt: a service that becomes read-only waits for it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(25);

/// The connections to a relay.
#[derive(Debug)]
pub(super) struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Relay {
    /// Prepares the connections; the first is opened when it is needed.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let tls = |settings: &Settings| {
            let mut tls = TlsParameters::builder(settings.host.clone());
            if let Some(ca) = &settings.ca {
                let ca = Certificate::from_pem(ca);
                tls = tls.add_root_certificate(ca.map_err(|e| format!("--mail-ca-file: {e}"))?);
            }
            tls.build_rustls().map_err(|error| error.to_string())
        };
        let tls = match settings.security {
            Security::Starttls => Tls::Required(tls(settings)?),
            Security::Tls => Tls::Wrapper(tls(settings)?),
            Security::None => Tls::None,
        };
        let pool = PoolConfig::new().max_size(CONNECTIONS);
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.clone())
                .port(settings.port)
                .tls(tls)
                .timeout(Some(COMMAND_TIMEOUT))
                .pool_config(pool);
        if let Some(Login { user, password }) = &settings.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { transport: builder.build() })
    }

    /// Makes one attempt.
    pub(super) async fn send(&self, mail: Message) -> AttemptOutcome {
        match tokio::time::timeout(ATTEMPT_TIMEOUT, self.transport.send(mail)).await {
            Ok(Ok(_)) => AttemptOutcome::Accepted,
            Ok(Err(error)) => classify(&error),
            Err(_) => {
                AttemptOutcome::Retry(format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs()))
            }
        }
    }
}

/// Whether an error is final for the mail: 5xx is, unless it is about the login.
fn classify(error: &SmtpError) -> AttemptOutcome {
    let reason = chain(error);
    let code = error.status().map(u16::from);
    match code {
        // RFC 4954: these are about the login, not about the mail.
        Some(530 | 534 | 535 | 538) => AttemptOutcome::Retry(reason),
        Some(500..600) => AttemptOutcome::Rejected(reason),
        _ => AttemptOutcome::Retry(reason),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
