//! Services that keep their addresses when their hosts are replaced.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ONE;
use crate::harness::EVENT;
use crate::harness::http::{Answer, Client};
use crate::harness::region::{Stack, answers_at, elements, on_host};

/// An answer that takes longer is one that its user gives up on.
const SLOW: Duration = Duration::from_secs(3);

/// What clients saw that used a service the whole time.
#[derive(Debug, Default)]
struct Seen {
    answered: usize,
    /// Requests that were refused with 503 and `Retry-After`.
    refused: usize,
    /// Requests without an answer, and why.
    failed: Vec<String>,
    slow: usize,
    longest: Duration,
}

impl Seen {
    /// Prints a row of the table of scripts/bench-replace.
    #[expect(clippy::print_stdout, reason = "the script reads it")]
    fn print(&self, during: &str, requests: &str) {
        let Self { answered, refused, failed, slow, longest } = self;
        let (failed, longest) = (failed.len(), longest.as_secs_f64());
        println!(
            "| {during} | {requests} | {answered} | {refused} | {failed} | {slow} | {longest:.2} s |"
        );
    }
}

/// A client that sends a request again if the connection that it had kept turns out to be closed, as
/// every client of HTTP does, or that opens a connection for each one.
struct User {
    server: SocketAddr,
    keeps: bool,
    kept: Option<Client>,
}

impl User {
    fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        if let Some(mut client) = self.kept.take()
            && let Ok(answer) = client.send(method, path, body)
        {
            self.keep(client, &answer);
            return Ok(answer);
        }
        let mut client = Client::connect(self.server)?;
        let answer = client.send(method, path, body)?;
        self.keep(client, &answer);
        Ok(answer)
    }

    fn keep(&mut self, client: Client, answer: &Answer) {
        if self.keeps && answer.header("connection") != Some("close") {
            self.kept = Some(client);
        }
    }
}

/// Clients that send one request after the other until they are told to stop.
struct Users {
    stop: Arc<AtomicBool>,
    threads: Vec<(&'static str, JoinHandle<Seen>)>,
}

impl Users {
    fn of(server: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let kinds = [("GET", true), ("GET", false), ("GET", false), ("POST", false)];
        let threads = kinds.into_iter().map(|(method, keeps)| {
            let stop = Arc::clone(&stop);
            (method, thread::spawn(move || use_until(&stop, server, method, keeps)))
        });
        Self { threads: threads.collect(), stop }
    }

    /// What they saw, of reads and of writes.
    fn stop(self) -> (Seen, Seen) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut reads, mut writes) = (Seen::default(), Seen::default());
        for (method, thread) in self.threads {
            let of_thread = thread.join().unwrap();
            let all = if method == "GET" { &mut reads } else { &mut writes };
            all.answered += of_thread.answered;
            all.refused += of_thread.refused;
            all.failed.extend(of_thread.failed);
            all.slow += of_thread.slow;
            all.longest = all.longest.max(of_thread.longest);
        }
        (reads, writes)
    }
}

fn use_until(stop: &AtomicBool, server: SocketAddr, method: &str, keeps: bool) -> Seen {
    let mut user = User { server, keeps, kept: None };
    let (path, body) = match method {
        "GET" => ("/events?limit=1", ""),
        _ => ("/events", EVENT),
    };
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        match user.send(method, path, body) {
            Ok(answer) if matches!(answer.status, 200 | 201) => seen.answered += 1,
            Ok(answer) if answer.status == 503 && answer.header("retry-after").is_some() => {
                seen.refused += 1;
            }
            Ok(answer) => seen.failed.push(format!("{answer:?}")),
            Err(error) => seen.failed.push(error.to_string()),
        }
        seen.longest = seen.longest.max(begin.elapsed());
        seen.slow += usize::from(begin.elapsed() > SLOW);
        thread::sleep(Duration::from_millis(5));
    }
    seen
}

fn elastic(name: &str) -> Stack {
    let stack = Stack::new(name, ONE);
    stack.describe_with("address: elastic\n", ONE);
    stack
}

/// The addresses of a stack in the account.
fn addresses(stack: &Stack) -> Vec<String> {
    let text = stack.call(&format!(
        "Action=DescribeAddresses&Filter.1.Name=tag:eventpost:stack&Filter.1.Value.1={}",
        stack.name
    ));
    elements(&text, "publicIp")
}

