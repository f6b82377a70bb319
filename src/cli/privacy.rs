//! The command line of `eventpost privacy`.

use clap::{Args, Subcommand};

use super::args::{PlacementArgs, StackArgs, TokenArgs};

/// `eventpost privacy`
#[derive(Debug, Subcommand)]
pub enum Privacy {
    /// Print what is stored about an email address, as JSON
    Export(PrivacyExport),
    /// Delete what is stored about an email address; backups keep what they have
    Erase(PrivacyErase),
}

/// `eventpost privacy export`
#[derive(Debug, Args)]
pub struct PrivacyExport {
    /// Whose data they are
    #[command(flatten)]
    pub subject: PrivacySubject,
}

/// `eventpost privacy erase`
#[derive(Debug, Args)]
pub struct PrivacyErase {
    /// Whose data they are
    #[command(flatten)]
    pub subject: PrivacySubject,

    /// Send no mails to the address from now on; only its SHA-256 is kept for that
    #[arg(long)]
    pub suppress: bool,

    /// Do not ask for confirmation
    #[arg(long, short)]
    pub yes: bool,
}

/// An address, and where its data are.
#[derive(Debug, Args)]
pub struct PrivacySubject {
    /// Email address
    #[arg(value_name = "ADDRESS")]
    pub address: String,

    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// The token to send
    #[command(flatten)]
    pub token: TokenArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}
