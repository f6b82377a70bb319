//! Reads what hosts on EC2 are launched with: `instance_type`, `instance_profile`, `disk`,
//! `metadata_tokens` and `tags`.

use ec2::{Disk, LaunchOptions, UserTags};
use serde_yaml::Value;
use support::yaml::{Section, kind};

/// The limits of EC2, from its user guide, "Tag your Amazon EC2 resources". eventpost's own tags and
/// the name leave room for 40 more of the 50 that a resource may have.
const MAX_TAGS: usize = 40;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;

const FORM_PROFILE: &str = "the name of an instance profile, letters, digits and +=,.@_-";

/// Reads the keys of the stack.
pub(super) fn launch(top: &mut Section<'_>) -> LaunchOptions {
    let instance_type = top.parsed("instance_type", instance_type, "a type, like t2.xlarge");
    let instance_profile = top.parsed("instance_profile", profile, FORM_PROFILE);
    let disk = top.section("disk").map(disk).unwrap_or_default();
    let tokens = top.parsed("metadata_tokens", is_optional, "required or optional");
    LaunchOptions {
        instance_type: instance_type.unwrap_or_else(|| "t2.xlarge".into()),
        instance_profile,
        disk,
        metadata_without_token: tokens.unwrap_or(false),
    }
}

/// Reads the user's tags.
pub(super) fn tags(mut section: Section<'_>) -> UserTags {
    let entries = section.entries();
    if entries.len() > MAX_TAGS {
        section.own_problem(format!("has {} tags, and at most {MAX_TAGS} fit", entries.len()));
    }
    let mut tags = UserTags::new();
    for (key, value) in entries {
        if let Some(problem) = problem_of_key(&key) {
            section.problem(&key, problem);
        }
        // Whole numbers and booleans are written without quotes more often than not. Of others, the
        // text is not known any more: 1.10 would become 1.1.
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => {
                section.problem(&key, format!("must be a string in quotes, not {}", kind(value)));
                continue;
            }
        };
        if text.chars().count() > MAX_TAG_VALUE || text.chars().any(char::is_control) {
            section.problem(&key, format!("must be at most {MAX_TAG_VALUE} printable characters"));
        }
        tags.insert(key, text);
    }
    tags
}

fn problem_of_key(key: &str) -> Option<String> {
    if key.starts_with("aws:") || key.starts_with("eventpost:") {
        return Some("tags that begin with aws: or eventpost: are not for users".into());
    }
    let fits = (1..=MAX_TAG_KEY).contains(&key.chars().count());
    let is_valid = fits && !key.chars().any(char::is_control);
    (!is_valid).then(|| format!("a tag's name must be 1 to {MAX_TAG_KEY} printable characters"))
}

fn disk(mut section: Section<'_>) -> Disk {
    // 16 TiB is the largest that EC2 has of these types.
    let gib = section.whole("size", 8..=16_384);
    let kind = section.parsed("type", volume_type, "gp2 or gp3");
    let kms_key = section.text("kms_key").map(str::to_owned);
    section.finish();
    Disk { gib, kms_key, kind: kind.unwrap_or_else(|| Disk::default().kind) }
}

fn volume_type(text: &str) -> Option<String> {
    matches!(text, "gp2" | "gp3").then(|| text.into())
}

fn is_optional(text: &str) -> Option<bool> {
    match text {
        "required" => Some(false),
        "optional" => Some(true),
        _ => None,
    }
}

fn instance_type(text: &str) -> Option<String> {
    word(text).filter(|_| text.contains('.'))
}

/// A word as names of regions, types and users are.
pub(super) fn word(text: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (!text.is_empty() && text.bytes().all(allowed)).then(|| text.into())
}

fn profile(text: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    ((1..=128).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{accepted, errors};

    fn with(keys: &str) -> String {
        format!("stack: s\n{keys}\nservices: {{e: {{build: e}}}}")
    }

    #[test]
    fn hosts_are_launched_as_the_file_says() {
        let config = accepted(&with(
            "disk: {size: 40, type: gp2, kms_key: alias/data}\ninstance_profile: logs\n\
             metadata_tokens: optional\ntags: {owner: ops, cost-centre: 17, Name: mine}\nimage: debian-13",
        ));
        let (launch, tags) = (&config.launch, &config.tags);
        assert_eq!((launch.disk.gib, launch.disk.kind.as_str()), (Some(40), "gp2"));
        assert_eq!(launch.disk.kms_key.as_deref(), Some("alias/data"));
        assert_eq!(launch.instance_profile.as_deref(), Some("logs"));
        assert!(launch.metadata_without_token);
        assert_eq!((tags["owner"].as_str(), tags["cost-centre"].as_str()), ("ops", "17"));
        assert_eq!(config.ssh.user, "admin", "of the image");
        let config = accepted(&with(""));
        assert!(!config.launch.metadata_without_token && config.launch.disk.gib.is_none());
        assert_eq!(config.ssh.user, "ubuntu");
    }

    #[test]
    fn what_ec2_would_refuse_is_named_with_its_key() {
        for (keys, message) in [
            ("tags: {aws:a: b}", "tags.aws:a: tags that begin with aws:"),
            ("tags: {eventpost:stack: b}", "tags that begin with aws: or eventpost:"),
            ("tags: {a: [b]}", "tags.a: must be a string in quotes, not a list"),
            ("tags: {a: 1.10}", "tags.a: must be a string in quotes, not a number"),
            ("disk: {size: 4}", "disk.size: must be"),
            ("disk: {type: io1}", "disk.type: must be gp2 or gp3"),
            ("metadata_tokens: v1", "metadata_tokens: must be required or optional"),
            ("instance_profile: a/b", "instance_profile: must be the name"),
            ("image: ubuntu-16.04", "image: must be ubuntu-18.04, ubuntu-20.04"),
        ] {
            let error = errors(&with(keys));
            assert!(error.contains(message), "{message}: {error}");
        }
        let long = format!("tags: {{a: {}}}", "x".repeat(257));
        assert!(errors(&with(&long)).contains("at most 256"));
    }
}
