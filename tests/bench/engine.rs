//! What the generator does, seen from a server that records it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::recorder::{Answer, Recorder};
use super::{bench, prepare};
use crate::harness::cli::{Ran, World};
use crate::harness::{Signal, signal};

#[test]
fn a_throughput_is_never_exceeded() {
    let (world, _dir, service) = prepare();
    let load = ["throughput=100", "concurrency=5", "iterations=null", "hold-for=2s"];
    let options: Vec<_> =
        load.iter().flat_map(|change| ["-o".into(), format!("execution.0.{change}")]).collect();
    let mut more: Vec<_> = options.iter().map(String::as_str).collect();
    more.extend(["--output", "json"]);
    let result = bench(&world, &service, &more).succeeded().json();
    let requests = result["executions"][0]["requests"].as_u64().unwrap();
    assert!((1..=201).contains(&requests), "{requests}");
    assert_eq!(result["executions"][0]["errors"], 0);
}

/// A load on a recorder: `execution` and `requests` as the script has them.
fn script(recorder: &Recorder, execution: &str, requests: &str) -> String {
    format!(
        "execution:\n- {{scenario: s, {execution}}}\nscenarios:\n  s:\n    default-address: \
         http://{}\n    requests: [{requests}]\n",
        recorder.address
    )
}

