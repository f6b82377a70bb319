//! `up`, `status`, `seed` and `down` with real services on this machine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::cli::{Ran, World};
use crate::harness::http::{answer_with, send};
use crate::harness::{Signal, assert_private, signal, wait_for, without_umask};

/// The titles or subjects of what a service holds.
fn held(world: &World, service: &str) -> Vec<Value> {
    let address = world.holder(service).expect("it must run").address;
    let list = send(address, "GET", &format!("/{service}"), None).json();
    list.as_array().unwrap().clone()
}

fn seeds(service: &str) -> usize {
    let path = format!("{}/fixtures/{service}.yml", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap().lines().filter(|line| line.starts_with("- ")).count()
}

#[test]
fn a_stack_goes_up_is_seeded_once_and_goes_down_with_its_data_kept() {
    let world = World::new();
    let up = world.up().succeeded();
    assert!(up.stdout.contains(&format!("http://127.0.0.1:{}/events", world.port)), "{up:?}");
    assert!(up.stdout.contains(&format!(":{}/notifications", world.port + 1)), "{up:?}");
    assert_eq!(held(&world, "events").len(), seeds("events"));
    assert_eq!(held(&world, "notifications").len(), seeds("notifications"));

    let again = world.up().succeeded();
    assert_eq!(again.stdout.matches("kept").count(), 2, "{again:?}");
    assert_eq!(held(&world, "events").len(), seeds("events"));

    let status = world.run(&["status", "--local", "--output", "json"]).succeeded().json();
    for row in status.as_array().unwrap() {
        assert_eq!(row["state"], "healthy");
        assert_eq!(row["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(row["resources"], seeds(row["service"].as_str().unwrap()));
        let holder = world.holder(row["service"].as_str().unwrap()).unwrap();
        assert_eq!(row["pid"], holder.pid);
    }

    world.run(&["down", "--local"]).succeeded();
    assert_eq!((world.holder("events"), world.holder("notifications")), (None, None));
    let status = world.run(&["status", "--local"]);
    assert_eq!(status.code, Some(3), "{status:?}");
    assert_eq!(status.stdout.matches("stopped").count(), 2, "{status:?}");

    world.run(&["up", "--local", "--no-seed", "--port-base", &world.port.to_string()]).succeeded();
    assert_eq!(held(&world, "events").len(), seeds("events"), "data must outlive `down`");
}

#[test]
fn the_doctor_finds_what_is_wrong_with_local_services() {
    let world = World::new();
    let never = world.run(&["doctor", "--local", "--output", "json"]);
    assert_eq!(never.code, Some(3), "{never:?}");
    assert_eq!(never.json()["cause"]["found"], "does not run, and never did");
    world.up().succeeded();
    let fine = world.run(&["doctor", "--local", "--bundle", "help.tgz"]).succeeded();
    assert!(fine.stdout.ends_with("Nothing is wrong.\n"), "{fine:?}");
    assert!(world.path().join("help.tgz").exists());

    let holder = world.holder("notifications").unwrap();
    signal(holder.pid, Signal::STOP);
    let hangs = world.run(&["doctor", "--local"]);
    signal(holder.pid, Signal::CONT);
    assert_eq!(hangs.code, Some(3), "{hangs:?}");
    assert!(hangs.stdout.contains("\nCause: notifications: answer: "), "{hangs:?}");

    let down = world.run(&["down", "--local", "--output", "json"]).succeeded().json();
    assert_eq!(down[1]["what"], format!("pid {}", holder.pid));
    let ended = world.run(&["doctor", "--local"]);
    assert!(ended.stdout.contains("\nCause: events: process: does not run; the last line"));
    assert!(ended.stdout.contains("`eventpost logs --local events` says why"), "{ended:?}");
}

#[test]
fn standard_output_carries_data_only_and_no_colours_when_piped() {
    let world = World::new();
    let up = world.up().succeeded();
    assert_eq!(up.stdout.lines().count(), 3, "{up:?}");
    assert!(!up.stdout.contains('\u{1b}') && !up.stderr.contains('\u{1b}'), "{up:?}");
    let port = world.port.to_string();
    let json = world.run(&["up", "--local", "--output", "json", "--port-base", &port]).succeeded();
    assert_eq!(json.json()[0]["outcome"], "kept");
}

#[test]
fn services_get_their_own_environment_and_not_the_shell_s() {
    let world = World::new();
    world.describe(
        "stack: test\nservices:\n  events: {build: events, env: {ACCESS_LOG: all}}\n  \
         notifications: {build: notifications}\n",
    );
    let port = world.port.to_string();
    let mut up = world.command(&["up", "--local", "--no-seed", "--port-base", &port]);
    up.env("AWS_SECRET_ACCESS_KEY", "of-the-operator").env("EVENTPOST_TOKEN", "of-the-operator");
    // A variable that the service itself would read.
    up.env("ALLOW_ORIGINS", "no origin at all").env("TZ", "UTC");
    Ran::of(up.output().unwrap()).succeeded();
    let environment = |service| {
        let pid = world.holder(service).unwrap().pid;
        let text = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let of_events = environment("events");
    assert!(of_events.contains(&"ACCESS_LOG=all".into()), "{of_events:?}");
    assert!(of_events.contains(&"TZ=UTC".into()), "{of_events:?}");
    let allowed = [
        "ACCESS",
        "ACCESS_LOG",
        "LD_LIBRARY_PATH",
        "PATH",
        "RUST_BACKTRACE",
        "RUST_LOG",
        "TMPDIR",
        "TZ",
    ];
    for variable in of_events.iter().chain(&environment("notifications")) {
        let name = variable.split('=').next().unwrap();
        assert!(allowed.contains(&name), "{name} came from the shell");
    }
}

#[test]
fn a_build_gets_the_environment_without_credentials() {
    let world = World::new();
    fs::create_dir(world.path().join("source")).unwrap();
    fs::write(world.path().join("source/Cargo.toml"), "").unwrap();
    world.describe("stack: test\nservices:\n  events: {build: source}\n");
    world.replace_program("cargo", "#!/bin/sh\nenv >seen\nexit 1\n");
    let mut up = world.command(&["up", "--local", "--port-base", &world.port.to_string()]);
    up.env("CARGO", world.path().join("cargo")).env("AWS_REGION", "eu-west-1");
    up.env("AWS_ACCESS_KEY_ID", "of-the-operator").env("AWS_SESSION_TOKEN", "of-the-operator");
    let ran = Ran::of(up.output().unwrap());
    assert!(ran.stderr.contains("building events failed"), "{ran:?}");
    let seen = fs::read_to_string(world.path().join("seen")).unwrap();
    assert!(seen.contains("AWS_REGION=eu-west-1"), "{seen}");
    assert!(!seen.contains("of-the-operator"), "{seen}");
}

#[test]
fn what_a_local_stack_keeps_is_its_owner_s_alone_whatever_the_umask() {
    let world = World::new();
    let port = world.port.to_string();
    let up = ["up", "--local", "--port-base", &port];
    let run = |args: &[&str]| Ran::of(without_umask(&world.command(args)).output().unwrap());
    run(&up).succeeded();
    let state = world.path().join("state");
    let kept = assert_private(&state);
    assert!(kept > 12, "{kept}");
    run(&["doctor", "--local", "--bundle", "help.tgz"]).succeeded();
    assert_private(&world.path().join("help.tgz"));

    // As an earlier version left it.
    world.run(&["down", "--local"]).succeeded();
    let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(&state).status();
    assert!(opened.unwrap().success());
    run(&up).succeeded();
    // What the user has made is no concern of the command's.
    assert_private(&state.join("eventpost"));
}

#[test]
fn a_changed_program_is_restarted_and_its_data_stay() {
    let world = World::new();
    world.up().succeeded();
    let before = world.holder("events").unwrap();
    let untouched = world.holder("notifications").unwrap();
    world.change_program("events");
    let up = world.up().succeeded();
    assert!(up.stderr.contains("its program changed"), "{up:?}");
    assert!(up.stdout.contains("restarted") && up.stdout.contains("kept"), "{up:?}");
    assert_ne!(world.holder("events").unwrap().pid, before.pid);
    assert_eq!(world.holder("notifications").unwrap(), untouched);
    assert_eq!(held(&world, "events").len(), seeds("events"));
}

#[test]
fn services_move_to_other_ports_even_to_each_other_s() {
    let world = World::new();
    world.up().succeeded();
    let wanted = world.port + 1;
    world.run(&["up", "--local", "--port-base", &wanted.to_string()]).succeeded();
    assert_eq!(world.holder("events").unwrap().address.port(), wanted);
    assert_eq!(world.holder("notifications").unwrap().address.port(), wanted + 1);
    assert_eq!(held(&world, "events").len(), seeds("events"));
}

#[test]
fn a_changed_environment_restarts_its_service() {
    let world = World::new();
    world.up().succeeded();
    world.describe(
        "stack: test\nservices:\n  events: {build: events, fixtures: events.yml, env: {A: 1}}\n  \
         notifications: {build: notifications, fixtures: notifications.yml}\n",
    );
    let up = world.up().succeeded();
    assert!(up.stderr.contains("events: starting it anew: its environment changed"), "{up:?}");
    assert_eq!(up.stdout.matches("kept").count(), 1, "{up:?}");
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_started() {
    let world = World::new();
    let _taken = TcpListener::bind(("127.0.0.1", world.port + 1)).unwrap();
    let up = world.up();
    assert_eq!(up.code, Some(1), "{up:?}");
    let problem = format!("port {} of notifications is in use by another program", world.port + 1);
    assert!(up.stderr.contains(&problem), "{up:?}");
    assert_eq!(world.holder("events"), None, "nothing may be half done");
}

#[test]
fn a_service_that_dies_at_its_start_shows_its_last_lines_and_takes_the_other_with_it() {
    let world = World::new();
    world.replace_program("notifications", "#!/bin/sh\necho no license found >&2\nexit 7\n");
    let up = world.up();
    assert_eq!(up.code, Some(1), "{up:?}");
    assert!(up.stderr.contains("notifications ended at its start (exit status: 7)"), "{up:?}");
    assert!(up.stderr.contains("  no license found"), "{up:?}");
    assert_eq!(world.holder("events"), None, "what this run started must be stopped again");
}

#[test]
fn a_failing_service_leaves_one_that_ran_before_alone() {
    let world = World::new();
    world.up().succeeded();
    let events = world.holder("events").unwrap();
    world.replace_program("notifications", "#!/bin/sh\nexit 7\n");
    assert_eq!(world.up().code, Some(1));
    assert_eq!(world.holder("events"), Some(events));
}

#[test]
fn a_lock_file_left_by_a_crash_is_no_obstacle() {
    let world = World::new();
    world.up().succeeded();
    let crashed = world.holder("events").unwrap();
    signal(crashed.pid, Signal::KILL);
    wait_for("the process to be gone", || world.holder("events").is_none().then_some(()));
    let status = world.run(&["status", "--local"]);
    assert_eq!(status.code, Some(3), "{status:?}");
    let up = world.up().succeeded();
    assert!(up.stdout.contains("started") && up.stdout.contains("kept"), "{up:?}");
    assert_eq!(held(&world, "events").len(), seeds("events"));
}

#[test]
fn a_signal_in_the_middle_of_up_leaves_nothing_running() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let world = World::new();
        // It listens but is never ready, so that `up` is in the middle of waiting.
        world.replace_program("notifications", "#!/bin/sh\necho waiting\nexec sleep 600\n");
        let up = world.begin_up();
        wait_for("events to run", || world.holder("events"));
        signal(up.id(), sent);
        let ran = Ran::of(up.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains("what this run had started is stopped again"), "{ran:?}");
        assert_eq!(world.holder("events"), None, "{ran:?}");
    }
}

#[test]
fn a_hanging_service_is_unhealthy_and_down_stops_it_all_the_same() {
    let world = World::new();
    world.up().succeeded();
    let pid = world.holder("events").unwrap().pid;
    signal(pid, Signal::STOP);
    let status = world.run(&["status", "--local"]);
    assert_eq!(status.code, Some(3), "{status:?}");
    assert!(status.stdout.contains("unhealthy"), "{status:?}");
    signal(pid, Signal::CONT);
    world.run(&["down", "--local"]).succeeded();
    assert_eq!(world.holder("events"), None);
}

#[test]
fn seeding_completes_what_is_missing_and_force_adds_all() {
    let world = World::new();
    world.up().succeeded();
    let address = world.holder("events").unwrap().address;
    let first = held(&world, "events")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(send(address, "DELETE", &format!("/events/{first}"), None).status, 200);
    let rows = world.run(&["seed", "--local", "--output", "json"]).succeeded().json();
    assert_eq!((&rows[0]["added"], &rows[1]["added"]), (&1.into(), &0.into()), "{rows}");
    assert_eq!(held(&world, "events").len(), seeds("events"));

    let url = format!("events=http://{address}");
    world.run(&["seed", "--url", &url, "--force"]).succeeded();
    assert_eq!(held(&world, "events").len(), 2 * seeds("events"));
    assert_eq!(held(&world, "notifications").len(), seeds("notifications"));
}

#[test]
fn a_fixture_that_is_refused_is_named_with_the_field() {
    let world = World::new();
    let good =
        "- {title: good, description: long enough for an event, date: 2020-12-12, time: 20:50:12}";
    let bad = "- {title: bad, description: short, date: 2020-12-12, time: 20:50:12}";
    fs::write(world.path().join("events.yml"), format!("{good}\n{bad}\n")).unwrap();
    let up = world.up();
    assert_eq!(up.code, Some(1), "{up:?}");
    assert!(up.stderr.contains("events.yml: item 2 was answered 422"), "{up:?}");
    assert!(up.stderr.contains("\"field\": \"description\""), "{up:?}");
}

#[test]
fn a_fixture_that_is_stored_otherwise_is_warned_of() {
    let world = World::new();
    let odd =
        "- {title: odd, description: long enough for an event, date: 2020-1-2, time: 20:50:12}";
    fs::write(world.path().join("events.yml"), odd).unwrap();
    let up = world.up().succeeded();
    assert!(up.stderr.contains("item 1: `date` is stored as \"2020-01-02\""), "{up:?}");
}

#[test]
fn seeding_what_does_not_run_or_is_another_service_fails() {
    let world = World::new();
    let ran = world.run(&["seed", "--local"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("events does not run: `eventpost up --local` starts it"),
        "{ran:?}"
    );
    world.up().succeeded();
    let url = format!("events=http://127.0.0.1:{}", world.port + 1);
    let ran = world.run(&["seed", "--url", &url]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("is answered by the service `notifications`"), "{ran:?}");
    let ran = world.run(&["seed", "--url", "users=http://127.0.0.1:1"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("has no service users, only events, notifications"), "{ran:?}");
}

#[test]
fn a_service_s_answers_command_no_terminal() {
    let world = World::new();
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J";
    // It says that it is ready and that it holds nothing, and refuses what is posted.
    let address = answer_with(move |request| match request {
        _ if request.starts_with("POST ") => (500, hostile),
        _ if request.starts_with("GET /events ") => (200, "[]"),
        _ => (200, "{}"),
    });
    let seeded = world.run(&["seed", "--url", &format!("events=http://{address}")]);
    assert_eq!(seeded.code, Some(1), "{seeded:?}");
    let escaped = r"\u{1b}]0;owned\u{7}\u{1b}[2J";
    assert!(seeded.stderr.contains("error: events.yml: item 1 was answered 500"), "{seeded:?}");
    assert_eq!(seeded.stderr.matches(escaped).count(), 2, "{seeded:?}");
    assert!(!seeded.stderr.contains('\u{1b}') && !seeded.stderr.contains('\u{7}'), "{seeded:?}");
}

#[test]
fn purging_asks_and_without_an_answer_touches_nothing() {
    let world = World::new();
    world.up().succeeded();
    let down = world.run(&["down", "--local", "--purge"]);
    assert_eq!(down.code, Some(2), "{down:?}");
    assert!(down.stderr.contains("give --yes"), "{down:?}");
    assert!(world.holder("events").is_some(), "nothing may be stopped before the answer");
    world.run(&["down", "--local", "--purge", "--yes"]).succeeded();
    assert!(!world.data("events").exists());
    world.run(&["down", "--local"]).succeeded();
}

#[test]
fn two_commands_do_not_change_a_stack_at_the_same_time() {
    let world = World::new();
    world.replace_program("notifications", "#!/bin/sh\nexec sleep 600\n");
    let first = world.begin_up();
    wait_for("events to run", || world.holder("events"));
    for args in [&["up", "--local"][..], &["down", "--local"]] {
        let second = world.run(args);
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(second.stderr.contains("another eventpost is changing"), "{second:?}");
    }
    signal(first.id(), Signal::TERM);
    first.wait_with_output().unwrap();
}

#[test]
fn logs_of_local_services_are_printed_and_followed() {
    let world = World::new();
    world.up().succeeded();
    let both = world.run(&["logs", "--local"]).succeeded().stdout;
    for service in ["events", "notifications"] {
        let says = |line: &str| {
            line.starts_with(&format!("{service} | ")) && line.contains("is listening")
        };
        assert!(both.lines().any(says), "{both}");
    }
    let one = world.run(&["logs", "events", "--local", "--tail", "1"]).succeeded().stdout;
    assert_eq!(one.lines().count(), 1, "{one}");
    assert!(!one.starts_with("events | "), "{one}");

    let args = ["logs", "events", "--local", "-f", "--tail", "1"];
    let mut following = world.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains("is listening"));
    world.run(&["down", "--local"]).succeeded();
    assert!(next().contains("finishing the requests"), "what it said after that");
    signal(following.id(), Signal::INT);
    assert_eq!(following.wait().unwrap().code(), Some(130));
}

#[test]
fn logs_command_no_terminal_and_are_passed_on_as_they_are_elsewhere() {
    let world = World::new();
    let says = "#!/bin/sh\nprintf 'before\\033[2J\\302\\233after\\n'\nexit 7\n";
    world.replace_program("notifications", says);
    let up = world.up();
    assert!(up.stderr.contains("before\\u{1b}[2J\\u{9b}after"), "{up:?}");
    let args = ["logs", "notifications", "--local"];
    assert_eq!(world.run(&args).succeeded().stdout, "before\u{1b}[2J\u{9b}after\n");

    // Another program gives the command a terminal.
    let command = world.command(&args);
    let line = format!("{} {}", command.get_program().display(), args.join(" "));
    let mut terminal = world.command(&[]);
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(world.path()).stdin(Stdio::null());
    for (name, value) in terminal.env("TERM", "xterm").get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    let shown = String::from_utf8(script.output().unwrap().stdout).unwrap();
    assert!(shown.contains("before\\u{1b}[2J\\u{9b}after"), "{shown:?}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{9b}'), "{shown:?}");
}

#[test]
fn local_data_are_backed_up_while_the_services_run_and_restored_while_they_do_not() {
    let world = World::new();
    world.up().succeeded();
    let before = held(&world, "events");
    world.run(&["backup", "data.backup", "--local"]).succeeded();
    let address = world.holder("events").unwrap().address;
    assert_eq!(send(address, "POST", "/events", Some(crate::harness::EVENT)).status, 201);

    let restore = ["restore", "data.backup", "--local", "--yes"];
    let refused = world.run(&restore);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("events runs: `eventpost down --local` stops it"));
    world.run(&["down", "--local"]).succeeded();
    world.run(&restore).succeeded();
    world.up().succeeded();
    assert_eq!(held(&world, "events"), before);

    // A backup of other services is none of this stack's.
    world.describe("stack: test\nservices:\n  events: {build: events}\n");
    let refused = world.run(&restore);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("is a backup of events and notifications"), "{refused:?}");
    let entries = fs::read_dir(world.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> =
        entries.filter(|name| name.to_string_lossy().starts_with(".eventpost")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_plan_says_what_up_would_do_and_does_nothing() {
    let world = World::new();
    let port = world.port.to_string();
    let plan = |more: &[&str]| {
        let args = ["plan", "--local", "--port-base", &port, "--output", "json"];
        let ran = world.run(&[&args[..], more].concat());
        let result = ran.json();
        let change = |it: &Value| (it["action"].as_str().unwrap().to_owned(), it["why"].clone());
        let changes: Vec<_> = result["changes"].as_array().unwrap().iter().map(change).collect();
        (ran.code, changes)
    };
    let (code, actions) = plan(&[]);
    assert_eq!(code, Some(2));
    assert!(actions.iter().all(|(action, why)| action == "create" && why == "it does not run"));
    assert!(world.holder("events").is_none());
    world.up().succeeded();
    let (code, actions) = plan(&[]);
    assert_eq!(code, Some(0));
    assert!(actions.iter().all(|(action, _)| action == "keep"), "{actions:?}");
    let pid = world.holder("events").unwrap().pid;
    world.change_program("events");
    let dry = ["up", "--local", "--dry-run", "--port-base", &port];
    let ran = world.run(&dry);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let row = ran.stdout.lines().find(|line| line.starts_with("update")).unwrap();
    assert!(row.contains("events") && row.contains("its program changed"), "{ran:?}");
    assert!(ran.stdout.contains("test: 1 to update, 1 to keep."), "{ran:?}");
    assert_eq!(world.holder("events").unwrap().pid, pid);
}
