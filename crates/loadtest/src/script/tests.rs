//! Reading scripts, and the errors with their lines.

use hyper::Method;

use super::read_text as read;
use super::*;

const SMALL: &str = "execution:
- scenario: one
  hold-for: 1m30s
scenarios:
  one:
    default-address: http://127.0.0.1:8000
    requests:
    - /events
";

#[test]
fn the_built_in_script_is_valid() {
    let script = parse(DEFAULT, "built-in".into(), &Files::Folder("".into()), &[]).unwrap();
    let users: Vec<_> = script.executions.iter().map(|execution| execution.users).collect();
    assert_eq!(users, [7, 3, 7, 3]);
    let read = &script.executions[0];
    assert_eq!(read.throughput, Some(3000.0));
    assert_eq!((read.ramp_up, read.steps), (Duration::from_secs(5), Some(5)));
    let labels: Vec<_> = read.scenario.requests.iter().map(|request| &request.label).collect();
    assert_eq!(labels[..2], ["GET /events", "GET /events/{id}"]);
    assert_eq!(read.scenario.requests[0].extractors.len(), 5);
}

#[test]
fn defaults_are_those_of_taurus() {
    let script = read(SMALL).unwrap();
    let execution = &script.executions[0];
    assert_eq!((execution.users, execution.throughput), (1, None));
    assert_eq!(execution.hold_for, Some(Duration::from_secs(90)));
    let request = &execution.scenario.requests[0];
    assert_eq!((request.label.as_str(), &request.method), ("/events", &Method::GET));
    assert!(execution.scenario.keepalive);
}

#[test]
fn every_problem_is_reported_with_its_line() {
    let text = "execution:
- scenario: two
  concurrency: 0
  hold-for: soon
  executor: gatling
scenarios:
  one:
    default-address: ftp://x
    keep-alive: true
    requests:
    - {url: events, method: GET}
    - url: /events/${__Random(1,2)}
      extract-xpath: {id: /id}
      extract-regexp:
        id: {regexp: 'id', match-no: -1}
        other: '('
modules: {}
";
    let errors = read(text).unwrap_err();
    let lines: Vec<_> = errors.lines().map(str::trim).collect();
    let has =
        |start: &str| assert!(lines.iter().any(|l| l.starts_with(start)), "{start}\n{errors}");
    has("line 2: execution[0].scenario: there is no scenario `two`");
    has("line 3: execution[0].concurrency: must be a whole number from 1 to 100000, not 0");
    has("line 4: execution[0].hold-for: must be a time");
    has("line 5: execution[0].executor: only `jmeter` is supported");
    has("line 8: scenarios.one.default-address: ");
    has("line 9: scenarios.one.keep-alive: is not a key here; did you mean `keepalive`?");
    has("line 11: scenarios.one.requests[0].url: must begin with /");
    has("line 12: scenarios.one.requests[1].url: calls ${__Random(1,2)}");
    has("line 13: scenarios.one.requests[1].extract-xpath: is not supported");
    has("line 15: scenarios.one.requests[1].extract-regexp.id.match-no: must be a whole number");
    has("line 16: scenarios.one.requests[1].extract-regexp.other.regexp: ");
    has("line 17: modules: is not supported");
}

#[test]
fn an_execution_must_end() {
    let errors = read(&SMALL.replace("  hold-for: 1m30s\n", "")).unwrap_err();
    assert!(errors.contains("line 2: execution[0]: never ends: set `hold-for`"), "{errors}");
}

#[test]
fn a_scenario_must_have_requests() {
    let text = SMALL.replace("requests:\n    - /events", "requests: []");
    let errors = read(&text).unwrap_err();
    let expected = "line 7: scenarios.one.requests: must have at least one request";
    assert!(errors.contains(expected), "{errors}");
}

