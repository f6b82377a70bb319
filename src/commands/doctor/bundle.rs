//! Writes the file for a request for help: everything that was found, and no secret.

use std::env;
use std::fs;
use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Diagnosis;
use crate::commands::destination::Destination;
use crate::config::{Config, Origin};
use crate::doctor::Redactor;
use crate::environment::CREDENTIALS;
use crate::error::Error;
use crate::secrets;

/// Writes the bundle: an archive of texts.
pub(super) fn write(
    file: Destination,
    config: &Config,
    diagnosis: &Diagnosis<'_>,
    files: &[(String, String)],
) -> Result<(), Error> {
    let redactor = Redactor::new(secrets_of(config));
    let found = serde_json::to_string_pretty(diagnosis).map_err(|e| Error::Output(e.into()))?;
    let version = format!("eventpost {}\n", env!("CARGO_PKG_VERSION"));
    let mut texts = vec![
        ("checks.json".to_owned(), found),
        ("version.txt".to_owned(), version),
        ("description.yml".to_owned(), description(config)),
    ];
    texts.extend_from_slice(files);
    file.fill(|to| {
        let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::default()));
        for (name, text) in &texts {
            let text = redactor.clean(text);
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            archive.append_data(
                &mut header,
                format!("eventpost-doctor/{name}"),
                text.as_bytes(),
            )?;
        }
        archive.into_inner()?.finish().map(drop)
    })
}

fn description(config: &Config) -> String {
    match &config.origin {
        Origin::File(path) => fs::read_to_string(path).unwrap_or_else(|error: io::Error| {
            format!("{} cannot be read: {error}", path.display())
        }),
        Origin::BuiltIn => "# The built-in one.\n".into(),
    }
}

/// What must not be in it: what services are given, and what logs in to AWS.
fn secrets_of(config: &Config) -> Vec<String> {
    let values = config.services.iter().flat_map(|service| service.env.values().cloned());
    let files = secrets::all(config).filter_map(|content| String::from_utf8(content).ok());
    let files = files.map(|content| content.trim().to_owned());
    let own = CREDENTIALS.into_iter().filter_map(|name| env::var(name).ok());
    values.chain(own).chain(files).collect()
}
