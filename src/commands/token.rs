//! `eventpost token`: the list of tokens that the stack's services accept.

use std::io::{Write, stderr};
use std::process::ExitCode;

use rest::access::tokens::{Entry, TokenList};
use serde::Serialize;
use support::wait::unix_seconds;

use crate::access::Keyring;
use crate::cli::{self, StackArgs, Token, TokenCreate, TokenRevoke};
use crate::config;
use crate::error::Error;
use crate::local::StackFolder;
use crate::report::{self, Cell, Table};

/// A row of the list.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    role: &'static str,
    state: &'static str,
    expires: Option<String>,
    created: Option<String>,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["NAME", "ROLE", "STATE", "EXPIRES", "CREATED"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.name)),
            Cell::text(Some(self.role)),
            Cell::verdict(self.state, self.state == "valid"),
            Cell::text(self.expires.as_ref()),
            Cell::text(self.created.as_ref()),
        ]
    }
}

pub(super) fn run(args: &Token) -> Result<ExitCode, Error> {
    match args {
        Token::Create(args) => create(args),
        Token::List(args) => list(args),
        Token::Revoke(args) => revoke(args),
    }
}

fn create(args: &TokenCreate) -> Result<ExitCode, Error> {
    let stack = stack(&args.stack)?;
    let _lock = stack.lock()?;
    let (keyring, name) = (Keyring::beside(&stack.key()), &args.token);
    let (token, list) = keyring.create(name, args.role, args.expires)?;
    // Nobody could use a token that is on the list and was not printed.
    report::line(token.secret())?;
    keyring.save(&list)?;
    note(&format!(
        "Created token `{name}` ({}). Copy it now: it is not shown again, and {} keeps only its \
         SHA-256. Run `eventpost deploy` (with --local: `eventpost up --local`) before using it.",
        args.role,
        keyring.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn list(args: &cli::TokenList) -> Result<ExitCode, Error> {
    let stack = stack(&args.stack)?;
    let list = Keyring::beside(&stack.key()).list()?.unwrap_or_default();
    report::print(&rows(&list), args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

fn revoke(args: &TokenRevoke) -> Result<ExitCode, Error> {
    let stack = stack(&args.stack)?;
    let _lock = stack.lock()?;
    Keyring::beside(&stack.key()).revoke(&args.token)?;
    note(&format!(
        "Revoked `{}`. Running services accept it until you run `eventpost deploy` (with --local: \
         `eventpost up --local`).",
        args.token
    ));
    Ok(ExitCode::SUCCESS)
}

fn stack(args: &StackArgs) -> Result<StackFolder, Error> {
    let config = config::load(args.file.as_deref(), args.name.as_ref())?;
    Ok(StackFolder::new(args.state_dir.as_deref(), &config.stack)?)
}

fn rows(list: &TokenList) -> Vec<Row> {
    let row = |entry: &Entry| Row {
        name: entry.name.clone(),
        role: entry.role.as_str(),
        state: if entry.has_expired(unix_seconds()) { "expired" } else { "valid" },
        expires: entry.expires.map(|at| at.to_string()),
        created: entry.created.map(|at| at.to_string()),
    };
    list.entries().iter().map(row).collect()
}

/// Prints a note to standard error.
fn note(text: &str) {
    // If even this fails, there is nobody left to tell.
    let _ = writeln!(stderr(), "{text}");
}
