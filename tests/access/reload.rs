//! Tokens that change while a service runs.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use rest::access::tokens::Role;

use super::with_file;
use crate::harness::http::{Client, ask};
use crate::harness::tokens::Tokens;
use crate::harness::{Service, Signal, signal, temp_dir, wait_for};

#[test]
fn sighup_brings_new_tokens_and_ends_revoked_ones_while_others_read() {
    let (dir, mut tokens) = (temp_dir(), Tokens::of_all_roles());
    let file = dir.path().join("tokens");
    let service = Service::start_command(
        with_file("notifications", &tokens, dir.path()),
        &dir.path().join("d"),
    );
    let get = |header: &str| ask(service.address, "GET", "/notifications", header, "").status;
    let reads = tokens.header("read");
    let stop = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut client = Client::connect(service.address).unwrap();
            let mut read = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = client.send_with("GET", "/notifications", &reads, "").unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                read += 1;
            }
            read
        });
        for n in 0..10 {
            let (new, old) =
                (format!("n{n}"), if n == 0 { "write".into() } else { format!("n{}", n - 1) });
            tokens.add(&new, Role::Write, None);
            assert_eq!([get(&tokens.header(&new)), get(&tokens.header(&old))], [401, 200]);
            tokens.revoke(&old);
            tokens.write(&file);
            signal(service.pid(), Signal::HUP);
            let (new, old) = (tokens.header(&new), tokens.header(&old));
            wait_for("the new list", || (get(&new) == 200).then_some(()));
            assert_eq!(get(&old), 401);
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(read > 10, "{read}");
}

#[test]
fn a_list_that_is_broken_at_sighup_changes_nothing() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let file = dir.path().join("tokens");
    let stderr = dir.path().join("stderr");
    let mut command = with_file("events", &tokens, dir.path());
    command.args(["--listen", "127.0.0.1:0"]).stderr(fs::File::create(&stderr).unwrap());
    let service = Service::start_with_arguments(command, &dir.path().join("data"));
    let said = || fs::read_to_string(&stderr).unwrap();
    let times = |text: &str| said().matches(text).count();
    let secret = tokens.secrets().next().unwrap();
    let good = fs::read_to_string(&file).unwrap();
    for (n, broken) in
        [Some(format!("{good}ci write {secret}\n")), Some("x".into()), None].into_iter().enumerate()
    {
        match broken {
            Some(text) => fs::write(&file, text).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        signal(service.pid(), Signal::HUP);
        wait_for("the service to say so", || {
            (times("the previous list stays in use") > n).then_some(())
        });
        assert_eq!(times(file.to_str().unwrap()), n + 1, "{}", said());
        for (name, status) in [("read", 403), ("admin", 200)] {
            let header = tokens.header(name);
            assert_eq!(ask(service.address, "GET", "/metrics", &header, "").status, status);
        }
    }
    assert!(said().contains("line 6: ci: the SHA-256") && !said().contains(secret), "{}", said());
}
