//! The command line of a service.

use std::ffi::OsString;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use store::DatabaseUrl;

use crate::access::origins::{Origin, Origins};
use crate::access::{AccessArgs, AccessError, Guard};
use crate::access_log::{LogFormat, LoggedRequests};
use crate::limits::LimitArgs;
use crate::server::Limits;
use crate::tls::{TlsArgs, TlsSettings};

const EXIT_CODES: &str = "\
Exit codes (as in sysexits.h):
  0   stopped by a signal, or done
  2   invalid command line
  65  the data is damaged, or belongs to another service
  66  the backup to restore cannot be read
  69  the address is in use or not available, or the database cannot be reached or is busy
  73  the data folder or backup cannot be written, or the folder already holds data
  74  input or output failed, or the database refused the login or a query
  75  another process uses the data folder
  78  the access, database, HTTPS, mail or page settings are not valid";

#[derive(Debug, Parser)]
#[command(after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(super) struct Args<A: clap::Args> {
    #[command(flatten)]
    pub(super) serve: ServeArgs,

    #[command(flatten)]
    pub(super) extension: A,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address to listen on [default: PORT on all addresses]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,

    /// Port to listen on, on all addresses
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub(super) port: u16,

    #[command(flatten)]
    pub(super) data: DataArgs,

    #[command(flatten)]
    pub(super) database: DatabaseArgs,

    /// Maximum number of connections to PostgreSQL: two for writes and mails, the others for reads
    #[arg(long, value_name = "N", env = "DATABASE_CONNECTIONS", default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(3..))]
    pub(super) database_connections: u16,

    #[command(flatten)]
    pub(super) access: AccessArgs,

    /// Origins whose pages may use the service in a browser, like `https://events.example.org`
    #[arg(long, env = "ALLOW_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    pub(super) allow_origins: Vec<Origin>,

    /// Maximum number of open connections, as far as the limit on open files allows
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    pub(super) max_connections: usize,

    #[command(flatten)]
    pub(super) clients: LimitArgs,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    /// Maximum size of all resources, in bytes; more are refused with 507
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    pub(super) max_bytes: u64,

    /// Maximum number of resources; more are refused with 507
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    pub(super) max_resources: u64,

    /// Bytes of disk space to keep free; below that, creating and replacing is refused with 507. No
    /// effect with PostgreSQL
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub(super) reserve_bytes: u64,

    /// Seconds until a connection is closed that is idle, that does not complete the headers of
    /// a request, or whose client does not read its answer
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub(super) idle_timeout: Duration,

    /// Seconds that the body of a request may take to arrive
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "15")]
    pub(super) body_timeout: Duration,

    /// Format of log lines
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,

    /// Requests to log on standard output
    #[arg(long, value_enum, value_name = "WHICH", env = "ACCESS_LOG", default_value_t = LoggedRequests::Failed)]
    pub(super) access_log: LoggedRequests,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a whole number of seconds from 1".into()),
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct DataArgs {
    /// Folder that holds the data; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(super) data: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct DatabaseArgs {
    /// File that contains the URL of a PostgreSQL database to store the data in; --data then holds
    /// only the lock and read-only files. `DATABASE_URL` can contain the URL itself
    #[arg(long, value_name = "FILE", env = "DATABASE_URL_FILE")]
    pub(super) database_url_file: Option<OsString>,

    /// PEM file of CA certificates to verify the database server's certificate and host name
    #[arg(long, value_name = "FILE", env = "DATABASE_CA_FILE")]
    pub(super) database_ca_file: Option<OsString>,
}

impl DatabaseArgs {
    /// The database, if the data are in one. A URL has a password, so it is no argument.
    pub(super) fn url(&self) -> Option<DatabaseUrl> {
        // A variable that is empty is one that was not set.
        let given = |file: &Option<OsString>| {
            file.as_ref().filter(|file| !file.is_empty()).map(PathBuf::from)
        };
        let url = match given(&self.database_url_file) {
            Some(file) => Some(DatabaseUrl::file(file)),
            None => std::env::var("DATABASE_URL")
                .ok()
                .filter(|url| !url.is_empty())
                .map(DatabaseUrl::value),
        };
        url.map(|url| url.with_ca_file(given(&self.database_ca_file)))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    #[command(flatten)]
    Backup(BackupCommand),
    /// Refuse writes with 503 for a while; return when those in progress have finished. Affects
    /// only the process that uses this data folder, not others that share its PostgreSQL database
    ReadOnly {
        #[command(flatten)]
        data: DataArgs,
        /// Seconds until writes are accepted again by themselves
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "300")]
        seconds: Duration,
        /// Accept writes again now
        #[arg(long, conflicts_with = "seconds")]
        off: bool,
    },
    /// Check whether the service on a port of this machine is ready: exit code 0 or 1
    Ready {
        /// The port
        #[arg(long, value_name = "PORT", default_value_t = 8080)]
        port: u16,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Write a backup of the data to a file, whether the service is running or not
    Backup {
        /// File to write; - is standard output
        file: PathBuf,
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Restore a backup into the data folder of a service that is not running, or into its
    /// PostgreSQL database
    Restore {
        /// Backup to read; - is standard input
        file: PathBuf,
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        database: DatabaseArgs,
        /// Replace the data that the folder or the database holds
        #[arg(long)]
        replace: bool,
    },
}

impl ServeArgs {
    /// The address to listen on.
    pub(super) fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port)))
    }

    /// How much the store may hold.
    pub(super) fn limits(&self) -> store::Limits {
        store::Limits {
            max_bytes: Some(self.max_bytes),
            max_documents: Some(self.max_resources),
            reserve_bytes: self.reserve_bytes,
        }
    }

    /// The address of those to listen on that most can reach. What it takes holds for all of them.
    pub(super) fn exposed_address(&self, tls: Option<&TlsSettings>) -> SocketAddr {
        let others =
            tls.into_iter().flat_map(|tls| std::iter::once(tls.listen).chain(tls.redirect));
        let mut all = std::iter::once(self.address()).chain(others);
        let is_exposed = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
        all.find(is_exposed).unwrap_or_else(|| self.address())
    }

    /// Who may use the service, which is reached at this address.
    pub(super) fn guard(&self, address: SocketAddr) -> Result<Guard, AccessError> {
        Ok(Guard {
            access: self.access.access(address)?,
            origins: Origins::new(self.allow_origins.clone()),
            loopback: address.ip().to_canonical().is_loopback(),
        })
    }
}
