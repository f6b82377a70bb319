//! The same scripts under Taurus with `JMeter` and under `eventpost bench`: both must send
//! the same requests and say the same of them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::recorder::{Answer, Recorder, Request};
use crate::harness::cli::World;

/// Requests and failures by label.
type Counts = BTreeMap<String, (u64, u64)>;

/// Everything that both know: values from answers in every way, and what is expected of
/// them. `[[…]]` is the recorder's address.
const FEATURES: &str = r#"
execution:
- {scenario: first, concurrency: 2, iterations: 3}
- {scenario: second, concurrency: 1, iterations: 2}
scenarios:
  first:
    default-address: http://[[address]]
    timeout: 5s
    headers: {X-Test: 'first ${word}', Content-Type: text/plain}
    requests:
    - url: /things
      label: list
      extract-regexp:
        second: {regexp: '"id": (\d+)', match-no: 2}
        both: {regexp: '"id": (\d)(\d)', template: '<$2$-$1$>', match-no: 1}
        whole: {regexp: '"id": \d+', template: 0}
        short: '"word": "([a-z]+)"'
        missing: {regexp: 'nothing (like) it'}
        preset: {regexp: 'nothing (like) it', default: preset}
        far: {regexp: '"id": (\d+)', match-no: 9, default: far}
        kind: {regexp: 'X-Kind: (\w+)', subject: headers}
        code: {regexp: '(2..)', subject: http-code}
      extract-jsonpath:
        word: $.word
        deep: {jsonpath: '$.things[1].id', match-no: 1}
        all: {jsonpath: '$.things[*].id', match-no: 3}
        number: $.number
        flag: $.flag
        list: $.list
        none: {jsonpath: $.not.there, default: nowhere}
        unset: $.not.there
    - url: /seen/${second}/${short}/${missing}/${preset}/${far}/${kind}/${code}
      label: from regular expressions
    - url: /seen/${word}/${deep}/${all}/${number}/${flag}/${none}/${unset}
      label: from JSON paths
    - {url: '/seen/${unknown}', label: without a value}
    - url: /post
      label: body
      method: POST
      body: 'both ${both}, whole ${whole}, list ${list}'
      think-time: 10ms
    - {url: /post, label: file, method: PUT, body-file: body.txt}
    - {url: /post, label: nothing, method: DELETE}
    - {url: /bad, label: refused}
    - url: /bad
      label: expected
      assert: [{contains: ['503'], subject: http-code, assume-success: true}]
    - {url: /things, label: asserted, assert: ['"word": "[a-z]+"', things]}
    - {url: /things, label: not there, assert: [absent]}
    - {url: /things, label: there, assert: [{contains: [word], not: true}]}
    - {url: /things, label: literal, assert: [{contains: '"id": .', regexp: false}]}
    - {url: /things, label: headers, assert: [{contains: ['X-Kind: [a-z]+'], subject: headers}]}
    - {url: /elsewhere, label: moved, follow-redirects: false}
    - {url: /slow, label: slow, timeout: 300ms}
  second:
    default-address: http://[[address]]
    keepalive: false
    headers: {X-Test: second}
    requests:
    - {url: '/things', label: any, extract-regexp: {id: {regexp: '"id": (\d+)', match-no: 0}}}
    - {url: '/any?id=${id}&x=%20y', label: query, headers: {X-Test: own}}
"#;

/// What the recorder knows.
const THINGS: &str = r#"{"things": [{"id": 12}, {"id": 34}, {"id": 56}], "word": "hello",
"number": 7, "flag": true, "list": ["a", 1]}"#;

fn answer(request: &Request) -> Answer {
    match request.path.as_str() {
        "/things" => Answer::ok(THINGS).header("X-Kind: thing"),
        "/bad" => Answer::status(503),
        "/elsewhere" => Answer::status(302).header("Location: /things"),
        "/slow" => Answer::ok("late").after(Duration::from_secs(2)),
        _ => Answer::ok("seen"),
    }
}

/// Taurus, which `testbed/taurus` installs.
fn taurus() -> PathBuf {
    env::var_os("EVENTPOST_TAURUS").map(PathBuf::from).expect(
        "EVENTPOST_TAURUS is not set: run scripts/test, or EVENTPOST_TAURUS=$(testbed/taurus)",
    )
}

