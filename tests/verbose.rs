//! What `-v`, `-vv` and `RUST_LOG` show, and that none of it is secret.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use crate::harness::cli::{Ran, World};

const AWS_SECRET: &str = "a-secret-access-key";
const PASSWORD: &str = "the-relays-password";

/// An EC2 API of a region where nothing is, which throttles the first look at instances.
fn api() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut throttle = true;
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap(), &mut throttle);
        }
    });
    address
}

fn answer(mut stream: TcpStream, throttle: &mut bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut request = String::new();
    reader.take(length).read_to_string(&mut request)?;
    let action = request.split('&').find_map(|part| part.strip_prefix("Action=")).unwrap_or("");
    let (status, body) = if *throttle && action == "DescribeInstances" {
        *throttle = false;
        let error = "<Error><Code>RequestLimitExceeded</Code><Message>slow down</Message></Error>";
        ("503 Service Unavailable", format!("<Response><Errors>{error}</Errors></Response>"))
    } else {
        ("200 OK", format!("<{action}Response/>"))
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nx-amzn-requestid: request-7\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// A command of a stack on EC2 with the secrets that it may have.
fn command(world: &World, args: &[&str], token: &str) -> Command {
    let file = world.path().join("password");
    world.write_secret("password", PASSWORD);
    let file = file.display();
    world.describe(&format!(
        "stack: test\nregion: eu-west-1\nservices:\n  notifications: {{build: notifications, \
         mail: {{host: 127.0.0.1, from: a@example.org, user: u, password_file: {file}}}}}\n"
    ));
    let mut command = world.command(args);
    command
        .env("AWS_ENDPOINT_URL", format!("http://{}", api()))
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
        .env("AWS_SESSION_TOKEN", "a-session-token")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("EVENTPOST_TOKEN", token)
        .env_remove("RUST_LOG");
    command
}

fn no_secrets(ran: &Ran, token: &str) {
    for secret in [AWS_SECRET, PASSWORD, "a-session-token", token] {
        assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret), "{ran:?}");
    }
}

#[test]
#[cfg_attr(not(feature = "aws"), ignore = "needs AWS's SDK")]
fn calls_and_their_retries_are_shown_without_secrets() {
    let token = format!("eventpost_{}", "0f".repeat(32));
    let world = World::new();
    let run = |args: &[&str], log: Option<&str>| {
        let mut command = command(&world, args, &token);
        log.map(|log| command.env("RUST_LOG", log));
        let ran = Ran::of(command.output().unwrap());
        no_secrets(&ran, &token);
        ran
    };
    let quiet = run(&["history"], None);
    assert!(!quiet.stderr.contains("DescribeInstances"), "{quiet:?}");

    let calls = |ran: &Ran| {
        let throttled =
            "DescribeInstances, attempt 1: 503 RequestLimitExceeded, request request-7, in ";
        let accepted = "DescribeInstances, attempt 2: 200, request request-7, in ";
        assert!(ran.stderr.contains(throttled) && ran.stderr.contains(accepted), "{ran:?}");
        assert_eq!(ran.stdout, quiet.stdout);
    };
    let info = run(&["-v", "history"], None);
    calls(&info);
    assert!(!info.stderr.contains("aws_smithy_runtime"), "{info:?}");
    let debug = run(&["history", "-vv"], None);
    calls(&debug);
    assert!(debug.stderr.contains("DEBUG") && debug.stderr.contains("aws_smithy_runtime"));
    // Traces of libraries have signed requests in them.
    let trace = run(&["history"], Some("trace"));
    calls(&trace);
    assert!(!trace.stderr.contains("TRACE") && !trace.stderr.contains("Signature="), "{trace:?}");

    // The variable may be meant for another program.
    let warned = run(&["history", "-v"], Some("ec2=loud"));
    calls(&warned);
    assert!(warned.stderr.starts_with("warning: RUST_LOG=`ec2=loud` is ignored: "), "{warned:?}");
}

#[test]
fn local_services_are_started_without_secrets_in_the_log() {
    let token = format!("eventpost_{}", "a7".repeat(32));
    let world = World::new();
    let up = ["up", "--local", "--port-base", &world.port.to_string(), "-vv"];
    let ran = Ran::of(command(&world, &up, &token).output().unwrap());
    no_secrets(&ran, &token);
    assert!(ran.stderr.contains("waiting for it to be ready"), "{ran:?}");
    assert!(ran.stderr.contains("/readyz: 200 OK, in "), "{ran:?}");
}

#[test]
fn the_version_is_short_unless_more_is_asked_for() {
    let world = World::new();
    let short = format!("eventpost {}\n", env!("CARGO_PKG_VERSION"));
    for args in [["--version"].as_slice(), &["-V"]] {
        assert_eq!(world.run(args).succeeded().stdout, short);
    }
    for args in [["--version", "-v"].as_slice(), &["-vV"], &["-V", "--verbose"], &["-v", "-V"]] {
        let long = world.run(args).succeeded().stdout;
        assert!(long.starts_with(&short), "{long}");
        let value = |name: &str| {
            let line = long.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name}: {long}")).trim().to_owned()
        };
        assert!(["aws", "none"].contains(&value("features:").as_str()), "{long}");
        for library in ["OpenSSL", "libssh2"] {
            let version = value(library);
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
        }
    }
}