/// The operations of a plan that are about addresses.
fn planned(stack: &Stack, args: &[&str]) -> Vec<(String, String)> {
    let plan = stack.run(&[args, &["--output", "json"]].concat()).json();
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let all = plan["operations"].as_array().unwrap().iter();
    let all = all.map(|it| (text(it, "action"), text(it, "target")));
    all.filter(|(action, _)| matches!(action.as_str(), "allocate" | "move")).collect()
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn an_address_stays_and_no_request_to_it_is_lost_when_its_host_is_replaced() {
    let stack = elastic("address");
    stack.faults(&json!({"host": {"elastic_ips": 0}}));
    let refused = stack.run(&["plan"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("the account has"), "{refused:?}");
    assert!(refused.stderr.contains("Release an address"), "{refused:?}");
    stack.faults(&json!({}));
    assert_eq!(planned(&stack, &["plan"]), [("allocate".into(), "Elastic IP address".into())]);
    assert!(addresses(&stack).is_empty(), "a plan allocates nothing");

    let rows = stack.run(&["up", "--output", "json"]).succeeded().json();
    let address = addresses(&stack).remove(0);
    assert!(rows[0]["host"].as_str().unwrap().ends_with(&address), "{rows}");
    let first = stack.status().remove(0);
    assert_eq!((&first["address"], &first["drift"]), (&json!(address), &json!([])), "{first}");

    let before = stack.resources(0);
    assert_eq!(planned(&stack, &["plan"]), [("move".into(), address.clone())]);
    let users = Users::of(answers_at(&first));
    stack.run(&["up"]).succeeded();
    let (reads, writes) = users.stop();
    reads.print("`up`", "reads");
    writes.print("`up`", "writes");
    let second = stack.status().remove(0);
    assert_eq!((&second["address"], &second["drift"]), (&json!(address), &json!([])), "{second}");
    assert_ne!(second["instance"], first["instance"]);
    assert_eq!(stack.instances().len(), 1);
    assert!(reads.failed.is_empty() && reads.refused == 0, "{reads:?}");
    assert!(writes.failed.is_empty() && writes.refused > 0, "{writes:?}");
    assert_eq!(stack.resources(0), before + writes.answered as u64, "answered writes are kept");

    a_deploy_corrects_where_an_address_points(&stack, &address);
    down_releases_addresses_unless_they_are_kept(&stack, &address);
}

fn a_deploy_corrects_where_an_address_points(stack: &Stack, address: &str) {
    let users = Users::of(answers_at(&stack.status()[0]));
    stack.describe_with("address: elastic\n", "  events: {build: events, env: {A: b}}\n");
    stack.run(&["deploy"]).succeeded();
    let (reads, writes) = users.stop();
    reads.print("`deploy`", "reads");
    writes.print("`deploy`", "writes");
    assert!(reads.failed.is_empty() && writes.failed.is_empty(), "{reads:?} {writes:?}");

    let text = stack.call(&format!("Action=DescribeAddresses&PublicIp.1={address}"));
    let association = elements(&text, "associationId").remove(0);
    stack.call(&format!("Action=DisassociateAddress&AssociationId={association}"));
    let drift = stack.status()[0]["drift"].to_string();
    assert!(drift.contains(&format!("{address} points to no host")), "{drift}");
    assert_eq!(planned(stack, &["deploy", "--dry-run"]), [("move".into(), address.into())]);
    stack.run(&["deploy"]).succeeded();
    let row = stack.status().remove(0);
    assert_eq!((&row["address"], &row["drift"]), (&json!(address), &json!([])), "{row}");
}

fn down_releases_addresses_unless_they_are_kept(stack: &Stack, address: &str) {
    let asked = stack.run(&["down"]);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert!(asked.stderr.contains(&format!("{address}  events")), "{asked:?}");
    stack.run(&["down", "--yes", "--keep-address"]).succeeded();
    assert_eq!(addresses(stack), [address]);
    let asked = stack.run(&["down"]);
    assert!(asked.code == Some(2) && asked.stderr.contains("will point nowhere"), "{asked:?}");
    let rows = stack.run(&["down", "--yes", "--output", "json"]).succeeded().json();
    assert_eq!(rows[0]["outcome"], "released", "{rows}");
    assert!(addresses(stack).is_empty());
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_service_goes_on_if_its_address_cannot_be_moved() {
    let stack = elastic("address-stuck");
    stack.run(&["up"]).succeeded();
    let (first, address) = (stack.status().remove(0), addresses(&stack).remove(0));
    stack
        .faults(&json!({"api": [{"action": "AssociateAddress", "code": "UnauthorizedOperation"}]}));
    let failed = stack.run(&["up"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    for part in ["accepts writes", &address, "UnauthorizedOperation", "`eventpost deploy`"] {
        assert!(failed.stderr.contains(part), "{part}: {failed:?}");
    }
    // The address points to the old host, which still answers reads once it goes on.
    let old = first["instance"].as_str().unwrap();
    crate::harness::wait_for("the old service to go on", || {
        let rules = on_host(old, &["iptables", "-t", "raw", "-S"]);
        (!rules.contains("DROP")).then_some(())
    });
    let row = stack.status().remove(0);
    assert!(row["drift"].to_string().contains(&format!("{address} points to {old}")), "{row}");
    stack.faults(&json!({}));
    stack.run(&["deploy"]).succeeded();
    assert_eq!(stack.status()[0]["address"], json!(address));
    stack.run(&["down", "--yes"]).succeeded();
}