fn run(script: &str, more: &[&str]) -> (World, Ran) {
    let world = World::new();
    std::fs::write(world.path().join("load.yml"), script).unwrap();
    let mut args = vec!["bench", "load.yml", "--as-written"];
    args.extend(more);
    let ran = world.run(&args);
    (world, ran)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn an_open_loop_sends_what_is_due_and_counts_the_wait() {
    // Each answer takes at least 50 ms, and one user sends one request at a time: of
    // a hundred that are due in a second, it gets through twenty at most.
    let recorder = Recorder::start(|_| Answer::ok("x").after(Duration::from_millis(50)));
    let script = script(&recorder, "hold-for: 1s, concurrency: 1", "/slow");
    let (_world, ran) = run(&script, &["--rate", "s=100", "--output", "json"]);
    let result = ran.succeeded().json();
    let execution = &result["executions"][0];
    let [requests, late, dropped] =
        ["requests", "late", "dropped"].map(|key| execution[key].as_u64().unwrap());
    assert!((1..=20).contains(&requests), "{execution}");
    assert_eq!(requests + dropped, 100, "{execution}");
    assert!(late > 0, "{execution}");
    assert_eq!(recorder.requests().len() as u64, requests);
    let label = &execution["labels"][0];
    let (service, response) = (&label["service"], &label["max_ms"]);
    assert!(number(&service["p50_ms"]) >= 49.0, "{label}");
    // The last one that was sent was due long before.
    assert!(number(response) > 2.0 * number(&service["max_ms"]), "{label}");
}

#[test]
fn a_criterion_that_is_met_fails_the_command() {
    let recorder = Recorder::start(|request| match request.path.as_str() {
        "/bad" => Answer::status(503),
        _ => Answer::ok("x"),
    });
    let mut text = script(&recorder, "iterations: 4", "/good, /bad");
    text += "reporting:\n- module: passfail\n  criteria:\n  - fail of /good>0%\n  \
             - too many failures: fail>25%\n";
    text = text.replace("  - too many", "  - 'too many").replace("25%\n", "25%'\n");
    let (_world, ran) = run(&text, &[]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let row = |text: &str| ran.stdout.lines().find(|line| line.starts_with(text)).unwrap();
    assert!(row("fail of /good>0%").contains("passed"), "{ran:?}");
    assert!(row("too many failures").contains("50.00%"), "{ran:?}");
    assert!(row("too many failures").contains("failed at"), "{ran:?}");
}

#[test]
fn a_criterion_can_stop_the_load() {
    let recorder = Recorder::start(|_| Answer::status(500));
    let mut text = script(&recorder, "hold-for: 10h, throughput: 20", "/bad");
    text += "reporting:\n- module: passfail\n  criteria: ['rc5??>0 for 2s']\n";
    let began = Instant::now();
    let (_world, ran) = run(&text, &["--output", "json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    // Hours before its end.
    assert!(began.elapsed() < Duration::from_secs(3600));
    let verdict = &ran.json()["criteria"][0];
    assert_eq!(verdict["failed"], true);
    assert!(number(&verdict["met_at"]) >= 1.9, "{verdict}");
}

#[test]
fn connections_are_kept_or_not_as_the_script_says() {
    let recorder = Recorder::start(|_| Answer::ok("x"));
    let text = script(&recorder, "iterations: 5, concurrency: 2", "/a, /b");
    run(&text, &[]).1.succeeded();
    assert_eq!((recorder.requests().len(), recorder.connections()), (20, 2));
    let text = text.replace("    requests:", "    keepalive: false\n    requests:");
    run(&text, &[]).1.succeeded();
    assert_eq!((recorder.requests().len(), recorder.connections()), (40, 22));
}

#[test]
fn a_request_that_takes_too_long_has_failed_and_the_next_gets_its_own_answer() {
    let recorder = Recorder::start(|request| match request.path.as_str() {
        "/slow" => Answer::ok("late").after(Duration::from_millis(400)),
        _ => Answer::ok("prompt"),
    });
    let requests = "{url: /slow, timeout: 100ms}, {url: /fast, assert: [prompt]}";
    let (_world, ran) = run(&script(&recorder, "iterations: 3", requests), &["--output", "json"]);
    let labels = ran.succeeded().json()["executions"][0]["labels"].clone();
    assert_eq!(labels[0]["problems"], serde_json::json!([{"what": "timed out", "count": 3}]));
    assert_eq!(labels[1]["errors"], 0, "{labels}");
}

#[test]
fn results_are_written_and_compared() {
    let recorder = Recorder::start(|_| Answer::ok("x"));
    let text = script(&recorder, "iterations: 3", "{url: /a, label: 'a, \"quoted\"'}");
    let (world, ran) = run(&text, &["--output", "json", "--csv", "result.csv"]);
    std::fs::write(world.path().join("before.json"), ran.succeeded().stdout).unwrap();
    let csv = std::fs::read_to_string(world.path().join("result.csv")).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    assert!(lines[0].starts_with("from,scenario,method,label,requests,errors"), "{csv}");
    assert!(lines[1].starts_with("laptop,s,GET,\"a, \"\"quoted\"\"\",3,0,3,"), "{csv}");

    let args = ["bench", "load.yml", "--as-written", "--baseline", "before.json"];
    let compared = world.run(&args).succeeded().stdout;
    let table = compared.split("\n\n").last().unwrap();
    assert!(table.starts_with("FROM    SCENARIO  LABEL"), "{compared}");
    assert_eq!(table.lines().count(), 4, "throughput, p50 and p99: {compared}");

    let sent = recorder.requests().len();
    for (option, file, code) in [("--csv", "no/result.csv", 1), ("--baseline", "load.yml", 2)] {
        let refused = world.run(&["bench", "load.yml", "--as-written", option, file]);
        assert_eq!(refused.code, Some(code), "{refused:?}");
        assert!(refused.stderr.contains(file), "{refused:?}");
    }
    assert_eq!(recorder.requests().len(), sent, "nothing was sent before the refusal");
}

#[test]
fn users_that_can_send_nothing_leave_room_for_an_interrupt() {
    let recorder = Recorder::start(|_| Answer::ok("x"));
    let text = script(&recorder, "iterations: 4000000000, concurrency: 8", "'/${nothing}'");
    let world = World::new();
    std::fs::write(world.path().join("load.yml"), text).unwrap();
    let mut command = world.command(&["bench", "load.yml", "--as-written"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    signal(child.id(), Signal::INT);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stdout.contains("cannot be sent: ${nothing} has no value"), "{ran:?}");
    assert!(recorder.requests().is_empty());
}
