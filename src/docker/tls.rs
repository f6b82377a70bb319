//! Takes a certificate of an authority along from one host to another: authorities issue only a few
//! for a name each week.

use ssh::{Command, Host, HostError, quote};

use crate::config::Service;

const SCRIPT: &str = include_str!("../../templates/tls-files.sh");
/// More than the files have: three of at most 64 KiB, in base64.
const MAX_BYTES: usize = 300 << 10;

/// A certificate with its key and its account, as the script on a host prints and reads them.
pub struct TlsFiles(String);

/// The certificate that a service on a host got from an authority, if it has one.
pub async fn read_tls(host: &Host, service: &Service) -> Result<Option<TlsFiles>, HostError> {
    const DOING: &str = "reading the certificate";
    let command = Command::script(SCRIPT, &["read", service.volume.as_str()]);
    let lines = host.run(DOING, command).await?.stdout;
    if lines.len() > MAX_BYTES {
        return Err(HostError::Broken {
            host: host.name().into(),
            doing: DOING,
            cause: format!("it printed {} bytes", lines.len()),
        });
    }
    Ok(Some(TlsFiles(lines)).filter(|files| !files.0.is_empty()))
}

/// Puts a certificate into the volume that a service will have on a new host.
pub async fn write_tls(host: &Host, service: &Service, files: &TlsFiles) -> Result<(), HostError> {
    let volume = quote(service.volume.as_str());
    let line = format!("sudo sh -c {} sh write {volume}", quote(SCRIPT));
    let command = Command::new(line).stdin(format!("{}end\n", files.0));
    host.run("writing the certificate", command).await.map(drop)
}
