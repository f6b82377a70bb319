//! Tokens from files and variables, and services that do not start without a clear answer
//! to who may use them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use rest::access::tokens::Role;

use super::{NOTIFICATION, start};
use crate::harness::http::{ask, ask_by_name};
use crate::harness::tokens::Tokens;
use crate::harness::{Service, free_ports, program, temp_dir, wait_for};

/// What a service says that does not start, with variables and arguments.
fn refusal(service: &str, env: &[(&str, &str)], args: &[&str]) -> String {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut command = Command::new(program(service));
    command.args(args).arg("--data").arg(&data).stdin(Stdio::null());
    let output = command.envs(env.iter().copied()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{env:?} {args:?}: {stderr}");
    assert!(!data.exists(), "{env:?} {args:?}: it has begun");
    stderr
}

#[test]
fn tokens_come_from_a_file_or_a_variable() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let file = dir.path().join("list");
    tokens.write(&file);
    let file = file.to_str().unwrap();
    let variable = tokens.on_one_line();
    for (n, (args, env)) in [
        (&["--access-tokens-file", file][..], None),
        (&["--access", "tokens", "--access-tokens-file", file], None),
        (&[], Some(("ACCESS_TOKENS_FILE", file))),
        (&[], Some(("ACCESS_TOKENS", variable.as_str()))),
    ]
    .into_iter()
    .enumerate()
    {
        let mut command = Command::new(program("notifications"));
        command.args(args).envs(env);
        let service = Service::start_command(command, &dir.path().join(n.to_string()));
        let post = |header: &str| {
            ask(service.address, "POST", "/notifications", header, NOTIFICATION).status
        };
        let got = [post(""), post(&tokens.header("read")), post(&tokens.header("write"))];
        assert_eq!(got, [401, 403, 201], "{args:?} {env:?}");
    }
}

#[test]
fn a_container_of_a_platform_has_its_port_and_tokens_from_variables() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let port = free_ports();
    let mut command = Command::new(program("notifications"));
    command.env("PORT", port.to_string()).env("ACCESS_TOKENS", tokens.on_one_line());
    command.stderr(Stdio::null());
    let service = Service::start_with_arguments(command, dir.path());
    assert!(service.address.ip().is_unspecified(), "{}", service.address);
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // The platform's router sends the name that people know.
    let get = |header: &str| {
        ask_by_name(here, "app.example.org", "GET", "/notifications", header, "").status
    };
    assert_eq!([get(""), get(&tokens.header("read"))], [401, 200]);
    // What the image is checked by needs no token.
    let mut ready = Command::new(program("notifications"));
    assert!(ready.args(["ready", "--port", &port.to_string()]).status().unwrap().success());
}

#[test]
fn a_service_that_others_reach_does_not_start_without_a_setting() {
    let port = free_ports().to_string();
    let everywhere = format!("0.0.0.0:{port}");
    for service in ["events", "notifications"] {
        for (env, args) in
            [(&[("PORT", port.as_str())][..], &[][..]), (&[], &["--listen", everywhere.as_str()])]
        {
            let said = refusal(service, env, args);
            for part in [&port, "ACCESS_TOKENS_FILE", "ACCESS_TOKENS ", "ACCESS=open"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
        // A variable that is set by mistake leaves nothing open, on loopback neither.
        for listen in [everywhere.as_str(), "127.0.0.1:0"] {
            let said = refusal(service, &[("ACCESS_TOKENS", " ")], &["--listen", listen]);
            assert!(said.contains("ACCESS_TOKENS is empty"), "{said}");
        }
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let file = dir.path().join("list");
    tokens.write(&file);
    let file = file.to_str().unwrap();
    let variable = tokens.on_one_line();
    let (variable, file) = (("ACCESS_TOKENS", variable.as_str()), ("ACCESS_TOKENS_FILE", file));
    for (env, part) in [
        (&[("ACCESS", "open"), variable][..], "ACCESS=open cannot be combined"),
        (&[("ACCESS", "open"), file], "ACCESS=open cannot be combined"),
        (&[variable, file], "are both set"),
        (&[("ACCESS", "tokens")], "ACCESS=tokens needs ACCESS_TOKENS_FILE or ACCESS_TOKENS"),
    ] {
        let said = refusal("events", env, &["--listen", "127.0.0.1:0"]);
        assert!(said.contains(part), "{env:?}: {said}");
    }
}

#[test]
fn a_broken_list_is_named_with_its_line_and_never_quoted() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let listen = ["--listen", "127.0.0.1:0"];
    let file = dir.path().join("list");
    let name = file.to_str().unwrap();
    // A secret where its digest belongs is the mistake that is made.
    let secret = tokens.secrets().next().unwrap();
    for (text, problem) in [
        (format!("# mine\n{}\nci write {secret}\n", tokens.on_one_line()), "line 3: ci: the SHA"),
        (format!("{secret} write\n"), "line 1: "),
        (format!("ci {secret}\n"), "line 1: ci: the role must be"),
    ] {
        fs::write(&file, &text).unwrap();
        let said = refusal("events", &[("ACCESS_TOKENS_FILE", name)], &listen);
        assert!(said.contains(&format!("{name}: {problem}")), "{said}");
        assert!(!said.contains(secret), "{said}");
        let said = refusal("events", &[("ACCESS_TOKENS", &text)], &listen);
        assert!(said.contains(&format!("ACCESS_TOKENS: {problem}")), "{said}");
        assert!(!said.contains(secret), "{said}");
    }
    fs::remove_file(&file).unwrap();
    let said = refusal("events", &[("ACCESS_TOKENS_FILE", name)], &listen);
    assert!(said.contains(&format!("the tokens in {name} cannot be read: ")), "{said}");
    // Also a file without an end.
    let said = refusal("events", &[("ACCESS_TOKENS_FILE", "/dev/zero")], &listen);
    assert!(said.contains("larger than"), "{said}");
}

#[test]
fn a_token_that_expires_is_refused_from_then_on() {
    let (dir, mut tokens) = (temp_dir(), Tokens::of_all_roles());
    tokens.add("old", Role::Admin, Some("2020-01-01T00:00:00Z".parse().unwrap()));
    tokens.add("later", Role::Admin, Some("2999-01-01T00:00:00Z".parse().unwrap()));
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4);
    tokens.add("soon", Role::Admin, Some(soon));
    let service = start("events", &tokens, dir.path());
    let get = |name: &str| ask(service.address, "GET", "/metrics", &tokens.header(name), "").status;
    assert_eq!([get("soon"), get("old"), get("later")], [200, 401, 200]);
    wait_for("the expiry", || (get("soon") == 401).then_some(()));
    assert!(jiff::Timestamp::now() >= soon - jiff::SignedDuration::from_secs(1));
    assert_eq!(get("later"), 200);
}
