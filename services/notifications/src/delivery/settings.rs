//! The settings of the relay.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use lettre::message::Mailbox;

use crate::reminders::ReminderArgs;

/// The arguments about mails and reminders.
#[derive(Debug, clap::Args)]
pub struct DeliveryArgs {
    #[command(flatten)]
    pub(super) mail: MailArgs,

    #[command(flatten)]
    pub(super) reminders: ReminderArgs,
}

/// The arguments about mails; without --mail-host none are sent
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Mail")]
#[expect(clippy::struct_field_names, reason = "the service has arguments of the same names")]
pub(super) struct MailArgs {
    /// Relay that delivers the mails
    #[arg(long, env = "MAIL_HOST", value_name = "NAME", requires = "mail_from")]
    mail_host: Option<String>,

    /// Port of the relay [default: 587; 465 with tls, 25 with none]
    #[arg(long, env = "MAIL_PORT", value_name = "PORT", requires = "mail_host")]
    mail_port: Option<u16>,

    /// Encryption of the connection to the relay
    #[arg(long, env = "MAIL_SECURITY", value_enum, default_value_t = Security::Starttls)]
    mail_security: Security,

    /// File with certificates (PEM) to trust besides the usual ones
    #[arg(long, env = "MAIL_CA_FILE", value_name = "FILE", requires = "mail_host")]
    mail_ca_file: Option<PathBuf>,

    /// Sender of the mails
    #[arg(long, env = "MAIL_FROM", value_name = "ADDRESS", requires = "mail_host")]
    mail_from: Option<Mailbox>,

    /// User who logs in to the relay
    #[arg(long, env = "MAIL_USER", value_name = "USER", requires = "mail_host")]
    mail_user: Option<String>,

    /// File with the user's password [default: the variable `MAIL_PASSWORD`]
    #[arg(long, env = "MAIL_PASSWORD_FILE", value_name = "FILE", requires = "mail_user")]
    mail_password_file: Option<PathBuf>,

    /// Maximum number of mails per second
    #[arg(long, env = "MAIL_RATE", value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    mail_rate: u32,

    /// Seconds until a failed mail is retried; the delay doubles with each attempt, for up to a
    /// day in all
    #[arg(long, env = "MAIL_RETRY", value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    mail_retry: u32,

    /// Seconds that a notification may be late when the service first sees it; older ones are
    /// not sent
    #[arg(long, env = "MAIL_EXPIRY", value_name = "SECONDS", default_value_t = 86_400)]
    mail_expiry: u32,
}

/// The encryption of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Security {
    /// STARTTLS, before anything is sent
    Starttls,
    /// TLS from the first byte
    Tls,
    /// None: for a relay on this machine or in this network
    None,
}

/// The settings for sending mails.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    /// Certificates in PEM.
    pub(super) ca: Option<Vec<u8>>,
    pub(super) from: Mailbox,
    pub(super) login: Option<Login>,
    /// Mails per second.
    pub(super) rate: u32,
    pub(super) retry: Duration,
    pub(super) expiry: Duration,
}

/// The login at a relay.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl MailArgs {
    /// The settings; `None` if no mails are to be sent.
    pub(super) fn settings(&self) -> Result<Option<Settings>, String> {
        let (Some(host), Some(from)) = (&self.mail_host, &self.mail_from) else {
            return Ok(None);
        };
        let default_port = match self.mail_security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        };
        let login = match &self.mail_user {
            Some(user) if self.mail_security == Security::None => {
                return Err(format!(
                    "--mail-security none would send the password of {user} unencrypted: use \
                     starttls or tls"
                ));
            }
            Some(user) => Some(Login { user: user.clone(), password: self.password()? }),
            None => None,
        };
        Ok(Some(Settings {
            host: host.clone(),
            port: self.mail_port.unwrap_or(default_port),
            security: self.mail_security,
            ca: self.mail_ca_file.as_ref().map(read).transpose()?,
            from: from.clone(),
            login,
            rate: self.mail_rate,
            retry: Duration::from_secs(self.mail_retry.into()),
            expiry: Duration::from_secs(self.mail_expiry.into()),
        }))
    }

    fn password(&self) -> Result<String, String> {
        let text = match &self.mail_password_file {
            Some(path) => String::from_utf8(read(path)?)
                .map_err(|_| format!("{} is not UTF-8 text", path.display()))?,
            None => std::env::var("MAIL_PASSWORD").map_err(|_| {
                "--mail-user needs --mail-password-file, or a password in MAIL_PASSWORD".to_owned()
            })?,
        };
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
