//! How the API is reached, and with whose credentials.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use super::ONE;
use crate::harness::cli::Ran;
use crate::harness::region::{Stack, calls_with};

fn ran(command: &mut Command) -> Ran {
    Ran::of(command.output().unwrap())
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_profile_that_is_named_counts_whatever_the_environment_has() {
    let stack = Stack::new("profile", ONE);
    let file = stack.world.path().join("credentials");
    fs::write(&file, "[mine]\naws_access_key_id = profiled\naws_secret_access_key = secret\n")
        .unwrap();
    let status = |args: &[&str]| {
        let mut command = stack.command(&[&["status"], args].concat());
        ran(command.env("AWS_SHARED_CREDENTIALS_FILE", &file).env("AWS_CONFIG_FILE", &file))
    };
    assert_eq!(status(&[]).code, Some(3));
    assert!(calls_with("profiled").is_empty());
    assert_eq!(status(&["--profile", "mine"]).code, Some(3));
    assert!(calls_with("profiled").contains(&"DescribeInstances".to_owned()));
    let unknown = status(&["--profile", "nobody"]);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("nobody"), "{unknown:?}");
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn calls_go_through_the_proxy_that_the_environment_names() {
    let stack = Stack::new("proxy", ONE);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let seen = thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let mut request = vec![0; 16 << 10];
        let length = stream.read(&mut request).unwrap();
        let answer = "<Response><Errors><Error><Code>AuthFailure</Code><Message>by the proxy\
            </Message></Error></Errors></Response>";
        let head = format!("HTTP/1.1 401 No\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all((head + answer).as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let status = |no_proxy: &str| {
        let mut command = stack.command(&["status"]);
        ran(command.env("HTTP_PROXY", &url).env("http_proxy", &url).env("NO_PROXY", no_proxy))
    };
    assert_eq!(status("127.0.0.1").code, Some(3));
    let proxied = status("");
    assert!(proxied.stderr.contains("by the proxy"), "{proxied:?}");
    assert!(seen.join().unwrap().starts_with("POST http://127.0.0.1:"));
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_bundle_of_certificates_that_cannot_be_used_is_named() {
    let stack = Stack::new("bundle", ONE);
    let empty = stack.world.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for file in [empty.as_path(), "/nowhere.pem".as_ref()] {
        let failed = ran(stack.command(&["status"]).env("AWS_CA_BUNDLE", file));
        assert_eq!(failed.code, Some(1), "{failed:?}");
        let problem = format!("AWS_CA_BUNDLE cannot be used: {}", file.display());
        assert!(failed.stderr.contains(&problem), "{failed:?}");
    }
}
