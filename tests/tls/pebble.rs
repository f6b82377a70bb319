//! Starts Pebble, an authority for tests, and the DNS server that it asks for the names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{certificate, done};
use crate::harness::{free_ports, wait_for};

/// An authority, ended with the test.
pub(crate) struct Pebble {
    folder: PathBuf,
    /// The address of this machine that clients use.
    host: String,
    /// The certificate of its directory.
    pub(crate) ca: PathBuf,
    /// The first of the ports that it has for itself.
    port: u16,
    dns: Child,
    process: Option<Child>,
}

impl Pebble {
    /// An authority that checks names at a port of this machine, and whose certificates are valid
    /// for so many seconds. Its files are in the folder.
    pub(super) fn start(folder: &Path, checked: u16, seconds: u32) -> Self {
        Self::start_at(folder, "127.0.0.1", ("127.0.0.1", checked), seconds)
    }

    /// An authority that clients reach at an address of this machine, and that checks names at an
    /// address and port.
    pub(crate) fn start_at(
        folder: &Path,
        host: &str,
        (address, checked): (&str, u16),
        seconds: u32,
    ) -> Self {
        let (ca, key) = certificate(folder, "pebble", &format!("IP:{host},DNS:localhost"));
        let port = free_ports();
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("{host}:{port}"),
            "managementListenAddress": format!("127.0.0.1:{}", port + 1),
            "certificate": ca,
            "privateKey": key,
            "httpPort": 1,
            "tlsPort": checked,
            "retryAfter": {"authz": 1, "order": 1},
            "certificateValidityPeriod": seconds,
        }});
        fs::write(folder.join("pebble.json"), config.to_string()).unwrap();
        let dns = Command::new("pebble-challtestsrv")
            .args([
                "-defaultIPv4",
                address,
                "-defaultIPv6",
                "",
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
            ])
            .args(["-dns01", &format!("127.0.0.1:{}", port + 2)])
            .args(["-management", &format!("127.0.0.1:{}", free_ports())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pebble =
            Self { folder: folder.into(), host: host.into(), ca, port, dns, process: None };
        pebble.resume();
        pebble
    }

    /// Has it come back, with nothing of what it knew.
    pub(super) fn resume(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let process = Command::new("pebble")
            .arg("-config")
            .arg(self.folder.join("pebble.json"))
            .args(["-dnsserver", &format!("127.0.0.1:{}", self.port + 2)])
            .env("PEBBLE_VA_NOSLEEP", "1")
            // It would refuse some requests, which are sent again, and counted twice.
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process = Some(process.unwrap());
        wait_for("Pebble to listen", || {
            std::net::TcpStream::connect((self.host.as_str(), self.port)).ok()
        });
    }

    /// Has it be away.
    pub(super) fn leave(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The URL of its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://{}:{}/dir", self.host, self.port)
    }

    /// A file with the root of the certificates that it issues.
    pub(crate) fn root(&self) -> PathBuf {
        let root = self.folder.join("root.pem");
        let url = format!("https://localhost:{}/roots/0", self.port + 1);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail", "--cacert"]).arg(&self.ca).arg("-o").arg(&root).arg(url);
        done(&curl.output().unwrap());
        root
    }

    /// How many orders it was sent.
    pub(crate) fn orders(&self) -> usize {
        fs::read_to_string(self.log()).unwrap().matches("POST /order-plz").count()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("pebble.log")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.leave();
        let _ = self.dns.kill();
        let _ = self.dns.wait();
    }
}
