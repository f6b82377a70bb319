//! What is accepted, what is refused, and how the refusal reads.

use ec2::GroupName;

use super::*;

/// What is wrong with a description.
pub(super) fn errors(text: &str) -> String {
    parse(text, Origin::File("test.yml".into()), None).unwrap_err().to_string()
}

/// A description without errors.
pub(crate) fn accepted(text: &str) -> Config {
    parse(text, Origin::File("test.yml".into()), None).unwrap()
}

#[test]
fn the_built_in_deployment_is_valid_and_has_the_documented_defaults() {
    let built_in = parse(DEFAULT, Origin::BuiltIn, None).unwrap();
    let least = accepted("stack: eventpost\nservices: {events: {build: services/events}}");
    assert_eq!(built_in.launch.instance_type, least.launch.instance_type);
    assert_eq!(built_in.image, least.image);
    assert_eq!(built_in.ssh, least.ssh);
    assert_eq!(built_in.security_group, least.security_group);
    let (full, bare) = (&built_in.services[0], &least.services[0]);
    assert_eq!((&full.source, full.port, &full.health), (&bare.source, bare.port, &bare.health));
    assert_eq!(full.volume, bare.volume);
    assert_eq!(built_in.region.as_deref(), Some("us-east-1"));
}

#[test]
fn every_problem_is_reported_at_once_with_line_and_path() {
    let text = "\
stack: My Stack
regoin: us-east-1
instance_type: 4
security_group:
  ssh_from: everybody
services:
  events:
    build: services/events
    prot: 80
    port: 99999
    health: readyz
    env:
      OK: 1
      BAD: [x]
  notifications:
    port: eighty
";
    assert_eq!(
        errors(text),
        "\
test.yml has 9 problems
  line 1: stack: must be lowercase letters, digits and hyphens, a letter first, at most 32 in \
all, not `My Stack`
  line 2: regoin: is not a key here; did you mean `region`?
  line 3: instance_type: must be a string, not a number
  line 5: security_group.ssh_from: must be `auto` or a network, like 203.0.113.0/24, not \
`everybody`
  line 9: services.events.prot: is not a key here; did you mean `port`?
  line 10: services.events.port: must be a port from 1 to 65535, not 99999
  line 11: services.events.health: must be a path that begins with /, not `readyz`
  line 14: services.events.env.BAD: must be a string, not a list
  line 15: services.notifications: needs either `build` or `image`, and has neither
  line 16: services.notifications.port: must be a port from 1 to 65535, not a string"
            .replace("9 problems", "10 problems")
    );
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        errors("region: us-east-1"),
        "test.yml has 2 problems\n  `stack` is missing\n  `services` is missing"
    );
    assert_eq!(
        errors("stack: a\nservices: {}"),
        "test.yml: line 2: services: must have at least one service"
    );
    assert_eq!(errors("[]"), "test.yml: must be a mapping of keys to values, not a list");
    assert_eq!(errors(""), "test.yml: must be a mapping of keys to values, not nothing");
}

#[test]
fn text_that_is_not_yaml_is_located() {
    let message = errors("stack: a\nservices: [\n");
    assert!(message.starts_with("test.yml: ") && message.contains("line"), "{message}");
    let message = errors("stack: a\nstack: b\n");
    assert!(message.contains("duplicate"), "{message}");
}

#[test]
fn both_sources_are_one_too_many() {
    let message = errors("stack: a\nservices:\n  x: {build: b, image: c/d:1}");
    assert_eq!(
        message,
        "test.yml: line 3: services.x: needs either `build` or `image`, and has both"
    );
}

#[test]
fn environment_values_may_be_bare_scalars() {
    let config =
        accepted("stack: a\nservices:\n  x:\n    image: c/d:1\n    env: {A: 1, B: true, C: text}");
    let env: Vec<_> = config.services[0].env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=1", "B=true", "C=text"]);
}

