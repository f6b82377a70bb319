//! The testbed: an EC2 region on this machine, started once for all tests. Each test has an
//! access key and a stack of its own, so that it sees neither the faults nor the hosts of
//! another.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use super::cli::{Ran, World};

const API: &str = "127.0.0.1:5551";

/// A stack of one or two services in the region, whose hosts end with the test.
pub(crate) struct Stack {
    pub(crate) world: World,
    pub(crate) name: String,
    access: &'static str,
    _slot: Slot,
}

impl Stack {
    /// Waits until a stack may have hosts, and describes the services, which everybody may use.
    pub(crate) fn new(name: &str, services: &str) -> Self {
        Self::with_access(name, services, "access: open\n")
    }

    /// As [`Self::new`], with services that want tokens, as they do by default.
    pub(crate) fn with_tokens(name: &str, services: &str) -> Self {
        Self::with_access(name, services, "")
    }

    fn with_access(name: &str, services: &str, access: &'static str) -> Self {
        start();
        let slot = Slot::take();
        let stack = Self { world: World::new(), name: name.into(), access, _slot: slot };
        stack.describe(services);
        stack
    }

    /// Describes other services than before.
    pub(crate) fn describe(&self, services: &str) {
        self.describe_with("", services);
    }

    /// The same, with more keys of the stack, each with its line end.
    pub(crate) fn describe_with(&self, keys: &str, services: &str) {
        let (name, access) = (&self.name, self.access);
        self.world.describe(&format!(
            "{keys}stack: {name}\nregion: us-east-1\n{access}\
             security_group: {{name: {name}, ssh_from: 127.0.0.0/8}}\nservices:\n{services}"
        ));
    }

    /// The command with this stack's credentials.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command
            .env("AWS_ENDPOINT_URL", format!("http://{API}"))
            .env("AWS_ACCESS_KEY_ID", &self.name)
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-testbed")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let ran = Ran::of(self.command(args).output().unwrap());
        assert!(!(ran.stdout.clone() + &ran.stderr).contains("secret-of-the-testbed"), "{ran:?}");
        ran
    }

    /// Begins a command whose output can be read while it runs.
    pub(crate) fn begin(&self, args: &[&str]) -> std::process::Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Switches faults on or off.
    pub(crate) fn faults(&self, faults: &serde_json::Value) {
        let answer =
            http("PUT", &format!("/testbed/faults/{}", self.name), "", &faults.to_string());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Calls the API as this stack's user would, and returns the answer's text.
    pub(crate) fn call(&self, query: &str) -> String {
        self.call_in("us-east-1", query)
    }

    /// Calls the API of a region.
    pub(crate) fn call_in(&self, region: &str, query: &str) -> String {
        let key = &self.name;
        let header = format!(
            "Host: ec2.{region}.amazonaws.com\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={key}/20200101/{region}/ec2/aws4_request\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n"
        );
        http("POST", "/", &header, &format!("{query}&Version=2016-11-15"))
    }

    /// The ids of the stack's instances that are not on their way out.
    pub(crate) fn instances(&self) -> Vec<String> {
        let text = self.call(&format!(
            "Action=DescribeInstances&Filter.1.Name=tag:eventpost:stack&Filter.1.Value.1={}\
             &Filter.2.Name=instance-state-name&Filter.2.Value.1=pending&Filter.2.Value.2=running",
            self.name
        ));
        elements(&text, "instanceId")
    }

    /// Where a service of the stack answers, by its place in the description.
    pub(crate) fn address(&self, service: usize) -> SocketAddr {
        answers_at(&self.status()[service])
    }

    /// The instance that a service runs on.
    pub(crate) fn instance(&self, service: usize) -> String {
        self.status()[service]["instance"].as_str().unwrap().to_owned()
    }

    /// The token that `up` made, as the header of a request.
    pub(crate) fn authorization(&self) -> String {
        let file = format!("state/eventpost/keys/{}.token", self.name);
        let token = fs::read_to_string(self.world.path().join(file)).unwrap();
        format!("Authorization: Bearer {}\r\n", token.trim())
    }

    /// A home folder whose user knows an instance by the key that it has.
    pub(crate) fn home_that_knows(&self, id: &str, address: &str) -> PathBuf {
        let home = self.world.path().join("home");
        fs::create_dir_all(home.join(".ssh")).unwrap();
        let public = on_host(id, &["cut", "-d ", "-f1,2", "/etc/ssh/ssh_host_ed25519_key.pub"]);
        fs::write(home.join(".ssh/known_hosts"), format!("{address} {public}")).unwrap();
        home
    }

    /// How many resources a service says that it holds.
    pub(crate) fn resources(&self, service: usize) -> u64 {
        self.status()[service]["resources"].as_u64().unwrap()
    }

    /// Every row of `status`.
    pub(crate) fn status(&self) -> Vec<serde_json::Value> {
        self.run(&["status", "--output", "json"]).json().as_array().unwrap().clone()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.faults(&serde_json::json!({}));
        for id in self.instances() {
            self.call(&format!("Action=TerminateInstances&InstanceId.1={id}"));
        }
        let tagged = format!("Filter.1.Name=tag:eventpost:stack&Filter.1.Value.1={}", self.name);
        let addresses = self.call(&format!("Action=DescribeAddresses&{tagged}"));
        for id in elements(&addresses, "allocationId") {
            self.call(&format!("Action=ReleaseAddress&AllocationId={id}"));
        }
    }
}

/// The right to have hosts. Hosts boot and install in seconds where only a few do so at once.
struct Slot;

static FREE_SLOTS: Mutex<usize> = Mutex::new(2);
static SLOT_FREED: Condvar = Condvar::new();

impl Slot {
    fn take() -> Self {
        let free = FREE_SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
        let free = SLOT_FREED.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *FREE_SLOTS.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        SLOT_FREED.notify_one();
    }
}

/// The actions of the API that were called with an access key.
pub(crate) fn calls_with(key: &str) -> Vec<String> {
    let answer = http("GET", &format!("/testbed/calls/{key}"), "", "");
    let (begin, end) = (answer.find('[').unwrap(), answer.rfind(']').unwrap());
    serde_json::from_str(&answer[begin..=end]).unwrap()
}

/// Where the service of a row of `status` answers.
pub(crate) fn answers_at(row: &serde_json::Value) -> SocketAddr {
    format!("{}:80", row["address"].as_str().unwrap()).parse().unwrap()
}

/// The contents of every element of a name.
pub(crate) fn elements(xml: &str, name: &str) -> Vec<String> {
    let open = format!("<{name}>");
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once("</")?.0.to_owned())).collect()
}

/// Runs a program on a host, as somebody with a console there would.
pub(crate) fn on_host(instance: &str, args: &[&str]) -> String {
    let output = docker().args(["exec", instance]).args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The testbed's own Docker.
pub(crate) fn docker() -> Command {
    let state = std::env::var("EVENTPOST_TESTBED_STATE");
    let state = state.unwrap_or_else(|_| "/var/tmp/eventpost-testbed".into());
    let mut docker = Command::new("docker");
    docker.env("DOCKER_HOST", format!("unix://{state}/docker.sock"));
    docker
}

fn start() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed/up");
        let output = Command::new(up).output().unwrap();
        assert!(
            output.status.success(),
            "the testbed does not start: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    });
}

fn http(method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(API).unwrap();
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.0\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
