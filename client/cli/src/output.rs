//! What the program prints: text for people, or one JSON object a line.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use crate::failure::Failure;

/// Where results and notes go.
pub struct Output {
    json: bool,
}

impl Output {
    /// For machines or for people.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether moving lines make sense.
    pub fn is_interactive(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// The result.
    pub fn result(&self, value: &Value, text: &str) {
        let line = if self.json {
            value.to_string()
        } else {
            text.to_owned()
        };
        // Whoever closed the pipe doesn't want to know.
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// Something that happened on the way.
    pub fn event(&self, value: &Value) {
        if self.json {
            let _ = writeln!(std::io::stdout(), "{value}");
        }
    }

    /// Something that people should know on the way.
    pub fn note(&self, text: &str) {
        if !self.json {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Something that everybody should know: it isn't the result, and machines get it as an event, too.
    pub fn warning(&self, text: &str) {
        self.event(&json!({ "event": "warning", "text": text }));
        let _ = writeln!(std::io::stderr(), "warning: {text}");
    }

    /// Why there is no result.
    pub fn failure(&self, failure: &Failure) {
        self.event(&json!({ "error": failure.text, "exit_code": failure.code }));
        let _ = writeln!(std::io::stderr(), "error: {}", failure.text);
    }
}
