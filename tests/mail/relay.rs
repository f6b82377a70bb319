//! Starts the relay that tests send mail to: `testbed/relay.py`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::free_ports;

/// The password of relays that need a login.
pub(super) const PASSWORD: &str = "secret-of-the-relay";

/// A relay, ended with the test.
pub(crate) struct Relay {
    process: Child,
    pub(crate) port: u16,
    accepted: PathBuf,
    /// The certificate of its authority, where it has one.
    pub(super) ca: Option<PathBuf>,
}

impl Relay {
    /// A relay that accepts mails from everybody.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_at("127.0.0.1", free_ports(), folder, None)
    }

    /// A relay that accepts mails from hosts of the testbed.
    pub(crate) fn start_for_hosts(folder: &Path) -> Self {
        Self::start_at("0.0.0.0", free_ports(), folder, None)
    }

    /// A relay at an address and a port.
    pub(super) fn start_at(address: &str, port: u16, folder: &Path, ca: Option<PathBuf>) -> Self {
        let accepted = folder.join("accepted");
        let mut command = Command::new(python());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed/relay.py");
        command.arg(script).arg(address).arg(port.to_string()).arg(&accepted);
        if let Some(ca) = &ca {
            command.arg(ca).arg(ca.with_file_name("key.pem"));
        }
        // It logs clients that fail, as tests make them fail.
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { process, port, accepted, ca }
    }

    /// A relay that wants STARTTLS and a login.
    pub(super) fn start_guarded(folder: &Path) -> Self {
        let ca = folder.join("certificate.pem");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=CA:FALSE",
            ])
            .arg("-keyout")
            .arg(folder.join("key.pem"))
            .arg("-out")
            .arg(&ca)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Self::start_at("127.0.0.1", free_ports(), folder, Some(ca))
    }

    /// The mails that it has accepted.
    pub(crate) fn accepted(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.accepted).unwrap_or_default();
        // The relay may be in the middle of writing the line after the last whole one.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn python() -> PathBuf {
    std::env::var_os("EVENTPOST_MAIL_PYTHON").map(PathBuf::from).expect(
        "EVENTPOST_MAIL_PYTHON is not set: run scripts/test, or \
         EVENTPOST_MAIL_PYTHON=$(testbed/mail)",
    )
}