#[test]
fn values_are_overridden_from_the_command_line() {
    let changes: Vec<Override> = ["execution.0.hold-for=5s", "execution.0.throughput=12.5"]
        .map(|text| text.parse().unwrap())
        .into();
    let script = parse(SMALL, "load.yml".into(), &Files::Folder("".into()), &changes).unwrap();
    assert_eq!(script.executions[0].hold_for, Some(Duration::from_secs(5)));
    assert_eq!(script.executions[0].throughput, Some(12.5));
    let beyond = ["execution.7.hold-for=5s".parse().unwrap()];
    let error = parse(SMALL, "load.yml".into(), &Files::Folder("".into()), &beyond)
        .unwrap_err()
        .to_string();
    assert!(error.contains("-o execution.7.hold-for: there is no `7`"), "{error}");
    assert!("hold-for".parse::<Override>().is_err());
}

#[test]
fn variables_without_a_value_stay_as_they_are_written() {
    let template = Template::new("/events/${id}?x=${none}&y=${").unwrap();
    let variables = Variables::from([("id".to_owned(), "7".to_owned())]);
    let mut text = Vec::new();
    template.fill(&variables, &mut text);
    assert_eq!(text, b"/events/7?x=${none}&y=${");
}

#[test]
fn a_value_cannot_make_two_requests_of_one() {
    let template = Template::new("/events/${id}").unwrap();
    let error = template.fill_checked(&Variables::new(), &mut Vec::new(), in_path).unwrap_err();
    assert_eq!(error.to_string(), "cannot be sent: ${id} has no value");
    for value in ["7 HTTP/1.1\r\n\r\nDELETE /", "7 8", "\u{e9}"] {
        let variables = Variables::from([("id".to_owned(), value.to_owned())]);
        let error = template.fill_checked(&variables, &mut Vec::new(), in_path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot be sent: ${id} has a character that is not allowed there"
        );
    }
}

/// The value of the variable `v` after a response, with an extractor of the script; any match
/// is the last one.
fn extract(extractor: &str, response: &ResponseParts<'_>) -> String {
    let text = SMALL.replace("- /events", &format!("- {{url: /events, {extractor}}}"));
    let script = read(&text).unwrap();
    let mut variables = Variables::new();
    let extractor = &script.executions[0].scenario.requests[0].extractors[0];
    extractor.extract(response, &mut MatchCache::default(), &mut variables, |matches| matches - 1);
    variables.remove("v").unwrap()
}

#[test]
fn values_are_extracted_by_regular_expressions() {
    let extract = |fields: &str| {
        let head = b"HTTP/1.1 201 Created\r\nlocation: /events/id=78\r\nx: y\r\n\r\n";
        let response = ResponseParts { status: 201, head, body: b"id=12 id=34 id=56" };
        let text = format!("extract-regexp: {{v: {{regexp: 'id=(\\d)(\\d)', {fields}}}}}");
        self::extract(&text, &response)
    };
    assert_eq!(extract(""), "1");
    assert_eq!(extract("match-no: 2, template: 2"), "4");
    assert_eq!(extract("match-no: 0"), "5");
    assert_eq!(extract("template: '<$2$-$1$>'"), "<2-1>");
    assert_eq!(extract("match-no: 9, default: none"), "none");
    assert_eq!(extract("match-no: 9"), "NOT_FOUND");
    assert_eq!(extract("subject: headers, template: $1$$2$"), "78");
    let status = "extract-regexp: {v: {regexp: '^(2)', subject: http-code}}";
    let response = ResponseParts { status: 204, ..ResponseParts::default() };
    assert_eq!(self::extract(status, &response), "2");
    assert_eq!(
        self::extract(status, &ResponseParts::default()),
        "NOT_FOUND",
        "there is no response"
    );
}

