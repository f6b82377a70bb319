//! Scripts as they are read, and every mistake in them with its line.

use super::*;

fn read(text: &str) -> Result<Script, String> {
    parse(text, "load.yml".into(), Path::new(""), &[]).map_err(|errors| errors.to_string())
}

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
    let script = parse(DEFAULT, "built-in".into(), Path::new(""), &[]).unwrap();
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
fn what_is_left_out_has_the_default_of_taurus() {
    let script = read(SMALL).unwrap();
    let execution = &script.executions[0];
    assert_eq!((execution.users, execution.throughput), (1, None));
    assert_eq!(execution.hold_for, Some(Duration::from_secs(90)));
    let request = &execution.scenario.requests[0];
    assert_eq!((request.label.as_str(), &request.method), ("/events", &Method::GET));
    assert!(execution.scenario.keepalive);
}

#[test]
fn every_mistake_is_reported_with_its_line() {
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
      extract-jsonpath: {id: $.id}
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
    has("line 5: execution[0].executor: is not supported");
    has("line 8: scenarios.one.default-address: ");
    has("line 9: scenarios.one.keep-alive: is not a key here; did you mean `keepalive`?");
    has("line 11: scenarios.one.requests[0].url: must begin with /");
    has("line 12: scenarios.one.requests[1].url: calls ${__Random(1,2)}");
    has("line 13: scenarios.one.requests[1].extract-jsonpath: is not supported");
    has("line 15: scenarios.one.requests[1].extract-regexp.id.match-no: must be a whole number");
    has("line 16: scenarios.one.requests[1].extract-regexp.other.regexp: ");
    has("line 17: modules: is not supported");
}

#[test]
fn an_execution_must_come_to_an_end() {
    let errors = read(&SMALL.replace("  hold-for: 1m30s\n", "")).unwrap_err();
    assert!(errors.contains("line 2: execution[0]: needs `hold-for`"), "{errors}");
}

#[test]
fn a_scenario_must_have_requests() {
    let text = SMALL.replace("requests:\n    - /events", "requests: []");
    let errors = read(&text).unwrap_err();
    let expected = "line 7: scenarios.one.requests: must have at least one request";
    assert!(errors.contains(expected), "{errors}");
}

#[test]
fn values_are_changed_from_the_command_line() {
    let changes: Vec<Override> = ["execution.0.hold-for=5s", "execution.0.throughput=12.5"]
        .map(|text| text.parse().unwrap())
        .into();
    let script = parse(SMALL, "load.yml".into(), Path::new(""), &changes).unwrap();
    assert_eq!(script.executions[0].hold_for, Some(Duration::from_secs(5)));
    assert_eq!(script.executions[0].throughput, Some(12.5));
    let beyond = ["execution.7.hold-for=5s".parse().unwrap()];
    let error = parse(SMALL, "load.yml".into(), Path::new(""), &beyond).unwrap_err().to_string();
    assert!(error.contains("-o execution.7.hold-for: there is no `7`"), "{error}");
    assert!("hold-for".parse::<Override>().is_err());
}

#[test]
fn templates_are_filled_and_what_is_unknown_stays() {
    let template = Template::new("/events/${id}?x=${none}&y=${").unwrap();
    let variables = Variables::from([("id".to_owned(), "7".to_owned())]);
    assert_eq!(template.fill(&variables), "/events/7?x=${none}&y=${");
}

#[test]
fn values_are_taken_from_answers() {
    let extract = |fields: &str, body: &str| {
        let text = SMALL.replace(
            "- /events",
            &format!(
                "- {{url: /events, extract-regexp: {{v: {{regexp: 'id=(\\d)(\\d)', {fields}}}}}}}"
            ),
        );
        let script = read(&text).unwrap();
        let mut variables = Variables::new();
        let extractor = &script.executions[0].scenario.requests[0].extractors[0];
        extractor.extract(body.as_bytes(), &mut variables, |matches| matches - 1);
        variables.remove("v")
    };
    let body = "id=12 id=34 id=56";
    assert_eq!(extract("match-no: 1", body).as_deref(), Some("1"));
    assert_eq!(extract("match-no: 2, template: 2", body).as_deref(), Some("4"));
    assert_eq!(extract("match-no: 0", body).as_deref(), Some("5"));
    assert_eq!(extract("template: '<$2$-$1$>'", body).as_deref(), Some("<2-1>"));
    assert_eq!(extract("match-no: 9, default: none", body).as_deref(), Some("none"));
    assert_eq!(extract("match-no: 9", body), None);
}
