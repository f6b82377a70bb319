//! Removes secrets from text that is given to others.

const REMOVED: &str = "[removed]";
/// Shorter values occur everywhere, and are too short to be real secrets.
const SHORTEST: usize = 4;

/// Removes known secrets, and private keys.
#[derive(Debug, Clone)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// Removes these secrets.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<_> =
            secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        // One may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The text without secrets.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            clean = clean.replace(secret, REMOVED);
        }
        without_keys(&clean)
    }
}

/// Removes private keys of any kind, from their first line to their last.
fn without_keys(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let is_key = line.contains("PRIVATE KEY-----");
        if is_key && line.contains("-----BEGIN") {
            clean.push_str(REMOVED);
            clean.push('\n');
            inside = !line.contains("-----END");
        } else if inside {
            inside = !(is_key && line.contains("-----END"));
        } else {
            clean.push_str(line);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_and_the_rest_stays() {
        let redactor = Redactor::new(["hunter22".into(), "hunter22-long".into(), "1".into()]);
        let text = "PASSWORD=hunter22-long and hunter22, 1 time\n";
        assert_eq!(redactor.clean(text), "PASSWORD=[removed] and [removed], 1 time\n");
    }

    #[test]
    fn private_keys_are_removed_as_a_whole() {
        let redactor = Redactor::new([]);
        let text = "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\nbnNz\n\
            -----END OPENSSH PRIVATE KEY-----\nb\n";
        assert_eq!(redactor.clean(text), "a\n[removed]\nb\n");
    }
}