/// Runs a script under Taurus.
fn bzt(script: &Path, more: &[String]) -> Counts {
    let home = tempfile::tempdir().unwrap();
    let artifacts = home.path().join("artifacts");
    let option = |text: String| ["-o".to_owned(), text];
    let jmeter = taurus().join("jmeter");
    let output = Command::new(taurus().join("venv/bin/bzt"))
        .arg(script)
        .args(option(format!("modules.jmeter.path={}", jmeter.display())))
        .args(option(format!("settings.artifacts-dir={}", artifacts.display())))
        .args(option("modules.jmeter.detect-plugins=false".into()))
        .args(option("modules.console.disable=true".into()))
        .args(option("settings.check-updates=false".into()))
        // One Java at a time: four that start at once on two processors starve each other.
        .args(option("modules.local.sequential=true".into()))
        .args(more)
        .env("HOME", home.path())
        .current_dir(script.parent().unwrap())
        .output()
        .unwrap();
    let files = fs::read_dir(&artifacts).unwrap().map(|entry| entry.unwrap().path());
    let results = files.filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.starts_with("kpi") && name.ends_with(".jtl")
    });
    let mut counts = Counts::new();
    let mut broken_off = 0;
    for file in results {
        broken_off += count(&fs::read_to_string(file).unwrap(), &mut counts);
    }
    // With 3 it ends over a criterion, for which what was broken off counts as failed.
    let ended = matches!((output.status.code(), broken_off), (Some(0), _) | (Some(3), 1..));
    assert!(ended, "Taurus: {}\n{}", output.status, problems(&artifacts));
    counts
}

/// What Taurus warned of, and the failed samples that `JMeter` wrote down: few lines, for
/// an error that says why.
fn problems(artifacts: &Path) -> String {
    let mut found = Vec::new();
    for entry in fs::read_dir(artifacts).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let is = |extension: &str| file.extension().is_some_and(|found| found == extension);
        let (logs, samples) = (is("log"), is("jtl"));
        if !logs && !samples {
            continue;
        }
        let text = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&text);
        let telling = text.lines().filter(|line| {
            logs && ["WARN", "ERROR"].iter().any(|level| line.contains(level))
                || name.starts_with("kpi") && line.contains(",false,")
        });
        found.extend(telling.take(5).map(|line| format!("{name}: {line:.200}")));
    }
    found.join("\n")
}

/// Counts the samples of one of `JMeter`'s results, which has no quotes in the columns that
/// are read. A request that `JMeter` itself broke off, because its time was over when a
/// busy machine had just let it begin, says nothing of whom it went to: how many there are
/// of these is returned.
fn count(table: &str, counts: &mut Counts) -> usize {
    let mut broken_off = 0;
    let mut lines = table.lines();
    let heads: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| heads.iter().position(|head| *head == name).unwrap();
    let (label, code, success) = (column("label"), column("responseCode"), column("success"));
    for line in lines {
        let fields: Vec<_> = line.split(',').collect();
        if fields[code].ends_with("RequestAbortedException") {
            broken_off += 1;
            continue;
        }
        let entry = counts.entry(fields[label].to_owned()).or_default();
        entry.0 += 1;
        entry.1 += u64::from(fields[success] == "false");
    }
    broken_off
}

/// Runs a script under the command.
fn ours(world: &World, args: &[&str]) -> Counts {
    let mut all = vec!["bench"];
    all.extend(args);
    all.extend(["--output", "json"]);
    let result = world.run(&all).succeeded().json();
    let labels = result["executions"].as_array().unwrap().iter().map(|it| &it["labels"]);
    let labels = labels.flat_map(|labels| labels.as_array().unwrap());
    let row = |label: &serde_json::Value| {
        let count = |key: &str| label[key].as_u64().unwrap();
        (label["label"].as_str().unwrap().to_owned(), (count("requests"), count("errors")))
    };
    labels.map(row).collect()
}

