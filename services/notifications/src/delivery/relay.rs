//! Sends a mail to the relay, and judges the result of the attempt.

use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::settings::{Login, Security, Settings};
use super::state::Attempt;

/// Connections to the relay at the same time.
pub(super) const CONNECTIONS: u32 = 4;
/// For each step of the conversation.
const STEP_LIMIT: Duration = Duration::from_secs(10);
/// For all of it: writes that are to be refused wait for it.
const LIMIT: Duration = Duration::from_secs(25);

/// A relay.
#[derive(Debug)]
pub(super) struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Relay {
    /// Connects to nothing yet.
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
                .timeout(Some(STEP_LIMIT))
                .pool_config(pool);
        if let Some(Login { user, password }) = &settings.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { transport: builder.build() })
    }

    /// Makes one attempt.
    pub(super) async fn send(&self, mail: Message) -> Attempt {
        match tokio::time::timeout(LIMIT, self.transport.send(mail)).await {
            Ok(Ok(_)) => Attempt::Taken,
            Ok(Err(error)) => judge(&error),
            Err(_) => Attempt::Later(format!("no answer within {} s", LIMIT.as_secs())),
        }
    }
}

/// What an error means for the mail: 5xx is final, unless it is about who we are.
fn judge(error: &SmtpError) -> Attempt {
    let why = chain(error);
    let code = error.status().map(u16::from);
    match code {
        // RFC 4954: these are about the login, and no mail is the worse for it.
        Some(530 | 534 | 535 | 538) => Attempt::Later(why),
        Some(500..600) => Attempt::Never(why),
        _ => Attempt::Later(why),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
