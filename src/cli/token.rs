//! The command line of `eventpost token`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use rest::access::tokens::{Role, is_name};

use super::args::{OutputArgs, StackArgs};

/// `eventpost token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Create a token and print it once; run `eventpost deploy` to activate it
    Create(TokenCreate),
    /// List the tokens: names, roles and expiry
    List(TokenList),
    /// Revoke a token; run `eventpost deploy` to make the services reject it
    Revoke(TokenRevoke),
}

/// `eventpost token create`
#[derive(Debug, Args)]
pub struct TokenCreate {
    /// Name of the token, such as who uses it
    #[arg(value_name = "NAME", value_parser = token_name)]
    pub token: String,

    /// Permissions: read (notifications and the API description), write (plus changes) or
    /// admin (plus metrics, details and retries)
    #[arg(long, value_parser = PossibleValuesParser::new(["read", "write", "admin"]).try_map(role))]
    pub role: Role,

    /// When it expires: a time such as 2027-01-01T00:00:00Z, or a number of days such as 90d
    /// [default: never]
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    pub expires: Option<Timestamp>,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost token list`
#[derive(Debug, Args)]
pub struct TokenList {
    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost token revoke`
#[derive(Debug, Args)]
pub struct TokenRevoke {
    /// Name of the token
    #[arg(value_name = "NAME")]
    pub token: String,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

fn token_name(text: &str) -> Result<String, String> {
    let problem = "a name has 1 to 64 letters, digits or any of -_.@";
    if is_name(text) { Ok(text.into()) } else { Err(problem.into()) }
}

#[expect(clippy::needless_pass_by_value, reason = "the parser hands it over")]
fn role(text: String) -> Result<Role, String> {
    text.parse()
}

/// A time in the future.
fn expiry(text: &str) -> Result<Timestamp, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    let now = Timestamp::now();
    let time = match days {
        Some(days) => now.checked_add(SignedDuration::from_hours(24 * i64::from(days))).ok(),
        None => text.parse().ok(),
    };
    let time = time.ok_or("must be a time like 2027-01-01T00:00:00Z, or days, as in 90d")?;
    if time <= now {
        return Err("must be in the future".into());
    }
    Ok(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_to_come() {
        let in_days = expiry("90d").unwrap().duration_since(Timestamp::now());
        assert!((89 * 24..=90 * 24).contains(&in_days.as_hours()), "{in_days}");
        assert_eq!(expiry("2999-01-01T00:00:00Z").unwrap().to_string(), "2999-01-01T00:00:00Z");
        for bad in ["", "d", "-1d", "0d", "90", "tomorrow", "2020-01-01T00:00:00Z", "99999d"] {
            assert!(expiry(bad).is_err(), "{bad}");
        }
    }
}