/// The requests in an order of their own, and without what was to be any of several.
fn sorted(recorder: &Recorder) -> Vec<Request> {
    let mut requests = recorder.requests();
    for request in &mut requests {
        if let Some(id) = request.path.strip_prefix("/any?id=") {
            let id = id.split('&').next().unwrap();
            assert!(["12", "34", "56"].contains(&id), "{request:?}");
            request.path = request.path.replace(id, "ANY");
        }
    }
    requests.sort();
    requests
}

#[test]
#[ignore = "needs Java and Taurus: run scripts/test"]
fn a_script_with_everything_means_the_same_to_both() {
    let world = World::new();
    fs::write(world.path().join("body.txt"), "as it is: ${word}\n").unwrap();
    let script = world.path().join("load.yml");
    let write = |recorder: &Recorder| {
        let text = FEATURES.replace("[[address]]", &recorder.address.to_string());
        fs::write(&script, text).unwrap();
    };
    let (theirs, own) = (Recorder::start(answer), Recorder::start(answer));
    write(&theirs);
    let expected = bzt(&script, &[]);
    write(&own);
    let found = ours(&world, &["load.yml", "--as-written"]);
    assert_eq!(found, expected);
    assert_eq!(found["list"], (6, 0));
    for label in ["without a value", "refused", "not there", "there", "literal", "slow"] {
        assert_eq!(found[label], (6, 6), "{label}");
    }
    assert_eq!(sorted(&own), sorted(&theirs));
    let seen = "/seen/34/hello/NOT_FOUND/preset/far/thing/200";
    assert!(own.requests().iter().any(|request| request.path == seen), "{:?}", own.requests());
}

#[test]
#[ignore = "needs Java and Taurus: run scripts/test"]
fn the_bundled_script_means_the_same_to_both() {
    let world = World::new();
    world.up().succeeded();
    let mut options = Vec::new();
    for execution in 0..4 {
        let own = ["delay=0s", "ramp-up=1s", "steps=2", "hold-for=3s", "throughput=40"];
        options.extend(own.map(|it| ["-o".to_owned(), format!("execution.{execution}.{it}")]));
    }
    let addresses = [("events", world.port), ("notifications", world.port + 1)];
    for (service, port) in addresses {
        for kind in ["read", "write"] {
            let key = format!("scenarios.{service}-{kind}.default-address");
            options.push(["-o".to_owned(), format!("{key}=http://127.0.0.1:{port}")]);
        }
    }
    let options = options.concat();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("performance_testing.yml");
    let expected = bzt(&script, &options);
    let script = script.display().to_string();
    let mut args = vec![script.as_str(), "--as-written"];
    args.extend(options.iter().map(String::as_str));
    let found = ours(&world, &args);
    let labels = |counts: &Counts| counts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(labels(&found), labels(&expected));
    for (label, (_, failed)) in found.iter().chain(&expected) {
        assert_eq!(*failed, 0, "{label}: {found:?} {expected:?}");
    }
    // How many there are in all is a matter of seconds; how they are shared is not.
    for service in ["events", "notifications"] {
        for labels in
            [&["GET /X", "GET /X/{id}"][..], &["POST /X", "PUT /X/{id}", "DELETE /X/{id}"]]
        {
            let labels: Vec<_> = labels.iter().map(|label| label.replace('X', service)).collect();
            for (own, theirs) in shares(&found, &labels).into_iter().zip(shares(&expected, &labels))
            {
                assert!((own - theirs).abs() < 0.1, "{labels:?}: {found:?} {expected:?}");
            }
        }
        // A bound of 40 a second for three seconds and one in which it rises. Taurus lets go
        // of it before the users have ended.
        let read = ["GET /X", "GET /X/{id}"].map(|label| found[&label.replace('X', service)].0);
        assert!((1..=170).contains(&read.iter().sum::<u64>()), "{service}: {found:?}");
    }
}

/// The share of each label in the requests of all.
fn shares(counts: &Counts, labels: &[String]) -> Vec<f64> {
    let count = |label: &String| f64::from(u32::try_from(counts[label].0).unwrap());
    let sum: f64 = labels.iter().map(count).sum();
    labels.iter().map(|label| count(label) / sum).collect()
}
