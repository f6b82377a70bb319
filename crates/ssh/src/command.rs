//! Commands that run on a host, and their output.

use std::borrow::Cow;
use std::io::{self, PipeReader, PipeWriter};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// The lines of output that an error shows.
const ERROR_LINES: usize = 15;

/// A command for the host's shell. Secrets belong in `stdin`: everybody on the host can see the
/// line while it runs.
#[derive(Debug, Clone)]
pub struct Command {
    /// The command line.
    pub line: String,
    /// What it reads first.
    pub stdin: Bytes,
    /// What it reads after `stdin`.
    pub rest: Input,
    /// How long it may take.
    pub timeout: Duration,
    /// What happens to its output.
    pub output: OutputMode,
    /// What runs the line.
    pub shell: Shell,
    /// The script that it reads, which a log may show; other input may be secret.
    script: Option<&'static str>,
}

/// What runs a command's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// `sh`, whatever shell the user has.
    Posix,
    /// The user's login shell.
    Login,
}

/// What a command reads after its first input.
#[derive(Debug, Clone)]
pub enum Input {
    /// Nothing.
    Nothing,
    /// A file.
    File(PathBuf),
    /// What comes out of a pipe, until its other end is closed.
    Pipe(Arc<PipeReader>),
}

/// What happens to the output of a command.
#[derive(Debug, Clone)]
pub enum OutputMode {
    /// The last part is returned at the end; lines are reported as they come.
    Captured,
    /// It is reported as it comes.
    Streamed,
    /// Standard output goes into a pipe.
    Piped(Arc<PipeWriter>),
}

/// The progress of a running command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It printed a line.
    Line(String),
    /// So many bytes of its input have been sent.
    Sent(usize),
    /// It wrote to standard output; in [`OutputMode::Streamed`].
    Stdout(Bytes),
    /// It wrote to standard error; in [`OutputMode::Streamed`].
    Stderr(Bytes),
}

/// How a command ended.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Its exit status.
    pub code: i32,
    /// The signal that killed it.
    pub signal: Option<String>,
    /// What it wrote to standard output, at most the last part.
    pub stdout: String,
    /// What it wrote to standard error, at most the last part.
    pub stderr: String,
}

impl Command {
    /// A command that reads nothing and may take a minute.
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            stdin: Bytes::new(),
            rest: Input::Nothing,
            timeout: Duration::from_secs(60),
            output: OutputMode::Captured,
            shell: Shell::Posix,
            script: None,
        }
    }

    /// Runs the line, which the user wrote, in the user's login shell.
    #[must_use]
    pub fn in_login_shell(mut self) -> Self {
        self.shell = Shell::Login;
        self
    }

    /// A script that root's shell runs with arguments.
    pub fn script(script: &'static str, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|argument| quote(argument)).collect();
        let line = format!("sudo sh -s -- {}", arguments.join(" "));
        let command = Self::new(line).stdin(Bytes::from_static(script.as_bytes()));
        Self { script: Some(script), ..command }
    }

    /// What a log may show of it: never its input, nor what the user wrote, in which secrets
    /// may be.
    pub(super) fn log_text(&self) -> String {
        match (self.shell, self.script) {
            (Shell::Login, _) => "(the user's own command)".into(),
            (Shell::Posix, None) => self.line.clone(),
            (Shell::Posix, Some(script)) => format!("{}\n{script}", self.line),
        }
    }

    /// With something to read.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<Bytes>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// With a file to read.
    #[must_use]
    pub fn file(mut self, file: PathBuf) -> Self {
        self.rest = Input::File(file);
        self
    }

    /// Bytes of what it reads.
    pub(super) fn length(&self) -> u64 {
        let rest = match &self.rest {
            Input::File(file) => std::fs::metadata(file).map_or(0, |metadata| metadata.len()),
            Input::Nothing | Input::Pipe(_) => 0,
        };
        self.stdin.len() as u64 + rest
    }

    /// With output that is reported as it comes.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.output = OutputMode::Streamed;
        self
    }

    /// Pipes the standard output of this command into the other one. Both must run at the same
    /// time, on two hosts: each waits for the other.
    pub fn pipe_into(mut self, mut other: Self) -> io::Result<(Self, Self)> {
        let (reader, writer) = io::pipe()?;
        self.output = OutputMode::Piped(Arc::new(writer));
        other.rest = Input::Pipe(Arc::new(reader));
        Ok((self, other))
    }

    /// With another timeout.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Output {
    /// Whether it succeeded.
    pub fn succeeded(&self) -> bool {
        self.code == 0 && self.signal.is_none()
    }

    /// How it ended, in words.
    pub fn status(&self) -> String {
        match &self.signal {
            Some(signal) => format!("killed by SIG{signal}"),
            None => format!("exit status {}", self.code),
        }
    }

    /// The end of standard error, or of standard output if that is empty, indented.
    pub fn last_lines(&self) -> String {
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return "  (none)".into();
        }
        let last = &lines[lines.len().saturating_sub(ERROR_LINES)..];
        last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// Quotes text so that a POSIX shell reads it as one word.
pub fn quote(text: &str) -> String {
    // Nothing but NUL can be refused. It is in no argument and in no file name.
    let quoted = shlex::Quoter::new().allow_nul(true).quote(text);
    quoted.map_or_else(|_| "''".into(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_reads_them() {
        for text in ["", "plain", "a b", "it's", "$(rm -rf /)", "a\nb", "`x`", "*", "~", "ñ"] {
            let line = format!("printf %s {}", quote(text));
            let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }

    #[test]
    fn a_log_shows_scripts_and_neither_input_nor_what_the_user_wrote() {
        let script = Command::script("echo \"$1\"\n", &["it's"]).log_text();
        assert_eq!(script, "sudo sh -s -- \"it's\"\necho \"$1\"\n");
        let line = Command::new("cat > file").stdin("hunter2").log_text();
        assert_eq!(line, "cat > file");
        let own = Command::new("mysql -phunter2").in_login_shell().log_text();
        assert_eq!(own, "(the user's own command)");
    }

    #[test]
    fn a_killed_command_has_not_succeeded() {
        let output = Output { signal: Some("KILL".into()), ..Output::default() };
        assert!(!output.succeeded());
        assert_eq!(output.status(), "killed by SIGKILL");
    }

    #[test]
    fn errors_show_standard_error_before_standard_output() {
        let said = |stdout: &str, stderr: &str| {
            let (stdout, stderr) = (stdout.into(), stderr.into());
            Output { stdout, stderr, ..Output::default() }.last_lines()
        };
        assert_eq!(said("out\n", "err\n"), "  err");
        assert_eq!(said("out\n", "\n"), "  out");
        assert_eq!(said("", ""), "  (none)");
    }
}
