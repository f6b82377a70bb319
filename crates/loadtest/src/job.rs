//! What the command and the load-test program on a host send each other: a [`Job`] goes in on
//! standard input, and [`Message`]s come out on standard output, one JSON document a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use support::event::Event;
use support::token::Token;

use super::results::Results;
use super::script::{Script, ScriptErrors};

/// A load test to run: some executions of a script, with everything that they need.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The script as YAML.
    script: String,
    /// The files that the script names, with their content.
    files: BTreeMap<String, String>,
    /// Scenarios that run as open loops, with their requests a second.
    rates: BTreeMap<String, f64>,
    /// The token that requests carry.
    #[serde(serialize_with = "write_token", deserialize_with = "read_token")]
    token: Option<Token>,
}

/// A line that the load-test program prints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// Progress.
    Event(Event),
    /// The results, at the end.
    Results(Box<Results>),
}

impl Job {
    /// Takes some executions out of a script, whose requests are sent to `address`.
    pub fn new(
        script: &Script,
        executions: &[usize],
        address: &str,
        token: Option<&Token>,
    ) -> Self {
        let files = script.files_of(executions);
        let rates = executions.iter().filter_map(|number| {
            let execution = &script.executions[*number];
            Some((execution.scenario.name.clone(), execution.rate?))
        });
        Self {
            script: script.only(executions, address),
            files,
            rates: rates.collect(),
            token: token.cloned(),
        }
    }

    /// Reads the script.
    pub fn into_script(self) -> Result<Script, ScriptErrors> {
        let mut script = Script::bundled(&self.script, self.files)?;
        for (scenario, rate) in self.rates {
            script.set_rate(Some(&scenario), rate);
        }
        if let Some(token) = &self.token {
            script.authorize(token);
        }
        Ok(script)
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field so")]
fn write_token<S: Serializer>(token: &Option<Token>, serializer: S) -> Result<S::Ok, S::Error> {
    token.as_ref().map(Token::secret).serialize(serializer)
}

fn read_token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Token>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    // The error must not quote the text.
    let token = |text: String| Token::new(&text).ok_or(de::Error::custom("invalid access token"));
    text.map(token).transpose()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::script;

    const SCRIPT: &str = "
execution:
- {scenario: one, hold-for: 5s}
- {scenario: two, concurrency: 3, iterations: 7}
scenarios:
  one: {default-address: 'http://127.0.0.1:1', requests: [/one]}
  two:
    default-address: http://127.0.0.1:1
    requests:
    - {url: /two, method: POST, body-file: body.txt}
reporting:
- module: passfail
  criteria: [fail>0%, 'slow one: p99 of /one>1s', 'slow two: p99 of /two>1s']
";

    fn token() -> Token {
        Token::new("eventpost_secret").unwrap()
    }

    #[test]
    fn a_job_has_everything_that_its_executions_need() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("body.txt"), "${id} \u{e9}").unwrap();
        std::fs::write(dir.path().join("load.yml"), SCRIPT).unwrap();
        let mut script = script::load(Some(&dir.path().join("load.yml")), &[]).unwrap();
        script.set_rate(Some("two"), 50.0);
        let job = Job::new(&script, &[1], "http://127.0.0.1:80", Some(&token()));
        drop(dir);
        let text = serde_json::to_string(&job).unwrap();
        let script = serde_json::from_str::<Job>(&text).unwrap().into_script().unwrap();

        let [execution] = &script.executions[..] else { panic!("{script:?}") };
        assert_eq!((execution.users, execution.iterations), (3, Some(7)));
        assert_eq!((execution.rate, execution.token.as_ref()), (Some(50.0), Some(&token())));
        assert_eq!(execution.endpoint().to_string(), "http://127.0.0.1:80");
        let mut body = Vec::new();
        let request = &execution.scenario.requests[0];
        request.body.as_ref().unwrap().fill(&script::Variables::new(), &mut body);
        assert_eq!(String::from_utf8(body).unwrap(), "${id} \u{e9}");
        assert_eq!(request.timeout, Duration::from_secs(30));
        // The other host checks the criterion about its own label.
        let criteria: Vec<_> = script.criteria.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(criteria, ["fail>0%", "slow two: p99 of /two>1s"]);
    }

    #[test]
    fn a_token_is_not_shown() {
        let script = script::read_text(&SCRIPT.replace("body-file", "body")).unwrap();
        let job = Job::new(&script, &[0, 1], "http://127.0.0.1:80", Some(&token()));
        assert!(!format!("{job:?}").contains("secret"));
        assert!(!format!("{:?}", job.into_script()).contains("secret"));
        let wrong = r#"{"script": "", "files": {}, "rates": {}, "token": "my secret"}"#;
        let error = serde_json::from_str::<Job>(wrong).unwrap_err().to_string();
        assert!(error.contains("invalid access token") && !error.contains("secret"), "{error}");
    }
}
