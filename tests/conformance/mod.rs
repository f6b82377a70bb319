//! The recorded behaviour of the first EventPost against the real services over TCP:
//! every request is sent, and every answer compared, but for what was decided to be
//! otherwise.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::http::{Answer, connect, read_answer, send};
use crate::harness::{Service, temp_dir};

const RECORDED: &str = include_str!("requests.json");
/// How many requests the recording has: a lost one must not go unnoticed.
const CASES: usize = 90;
/// What had nothing to show and has a page for people now.
const PAGE: &str = "root";

/// A recorded request and its answer.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    method: String,
    path: String,
    body: Option<String>,
    ctype: Option<String>,
    status: u16,
    content_type: Option<String>,
    allow: Option<String>,
    response: Option<String>,
}

#[test]
#[expect(clippy::print_stdout, reason = "the count belongs to the suite's result")]
fn every_recorded_request_is_answered_as_recorded_or_as_decided() {
    let dir = temp_dir();
    let events = Service::start("events", &dir.path().join("events"));
    let notifications = Service::start("notifications", &dir.path().join("notifications"));
    let cases: Vec<Case> = serde_json::from_str(RECORDED).unwrap();
    assert_eq!(cases.len(), CASES);
    let mut wrong = Vec::new();
    for case in &cases {
        let service = if case.name.starts_with("notifications") { &notifications } else { &events };
        if let Err(problem) = run(case, service) {
            wrong.push(format!("{}: {problem}", case.name));
        }
    }
    println!("conformance: {} of {CASES} recorded requests ran", cases.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn run(case: &Case, service: &Service) -> Result<(), String> {
    let path = if case.path.contains("{id}") {
        case.path.replace("{id}", &prepared(case, service))
    } else {
        case.path.clone()
    };
    let answer = ask(case, service, &path);
    let (status, same_body) = expected(case);
    equal("status", &answer.status, &status)?;
    let content_type = case.content_type.as_deref().filter(|_| case.status != 500);
    let content_type = match case.name.as_str() {
        PAGE => "text/html; charset=utf-8",
        _ => content_type.unwrap_or("application/json"),
    };
    equal("content type", &answer.header("content-type"), &Some(content_type))?;
    allows(case, &answer)?;
    if (200..300).contains(&status) && same_body {
        let recorded = case.response.clone().unwrap_or_default();
        equal("body", &without_id(&answer.body), &recorded)?;
    }
    if status >= 400 {
        error_body(case, &answer)?;
    }
    Ok(())
}

/// What the answer must be: the recorded status, or another one that was decided, in
/// which case the recorded body says nothing.
fn expected(case: &Case) -> (u16, bool) {
    let (_, name) = case.name.split_once('/').unwrap_or(("", &case.name));
    let decided = match name {
        "post/json-string"
        | "post/json-number"
        | "post/date-extra"
        | "post/date-spaces"
        | "post/mail-trailing-dot" => 422,
        "get/24-non-hex" | "get/short-id" | "trailing-slash" => 404,
        "post/nested-object" | "post/time-z" => 201,
        "head-list" | PAGE => 200,
        _ => return (case.status, true),
    };
    (decided, false)
}

/// The id of a resource made for the case, and removed again where it asks for that.
fn prepared(case: &Case, service: &Service) -> String {
    let (path, body) = valid(case);
    let id = send(service.address, "POST", path, Some(&body)).json()["id"].as_str().unwrap().into();
    if case.name.ends_with("after-delete") {
        let answer = send(service.address, "DELETE", &format!("{path}/{id}"), None);
        assert_eq!(answer.status, 200);
    }
    id
}

/// The resource that the recording was made with.
fn valid(case: &Case) -> (&'static str, String) {
    if case.path.starts_with("/events") {
        let body = json!({"title": "Title test 1", "date": "2020-12-12", "time": "20:50:12",
            "description": "Description 1, testing aaaaaaaaaaaaaaaaaaaaaaa",
            "place": "old place"});
        ("/events", body.to_string())
    } else {
        let body = json!({"subject": "Subject test 1", "to_mail": "mail@mail.es",
            "content": "Content 1, testingaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "scheduled_time": "2019-12-28T12:58:15"});
        ("/notifications", body.to_string())
    }
}

fn ask(case: &Case, service: &Service, path: &str) -> Answer {
    use std::io::Write;
    let body = case.body.as_deref();
    let ctype = case.ctype.as_ref().map(|ctype| format!("Content-Type: {ctype}\r\n"));
    let length = body.map(|body| format!("Content-Length: {}\r\n", body.len()));
    let request = format!(
        "{} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}{}\r\n{}",
        case.method,
        ctype.unwrap_or_default(),
        length.unwrap_or_default(),
        body.unwrap_or_default(),
    );
    let mut stream = connect(service.address);
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(&mut stream).unwrap()
}

/// Every method that was allowed still is; HEAD has come to them.
fn allows(case: &Case, answer: &Answer) -> Result<(), String> {
    // HEAD itself was refused once, with the methods to use.
    let Some(recorded) = case.allow.as_deref().filter(|_| case.method != "HEAD") else {
        return Ok(());
    };
    let allow = answer.header("allow").unwrap_or_default();
    let missing = |method: &&str| !allow.split(", ").any(|allowed| allowed == *method);
    match recorded.split(", ").chain(["HEAD"]).find(missing) {
        Some(method) => Err(format!("allow: {allow:?} lacks {method}")),
        None => Ok(()),
    }
}

/// Errors are JSON; the recorded sentence is kept.
fn error_body(case: &Case, answer: &Answer) -> Result<(), String> {
    let body: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    let error = body["error"].as_str().ok_or("no `error` in the body")?;
    let recorded: Value = case
        .response
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    match recorded["error"].as_str() {
        Some(sentence) => equal("error", &error, &sentence)?,
        None if error.is_empty() => return Err("an empty `error`".into()),
        None => {}
    }
    if answer.status == 422 {
        let details = body["details"].as_array().ok_or("no `details` in a 422")?;
        let named = |detail: &Value| detail["field"].is_string() && detail["message"].is_string();
        equal("details are named", &(!details.is_empty() && details.iter().all(named)), &true)?;
    }
    Ok(())
}

fn without_id(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => match value["id"].as_str() {
            Some(id) => body.replacen(id, "<oid>", 1),
            None => body.into(),
        },
        Err(_) => body.into(),
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?}, not {wanted:?}")) }
}

#[test]
fn the_decided_exceptions_answer_with_what_was_sent() {
    let dir = temp_dir();
    let service = Service::start("notifications", dir.path());
    let answer = send(
        service.address,
        "POST",
        "/notifications",
        Some(
            r#"{"subject": "Subject test 1", "content": "Content 1, testingaaaaaaaaaaaaaaaaaaa",
            "to_mail": "mail@mail.es", "scheduled_time": "2019-12-28T12:58:15+02:00",
            "extra": {"a": {"b": [1]}}}"#,
        ),
    );
    assert_eq!(answer.status, 201);
    assert_eq!(
        without_id(&answer.body),
        "{\"id\": \"<oid>\", \"subject\": \"Subject test 1\", \"content\": \
         \"Content 1, testingaaaaaaaaaaaaaaaaaaa\", \"to_mail\": \"mail@mail.es\", \
         \"scheduled_time\": \"2019-12-28T10:58:15\"}"
    );
}

#[test]
fn a_list_reads_as_python_writes_it_and_head_tells_its_length() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    assert_eq!(send(service.address, "GET", "/events", None).body, "[]");
    let mut documents = Vec::new();
    for title in ["a", "ñ"] {
        let body = json!({"title": title, "description": "d".repeat(20), "date": "2020-1-2",
            "time": "1:2:3"});
        documents.push(send(service.address, "POST", "/events", Some(&body.to_string())).body);
    }
    let list = send(service.address, "GET", "/events", None);
    assert_eq!(list.body, format!("[{}]", documents.join(", ")));
    let head = send(service.address, "HEAD", "/events", None);
    assert_eq!(head.body, "");
    assert_eq!(head.header("content-length"), Some(list.body.len().to_string().as_str()));
}