#[test]
fn an_environment_value_is_one_line() {
    for value in ["\"a\\nB=b\"", "\"a\\r\"", "\"a\\0\""] {
        let text = format!("stack: a\nservices:\n  x:\n    image: c/d:1\n    env: {{A: {value}}}");
        let message = errors(&text);
        assert!(message.contains("services.x.env.A: must be one line"), "{message}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let message = load(Some(Path::new("/nonexistent/x.yml")), None).unwrap_err().to_string();
    assert!(message.starts_with("/nonexistent/x.yml: cannot be read"), "{message}");
}

#[test]
fn another_name_names_everything_that_is_named_after_the_stack() {
    let name = Name::new("staging").unwrap();
    let config = parse(DEFAULT, Origin::BuiltIn, Some(&name)).unwrap();
    assert_eq!(config.stack, name);
    assert_eq!(config.security_group.name, GroupName::Default(name.to_string()));
}

#[test]
fn a_group_that_the_file_names_is_not_the_default_even_by_the_same_name() {
    let text = |group: &str| format!("stack: s\nservices: {{e: {{build: b}}}}\n{group}");
    let name = |group: &str| accepted(&text(group)).security_group.name;
    let default = GroupName::Default("s".into());
    assert_eq!(name("security_group: {ssh_from: auto}"), default);
    assert_eq!(name("security_group: {name: s}"), GroupName::Configured("s".into()));
    assert_eq!(default.as_str(), "s");
}

#[test]
fn a_service_that_keeps_its_own_data_cannot_be_doubled() {
    let service = |replicas: &str| {
        format!("stack: s\nservices:\n  events:\n    build: b\n    replicas: {replicas}\n")
    };
    assert!(parse(&service("1"), Origin::BuiltIn, None).is_ok());
    let error = parse(&service("3"), Origin::BuiltIn, None).unwrap_err().to_string();
    let expected =
        "line 5: services.events.replicas: must be 1: eventpost runs one host per service";
    assert!(error.contains(expected), "{error}");
    assert!(error.contains("`instance_type`"), "the way out: {error}");
}

#[test]
fn a_first_description_is_valid_and_keeps_the_comments() {
    let name = Name::new("mine").unwrap();
    let text = first(Some(&name), Some("eu-west-1"));
    let config = accepted(&text);
    assert_eq!((config.stack, config.region.as_deref()), (name, Some("eu-west-1")));
    assert!(text.starts_with("# Names everything that belongs together."), "{text}");
    assert!(text.contains("# Existing hosts"), "{text}");
}

/// The keys that the schema has at a place, and those that the reader says it knows.
fn keys(schema: &serde_json::Value, text: &str, path: &str) -> (Vec<String>, Vec<String>) {
    let properties = schema.pointer(path).and_then(|it| it.as_object()).unwrap();
    let mut there: Vec<_> = properties.keys().cloned().collect();
    let message = errors(text);
    let known = message.lines().find_map(|line| line.split_once("known are ")).unwrap().1;
    let mut read: Vec<_> = known.split(", ").map(str::to_owned).collect();
    there.sort();
    read.sort();
    (there, read)
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let services = "services: {s: {build: b}}";
    for (path, text) in [
        ("/properties", format!("stack: s\n{services}\nzzzz: 1")),
        ("/properties/ssh/properties", format!("stack: s\n{services}\nssh: {{zzzz: 1}}")),
        (
            "/properties/security_group/properties",
            format!("stack: s\n{services}\nsecurity_group: {{zzzz: 1}}"),
        ),
        ("/properties/docker/properties", format!("stack: s\n{services}\ndocker: {{zzzz: 1}}")),
        (
            "/$defs/service/properties/mail/properties",
            "stack: s\nservices: {s: {build: b, mail: {host: h, from: a@b, zzzz: 1}}}".into(),
        ),
        ("/$defs/limits/properties", format!("stack: s\n{services}\nlimits: {{zzzz: 1}}")),
        ("/$defs/service/properties", "stack: s\nservices: {s: {build: b, zzzz: 1}}".into()),
    ] {
        let (has, knows) = keys(&schema, &text, path);
        assert_eq!(has, knows, "{path}");
    }
}
