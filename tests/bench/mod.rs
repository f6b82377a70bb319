//! The load test against the real services.

mod engine;
mod page;
mod recorder;
mod taurus;

use std::fs;
use std::process::Stdio;

use crate::harness::cli::{Ran, World};
use crate::harness::{EVENT, Service, Signal, signal, temp_dir, wait_for};

/// Two users, each five times: the list, one of its events, and an event made, changed and removed.
const SCRIPT: &str = r#"
execution:
- scenario: all
  concurrency: 2
  iterations: 5
scenarios:
  all:
    default-address: http://127.0.0.1:1
    requests:
    - url: /events
      label: list
      extract-regexp:
        any: {regexp: '"id": "([0-9a-f]{24})", "title": "[^~]', match-no: 0, default: none}
    - {url: '/events/${any}', label: one}
    - url: /events
      label: make
      method: POST
      body-file: event.json
      extract-regexp: {own: '"id": "([0-9a-f]{24})"'}
    - {url: '/events/${own}', label: change, method: PUT, body-file: event.json}
    - {url: '/events/${own}', label: remove, method: DELETE}
"#;

/// A folder with the script, and a service with one event.
fn prepare() -> (World, tempfile::TempDir, Service) {
    let (world, dir) = (World::new(), temp_dir());
    let service = Service::start("events", dir.path());
    crate::harness::http::send(service.address, "POST", "/events", Some(EVENT));
    fs::write(world.path().join("load.yml"), SCRIPT).unwrap();
    fs::write(world.path().join("event.json"), EVENT.replace("\"t\"", "\"~\"")).unwrap();
    (world, dir, service)
}

fn bench(world: &World, service: &Service, more: &[&str]) -> Ran {
    let url = format!("events=http://{}", service.address);
    let mut args = vec!["bench", "load.yml", "--url", &url];
    args.extend(more);
    world.run(&args)
}

#[test]
fn every_request_is_sent_and_counted_on_both_sides() {
    let (world, _dir, service) = prepare();
    let result = bench(&world, &service, &["--output", "json"]).succeeded().json();
    let execution = &result["executions"][0];
    assert_eq!((&execution["requests"], &execution["errors"]), (&50.into(), &0.into()));
    assert_eq!(execution["url"], format!("http://{}", service.address));
    for (n, label) in ["list", "one", "make", "change", "remove"].iter().enumerate() {
        let row = &execution["labels"][n];
        assert_eq!((&row["label"], &row["requests"]), (&(*label).into(), &10.into()));
        let (median, most) = (row["p50_ms"].as_f64().unwrap(), row["max_ms"].as_f64().unwrap());
        assert!(0.0 < median && median <= most, "{row}");
    }
    for (labels, count) in [
        ("route=\"list\",method=\"GET\",status=\"200\"", 10),
        ("route=\"item\",method=\"GET\",status=\"200\"", 10),
        ("route=\"list\",method=\"POST\",status=\"201\"", 11),
        ("route=\"item\",method=\"PUT\",status=\"200\"", 10),
        ("route=\"item\",method=\"DELETE\",status=\"200\"", 10),
    ] {
        let sample = format!("eventpost_http_requests_total{{{labels}}}");
        assert_eq!(service.metric(&sample), count, "{labels}");
    }
    assert_eq!(service.metric("eventpost_resources"), 1);
}

#[test]
fn what_goes_wrong_is_counted_by_its_kind() {
    let (world, _dir, service) = prepare();
    let refused = bench(&world, &service, &["-o", "scenarios.all.requests.1.url=/events/none"]);
    let row = refused.succeeded().stdout;
    assert!(row.contains("status 404 (10)"), "{row}");
    let gone = "events=http://127.0.0.1:1";
    let ran = world.run(&["bench", "load.yml", "--url", gone]).succeeded();
    assert!(ran.stdout.contains("cannot connect"), "{}", ran.stdout);
}

#[test]
fn a_script_that_is_wrong_is_refused_with_its_lines_before_anything_is_sent() {
    let (world, _dir, service) = prepare();
    let wrong = SCRIPT.replace("iterations: 5", "iterations: 5\n  locations: 3");
    fs::write(world.path().join("load.yml"), wrong).unwrap();
    let ran = bench(&world, &service, &[]);
    assert_eq!(ran.code, Some(78), "{ran:?}");
    assert!(ran.stderr.contains("load.yml: line 6: execution[0].locations: is not supported"));
    let list = "eventpost_http_requests_total{route=\"list\",method=\"GET\",status=\"200\"}";
    assert_eq!(service.metric(list), 0);
}

#[test]
fn an_interrupted_load_test_reports_its_result() {
    let (world, _dir, service) = prepare();
    let url = format!("events=http://{}", service.address);
    let args = ["bench", "load.yml", "--url", &url, "-o", "execution.0.iterations=4000000000"];
    let child = world.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sample = "eventpost_http_requests_total{route=\"item\",method=\"PUT\",status=\"200\"}";
    wait_for("the load", || (service.metric(sample) > 0).then_some(()));
    signal(child.id(), Signal::INT);
    let output = child.wait_with_output().unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stderr.contains("interrupted: the results cover the time until then"), "{ran:?}");
    let changed = ran.stdout.lines().find(|line| line.contains("change")).unwrap();
    assert!(!changed.contains(" 0.00 ms"), "what was measured until then: {ran:?}");
}

#[test]
fn the_built_in_script_finds_the_local_services_and_fails_in_nothing() {
    let world = World::new();
    world.up().succeeded();
    let mut args = vec!["bench".to_owned(), "--local".into(), "--output".into(), "json".into()];
    for execution in 0..4 {
        for change in ["delay=0s", "ramp-up=1s", "steps=2", "hold-for=1s"] {
            args.extend(["-o".into(), format!("execution.{execution}.{change}")]);
        }
    }
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let result = world.run(&args).succeeded().json();
    assert_eq!(result["executions"].as_array().unwrap().len(), 4);
    for execution in result["executions"].as_array().unwrap() {
        assert!(execution["requests"].as_u64().unwrap() > 0, "{execution}");
        assert_eq!(execution["errors"], 0, "{execution}");
    }
    let labels = result["executions"].as_array().unwrap().iter().map(|it| &it["labels"]);
    assert_eq!(labels.map(|labels| labels.as_array().unwrap().len()).sum::<usize>(), 10);
}
