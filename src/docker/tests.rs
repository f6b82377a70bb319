//! Docker on a host that does exactly what a script says: anything else that is asked
//! of it fails the test.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use ssh::{Output, Progress, Transport, TransportError};
use support::event::{Event, EventSink};

use super::*;

/// What a host is asked, by a part of the command line, and what it does then.
type Step = (&'static str, Result<Output, TransportError>);

struct Scripted {
    steps: VecDeque<Step>,
}

impl Transport for Scripted {
    fn exec(
        &mut self,
        command: &Command,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Output, TransportError> {
        let (part, outcome) = self.steps.pop_front().expect("no more commands were expected");
        assert!(command.line.contains(part), "expected {part}, not {}", command.line);
        watch(Progress::Sent(command.stdin.len() / 2));
        outcome
    }

    fn tunnel(
        &mut self,
        port: u16,
        _: UnixStream,
        _: &mut dyn FnMut(),
    ) -> Result<(), TransportError> {
        panic!("no tunnel to port {port} was expected");
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl EventSink for Recorder {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

fn host(steps: Vec<Step>) -> Host {
    Host::new("events (i-1)", Scripted { steps: steps.into() })
}

fn output(code: i32, stderr: &str) -> Output {
    Output { code, stderr: stderr.into(), ..Output::default() }
}

fn image() -> Image {
    let identity = "[\"sha256:5678\"] [\"/service\"] 65532:65532".into();
    Image { tag: "eventpost/events:1234".into(), archive: vec![7; 1000].into(), identity }
}

/// What Docker says of an image with this layer.
fn inspected(layer: &str) -> Step {
    let stdout = format!("[\"sha256:{layer}\"] [\"/service\"] 65532:65532\n");
    ("docker image inspect --format", Ok(Output { stdout, ..output(0, "") }))
}

#[tokio::test]
async fn an_image_that_the_host_has_is_not_sent() {
    let events = Recorder::default();
    let host = host(vec![inspected("5678")]);
    let reporter = Reporter::new(&events, "events");
    assert_eq!(upload(&host, &image(), reporter).await.unwrap(), None);
}

#[tokio::test]
async fn what_has_the_name_of_an_image_and_is_another_one_is_replaced_and_never_run() {
    let events = Recorder::default();
    let host = host(vec![
        inspected("other"),
        ("images/eventpost-events-1234.tar 0600 0 1000", Ok(output(0, ""))),
        ("docker load", Ok(output(0, ""))),
        inspected("other"),
    ]);
    let reporter = Reporter::new(&events, "events");
    let file = upload(&host, &image(), reporter).await.unwrap().unwrap();
    let error = load(&host, &image(), &file).await.unwrap_err().to_string();
    assert!(error.contains("eventpost/events:1234 is not what was sent"), "{error}");
}

#[tokio::test]
async fn an_upload_that_is_cut_leaves_no_file_to_load_and_the_next_one_sends_it_again() {
    let events = Recorder::default();
    let reporter = Reporter::new(&events, "events");
    let cut = Err(TransportError("the connection failed: socket disconnect".into()));
    let first = host(vec![
        ("docker image inspect", Ok(output(1, ""))),
        // The script knows how long the whole is.
        ("images/eventpost-events-1234.tar 0600 0 1000", cut),
    ]);
    let error = upload(&first, &image(), reporter).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "events (i-1): while uploading the image: the connection failed: socket disconnect"
    );
    let second = host(vec![
        ("docker image inspect", Ok(output(1, ""))),
        ("images/eventpost-events-1234.tar 0600 0 1000", Ok(output(0, ""))),
    ]);
    let file = upload(&second, &image(), reporter).await.unwrap();
    assert_eq!(file.as_deref(), Some("/var/lib/eventpost/images/eventpost-events-1234.tar"));
    let moved = events.0.lock().unwrap().iter().any(|event| {
        matches!(event.kind, support::event::Kind::Bytes { moved: 500, all: 1000, .. })
    });
    assert!(moved, "the progress of the upload must be reported");
}

#[tokio::test]
async fn a_failing_installation_shows_the_end_of_its_output() {
    let events = Recorder::default();
    let steps =
        vec![("sudo sh -s -- distro", Ok(output(100, "E: Unable to locate package docker.io")))];
    let error = install(&host(steps), DockerSource::Distro, Reporter::new(&events, "events"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("installing Docker failed (exit status 100)"), "{error}");
    assert!(error.contains("  E: Unable to locate package docker.io"), "{error}");
}

#[tokio::test]
async fn secrets_of_the_environment_are_on_no_command_line() {
    struct Lines(std::sync::mpsc::Sender<(String, Vec<u8>)>);
    impl Transport for Lines {
        fn exec(
            &mut self,
            command: &Command,
            _: &mut dyn FnMut(Progress),
        ) -> Result<Output, TransportError> {
            self.0.send((command.line.clone(), command.stdin.to_vec())).unwrap();
            Ok(Output::default())
        }

        fn tunnel(
            &mut self,
            port: u16,
            _: UnixStream,
            _: &mut dyn FnMut(),
        ) -> Result<(), TransportError> {
            panic!("no tunnel to port {port} was expected");
        }
    }
    let text = "stack: s\nservices: {events: {build: b, env: {TOKEN: hunter2}}}";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("eventpost.yml");
    std::fs::write(&file, text).unwrap();
    let config = crate::config::load(Some(&file), None).unwrap();
    let (lines, sent) = std::sync::mpsc::channel();
    let events = Recorder::default();
    let host = Host::new("events", Lines(lines));
    let reporter = Reporter::new(&events, "events");
    run(&host, &config.services[0], "image", WriteMode::ReadWrite, reporter).await.unwrap();
    let sent: Vec<_> = sent.try_iter().collect();
    assert!(sent.iter().all(|(line, _)| !line.contains("hunter2")), "{sent:?}");
    assert_eq!(sent[0].1, b"TOKEN=hunter2\n");
}

#[tokio::test]
async fn a_container_is_read_from_standard_output_alone() {
    let config = crate::config::load(None, None).unwrap();
    let inspected = async |stdout: &str| {
        let warning = "sudo: unable to resolve host ip-10-0-0-1\n";
        let output = Output { stdout: stdout.into(), ..output(0, warning) };
        inspect(&host(vec![("sudo sh -s -- eventpost-", Ok(output))]), &config.services[0]).await
    };
    let read = inspected("running eventpost/events:1 0\n").await.unwrap().unwrap();
    assert_eq!(
        (read.status, read.image.as_str()),
        (ContainerStatus::Running, "eventpost/events:1")
    );
    assert_eq!(inspected("").await.unwrap(), None);
    let error = inspected("asleep eventpost/events:1 0\n").await.unwrap_err().to_string();
    assert!(error.contains("cannot read: `asleep eventpost/events:1 0`"), "{error}");
}
