//! Logging in to existing hosts as they are: which keys of theirs are known, and who may log in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::ONE;
use super::existing::Existing;
use crate::harness::cli::Ran;
use crate::harness::region::on_host;
use crate::harness::wait_for;

impl Existing {
    /// A host whose key this user knows.
    fn known(name: &str) -> Self {
        let host = Self::launch(name);
        host.stack.home_that_knows(&host.id, &host.address);
        host
    }

    /// Runs a command as a user of the host.
    fn run_as(&self, user: &str, args: &[&str]) -> Ran {
        let key = self.stack.world.path().join("state/eventpost/keys").join(&self.stack.name);
        self.run_with(&key, user, args, "")
    }

    /// The same with a key, and with an agent at a socket.
    fn run_with(&self, key: &Path, user: &str, args: &[&str], agent: &str) -> Ran {
        self.stack.world.describe(&format!(
            "stack: other\naccess: open\nssh: {{key: {}, user: {user}}}\nservices:\n{ONE}",
            key.display()
        ));
        let host = format!("events={}", self.address);
        let mut command = self.stack.world.command(&[args, &["--hosts", &host]].concat());
        Ran::of(command.env("HOME", &self.home).env("SSH_AUTH_SOCK", agent).output().unwrap())
    }

    /// Makes a key that logs in to the host.
    fn key(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.stack.world.path().join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.arg("-q").args(arguments).arg("-f").arg(&path);
        assert!(keygen.status().unwrap().success());
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        self.console(&format!("echo '{}' >>/home/ubuntu/.ssh/authorized_keys", public.trim()));
        path
    }

    fn console(&self, script: &str) -> String {
        on_host(&self.id, &["sh", "-ec", script])
    }

    fn know(&self, lines: &str) {
        fs::write(self.home.join(".ssh/known_hosts"), lines).unwrap();
    }
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_host_is_known_by_any_of_its_keys_and_a_broken_line_is_named() {
    let host = Existing::known("kinds");
    for (kind, bits) in [("ecdsa", 256), ("rsa", 2048)] {
        // The host has its ed25519 key, too, which clients prefer.
        let file = format!("/etc/ssh/ssh_host_{kind}_key");
        let public = host.console(&format!(
            "rm -f {file}; ssh-keygen -q -t {kind} -b {bits} -N '' -f {file}; systemctl restart ssh; \
             cut -d' ' -f1,2 {file}.pub"
        ));
        host.know(&format!("a broken line\n{} {public}", host.address));
        let plan = host.run_as("ubuntu", &["plan"]);
        assert_eq!(plan.code, Some(0), "{kind}: {plan:?}");
    }
    host.know("# known hosts\na broken line\n");
    let refused = host.run_as("ubuntu", &["plan"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("Line 2 of "), "{refused:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_refusal_is_the_answer_and_root_needs_no_sudo() {
    let host = Existing::known("logins");
    let refused = host.run_as("mallory", &["plan"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("login as mallory@"), "{refused:?}");
    // Hosts count refusals, and shut out whoever has too many.
    let tries = wait_for("the host to log it", || {
        let log =
            host.console("journalctl -u ssh --no-pager | grep -c 'Invalid user mallory' || true");
        log.trim().parse::<u32>().ok().filter(|count| *count > 0)
    });
    assert_eq!(tries, 1);

    host.console(
        "cat /home/ubuntu/.ssh/authorized_keys >/root/.ssh/authorized_keys; \
         mv /usr/bin/sudo /usr/bin/sudo.away",
    );
    host.stack.world.change_program("events");
    host.run_as("root", &["deploy"]).succeeded();
    let status = host.run_as("root", &["status", "--output", "json"]).succeeded().json();
    assert_eq!(status[0]["container"], "running", "{status}");
    host.run_as("root", &["rollback"]).succeeded();
}

/// An agent that ends with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn keys_in_pem_and_in_an_agent_log_in_and_a_passphrase_needs_a_terminal() {
    let host = Existing::known("keys");
    for (name, arguments) in [
        ("rsa", ["-t", "rsa", "-m", "PEM", "-N", ""]),
        ("ecdsa", ["-t", "ecdsa", "-m", "PKCS8", "-N", ""]),
        ("openssh", ["-t", "rsa", "-b", "3072", "-N", ""]),
    ] {
        let key = host.key(name, &arguments);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
        let plan = host.run_with(&key, "ubuntu", &["plan"], "");
        assert_eq!(plan.code, Some(0), "{name}: {plan:?}");
    }
    let protected = host.key("protected", &["-t", "ed25519", "-N", "correct horse"]);
    let refused = host.run_with(&protected, "ubuntu", &["plan"], "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("add it to an agent with `ssh-add"), "{refused:?}");

    let socket = host.stack.world.path().join("agent");
    let _agent = Agent(Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).spawn().unwrap());
    wait_for("the agent", || socket.exists().then_some(()));
    let socket = socket.to_str().unwrap();
    let open = host.stack.world.path().join("open");
    fs::copy(&protected, &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o600)).unwrap();
    let change = ["-q", "-p", "-P", "correct horse", "-N", "", "-f"];
    assert!(Command::new("ssh-keygen").args(change).arg(&open).status().unwrap().success());
    let mut add = Command::new("ssh-add");
    assert!(add.env("SSH_AUTH_SOCK", socket).arg("-q").arg(&open).status().unwrap().success());
    for key in [&protected, &protected.with_extension("pub")] {
        let plan = host.run_with(key, "ubuntu", &["plan"], socket);
        assert_eq!(plan.code, Some(0), "{key:?}: {plan:?}");
    }
    let refused = host.run_with(&protected.with_extension("pub"), "ubuntu", &["plan"], "");
    assert!(refused.stderr.contains("no agent has its private half"), "{refused:?}");
}