#[test]
fn values_are_extracted_by_json_paths() {
    let extract = |path: &str, body: &str| {
        let response = ResponseParts { status: 200, head: b"", body: body.as_bytes() };
        self::extract(&format!("extract-jsonpath: {{v: {path}}}"), &response)
    };
    let body = r#"[{"id": "a", "n": 1.50, "tags": ["x", "y"], "none": null}, {"id": "b"}]"#;
    assert_eq!(extract("'$[0].id'", body), "a");
    assert_eq!(extract("'$[*].id'", body), "b", "any match");
    assert_eq!(extract("{jsonpath: '$[*].id', match-no: 1}", body), "a");
    assert_eq!(extract("'$[0].n'", body), "1.5");
    assert_eq!(extract("'$[0].tags'", body), r#"["x","y"]"#);
    assert_eq!(extract("'$[0].none'", body), "");
    assert_eq!(extract("{jsonpath: '$[7].id', default: none}", body), "none");
    assert_eq!(extract("'$[0].id'", "no JSON"), "NOT_FOUND");
}

#[test]
fn assertions_are_checked() {
    let failure = |assert: &str, status: u16| {
        let text = SMALL.replace("- /events", &format!("- {{url: /events, {assert}}}"));
        let script = read(&text).unwrap();
        let response =
            ResponseParts { status, head: b"HTTP/1.1 200 OK\r\nX-A: b\r\n", body: b"one.two" };
        script.executions[0].scenario.requests[0].failure(&response)
    };
    assert_eq!(failure("assert: ['one', 't.o']", 200), None);
    let missing = failure("assert: ['one', 'three']", 200);
    assert_eq!(missing.as_deref(), Some("assertion: body does not contain `three`"));
    assert!(failure("assert: [{contains: ['t.o'], regexp: false}]", 200).is_some());
    let there = failure("assert: [{contains: [three, two], not: true}]", 200);
    assert_eq!(there.as_deref(), Some("assertion: body contains `two`"));
    assert_eq!(failure("assert: [{contains: 'X-A: b', subject: headers}]", 200), None);
    assert_eq!(failure("assert: [{contains: 200, subject: http-code}]", 200), None);
    assert_eq!(failure("assert: [one]", 503).as_deref(), Some("status 503"));
    let expected = "assert: [{contains: 503, subject: http-code, assume-success: true}]";
    assert_eq!(failure(expected, 503), None);
    assert!(failure("assert: []", 302).unwrap().contains("redirects are not followed"));
    assert_eq!(failure("follow-redirects: false", 302), None);
}

#[test]
fn the_content_of_a_body_file_is_sent_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("body.txt"), "${id} ${__time()}").unwrap();
    let text = SMALL.replace("- /events", "- {url: /events, body-file: body.txt}");
    let script = parse(&text, "load.yml".into(), &Files::Folder(dir.path().into()), &[]).unwrap();
    let body = script.executions[0].scenario.requests[0].body.as_ref().unwrap();
    let (mut sent, variables) = (Vec::new(), Variables::from([("id".into(), "7".into())]));
    body.fill(&variables, &mut sent);
    assert_eq!(sent, b"${id} ${__time()}");
}

#[test]
fn criteria_are_read_from_executions_scenarios_and_reporting() {
    let text = SMALL.replace("  hold-for: 1m30s", "  hold-for: 1m30s\n  criteria: ['hits<1']")
        + "    criteria: {too slow: 'p99 of /events>1s'}\nreporting:\n- module: passfail\n  criteria: [fail>0%]\n";
    let criteria = read(&text).unwrap().criteria;
    let all: Vec<_> = criteria.iter().map(|it| (it.text.as_str(), it.execution)).collect();
    let expected = [("hits<1", Some(0)), ("p99 of /events>1s", Some(0)), ("fail>0%", None)];
    assert_eq!(all, expected);
    assert_eq!(criteria[1].message.as_deref(), Some("too slow"));
}

#[test]
fn a_criterion_about_an_unknown_label_is_a_problem() {
    let text = SMALL.to_owned()
        + "reporting:\n- module: passfail\n  criteria:\n  - avg-rt of /event>1s\n  - slow\n- module: console\n";
    let errors = read(&text).unwrap_err();
    let label = "line 12: reporting[0].criteria[0]: there is no request with the label `/event`";
    for expected in [
        label,
        "line 13: reporting[0].criteria[1]: `slow` must be like",
        "line 14: reporting[1].module: only `passfail`",
    ] {
        assert!(errors.contains(expected), "{errors}");
    }
}
