//! HTTPS by the real programs, as other programs see it: curl, and an authority that issues
//! certificates by ACME.

mod acme;
mod files;
pub(crate) mod pebble;
mod settings;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{Service, http};

/// Nobody listens there.
const NO_DIRECTORY: &str = "https://127.0.0.1:1/directory";

/// A service that serves HTTPS to everybody, on a port and the one after it, which redirects.
struct Https {
    service: Service,
    port: u16,
}

/// What curl says of an answer.
#[derive(Debug)]
struct Fetched {
    /// curl's exit code: 35 if there was no handshake, 60 if the certificate is not trusted.
    code: Option<i32>,
    /// The version and the status, such as `2 200`.
    status: String,
    body: String,
}

impl Https {
    /// Starts a service on its own ports; other arguments say where its certificate comes from.
    fn start(data: &Path, port: u16, args: &[&str]) -> Self {
        let (tls, redirect) = (format!("0.0.0.0:{port}"), format!("127.0.0.1:{}", port + 1));
        let own = ["--access", "open", "--tls-listen", &tls, "--redirect-listen", &redirect];
        let names = ["--tls-names", "a.test,b.test"];
        let args = [&own[..], &names, args].concat();
        let service = Service::start_with("events", data, &args, std::process::Stdio::null());
        Self { service, port }
    }

    /// Asks by HTTPS for a path, trusting those that the file `ca` names.
    fn fetch(&self, name: &str, path: &str, ca: &Path, options: &[&str]) -> Fetched {
        let (port, url) = (self.port, format!("https://{name}:{}{path}", self.port));
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "30", "--resolve", &format!("{name}:{port}:127.0.0.1")]);
        curl.args(["-w", "\n%{http_version} %{http_code}"]).arg("--cacert").arg(ca);
        let output = curl.args(options).arg(url).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", &text));
        Fetched { code: output.status.code(), status: status.into(), body: body.into() }
    }

    /// Whether a client that trusts `ca` is served by a name.
    fn is_served(&self, name: &str, ca: &Path) -> bool {
        self.fetch(name, "/healthz", ca, &[]).status == "2 200"
    }

    /// A member of `/readyz`, which is asked by plain HTTP.
    fn ready(&self, member: &str) -> Option<String> {
        let answer = http::send(self.service.address, "GET", "/readyz", None);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()[member].as_str().map(str::to_owned)
    }
}

/// Makes a certificate for names that nobody else has signed, and its key. They are `NAME.pem` and
/// `NAME.key` in the folder, and returned in this order.
fn certificate(folder: &Path, name: &str, subjects: &str) -> (PathBuf, PathBuf) {
    let path = |ending: &str| folder.join(format!("{name}.{ending}"));
    let (certificate, key) = (path("pem"), path("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=test", "-addext", "basicConstraints=CA:FALSE"])
        .args(["-addext", &format!("subjectAltName={subjects}")])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    done(&made.unwrap());
    (certificate, key)
}

fn done(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}
