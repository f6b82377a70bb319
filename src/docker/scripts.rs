//! Runs scripts for hosts in a shell of this machine, in which `docker` and `timeout` are
//! functions. What a host does with Docker's answers is tested without Docker.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const STATE: &str = container_script!("container-state.sh");
const FACTS: &str = container_script!("container-facts.sh");
const DOCTOR: &str = container_script!("doctor.sh");

/// A Docker that answers, with a warning at each call.
const ANSWERS: &str = "docker() {
    echo 'WARNING: a plugin is broken' >&2
    case \"$1 $2\" in
    'version '*) echo 24.0.2 ;;
    'container ls') [ -z \"$container\" ] || echo 0123abcd ;;
    'image inspect') echo sha256:1 ;;
    'container inspect') echo \"$container\" ;;
    'inspect --format') echo running ;;
    esac
}\n";

const REFUSES: &str = "docker() {
    echo 'WARNING: a plugin is broken' >&2
    echo 'Cannot connect to the Docker daemon' >&2
    return 1
}\n";

/// One that hangs; its caller is told so at once.
const HANGS: &str = "docker() { return 124; }\n";

/// Runs a script with a `docker` and the description of a container, which is empty if there is
/// none.
fn run(script: &str, docker: &str, container: &str) -> Output {
    let shell = Command::new("sh")
        .args(["-s", "--", "eventpost-events", "80"])
        .env("container", container)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut shell = shell.unwrap();
    let text = format!("timeout() {{ shift; \"$@\"; }}\n{docker}{script}");
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    shell.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The value of a fact that `doctor.sh` prints.
fn fact(output: &Output, name: &str) -> Option<String> {
    let printed = stdout(output);
    let mut facts = printed.lines().filter_map(|line| line.split_once('\t'));
    facts.find(|(fact, _)| *fact == name).map(|(_, value)| value.to_owned())
}

#[test]
fn the_state_of_a_container_is_what_docker_prints_without_its_warnings() {
    let there = run(STATE, ANSWERS, "running eventpost/events:1 0");
    assert_eq!(
        (stdout(&there).as_str(), there.status.code()),
        ("running eventpost/events:1 0\n", Some(0))
    );
    let none = run(STATE, ANSWERS, "");
    assert_eq!((stdout(&none).as_str(), none.status.code()), ("", Some(0)));
}

#[test]
fn a_docker_that_does_not_answer_has_no_state_to_tell() {
    for (docker, problem) in [
        (REFUSES, "Docker does not answer: Cannot connect to the Docker daemon\n"),
        (HANGS, "Docker does not answer: docker version did not answer within 20 s\n"),
    ] {
        let output = run(STATE, docker, "running eventpost/events:1 0");
        assert_eq!((stdout(&output).as_str(), output.status.code()), ("", Some(1)));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), problem);
    }
}

#[test]
fn the_facts_of_a_container_are_what_docker_prints_without_its_warnings() {
    let there = run(FACTS, ANSWERS, "running=true");
    assert_eq!(stdout(&there), "docker=running\nimage=sha256:1\nrunning=true\n");
    let none = run(FACTS, ANSWERS, "");
    assert_eq!(stdout(&none), "docker=running\nimage=sha256:1\n");
}

#[test]
fn the_facts_say_why_docker_does_not_answer() {
    for (docker, problem) in [
        (REFUSES, "Cannot connect to the Docker daemon"),
        (HANGS, "docker version did not answer within 20 s"),
    ] {
        let facts = stdout(&run(FACTS, docker, ""));
        assert_eq!(facts, format!("docker=unreachable\nproblem={problem}\n"));
        let facts = run(DOCTOR, docker, "");
        assert_eq!(fact(&facts, "docker").as_deref(), Some(problem));
        assert_eq!(fact(&facts, "container").as_deref(), Some("unknown"));
    }
}

#[test]
fn doctor_tells_a_missing_container_from_an_unknown_one() {
    let state = |container| fact(&run(DOCTOR, ANSWERS, container), "container");
    assert_eq!(state("").as_deref(), Some("missing"));
    assert_eq!(state("any").as_deref(), Some("running"));
}
