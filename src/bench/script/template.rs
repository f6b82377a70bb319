//! This module owns text with variables: `/events/${id}`.

use std::collections::HashMap;

/// The variables of one user.
pub type Variables = HashMap<String, String>;

/// Text with variables in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl Template {
    /// Reads `${name}` as a variable. What calls a function of `JMeter`, `${__name(…)}`,
    /// is returned as the error.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else { break };
            if name.starts_with("__") {
                return Err(format!("${{{name}}}"));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(Piece::Variable(name.into()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self(pieces))
    }

    /// The text with the variables' values; one that has none stays as it stands, as in
    /// `JMeter`.
    pub fn fill(&self, variables: &Variables) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Variable(name) => match variables.get(name) {
                    Some(value) => text.push_str(value),
                    None => text.extend(["${", name, "}"]),
                },
            }
        }
        text
    }

    /// The text before the first variable.
    pub(super) fn start(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }
}
