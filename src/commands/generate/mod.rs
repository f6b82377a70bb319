//! What others take from the command: completions for shells, manual pages, the schema of
//! eventpost.yml, and a first eventpost.yml.

mod init;

use std::fs;
use std::process::ExitCode;

use clap::CommandFactory;

pub(super) use init::run as init;

use crate::cli::{Cli, Completions, Man};
use crate::commands::destination::Destination;
use crate::config::SCHEMA;
use crate::error::Error;
use crate::report;

/// Prints what a shell needs to complete the command's arguments.
pub(super) fn completions(args: &Completions) -> Result<ExitCode, Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "eventpost", &mut text);
    report::line(String::from_utf8_lossy(&text).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the manual pages of the command and of each of its commands.
pub(super) fn man(args: &Man) -> Result<ExitCode, Error> {
    fs::create_dir_all(&args.folder).map_err(|error| {
        Error::Request(format!("{} cannot be made: {error}", args.folder.display()))
    })?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let pages = std::iter::once(&command).chain(command.get_subcommands());
    for page in pages.filter(|page| !page.is_hide_set()) {
        let page = clap_mangen::Man::new(page.clone());
        let file = args.folder.join(page.get_filename());
        Destination::new(&file)?.fill(|to| page.render(to))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the schema of eventpost.yml.
pub(super) fn schema() -> Result<ExitCode, Error> {
    report::line(SCHEMA.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
