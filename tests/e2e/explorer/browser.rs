//! A real browser, told what to do line by line.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    module::{missing, root},
    world::PATIENCE,
};

/// Names of the program.
const PROGRAMS: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

/// A browser with one page.
pub struct Browser {
    node: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

fn chromium() -> Option<&'static str> {
    PROGRAMS
        .into_iter()
        .find(|program| Path::new(program).is_file())
}

fn driver() -> PathBuf {
    root().join("tests/explorer/node_modules/playwright-core")
}

/// Whether this machine has a browser and what drives it; if it hasn't, that is said.
pub fn is_possible() -> bool {
    if chromium().is_some() && driver().is_dir() {
        return true;
    }
    missing("Chromium, and `npm ci --prefix tests/explorer --ignore-scripts`")
}

impl Browser {
    pub fn start() -> Self {
        let mut node = Command::new("node")
            .arg(root().join("tests/explorer/page.mjs"))
            .args(chromium())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: node.stdin.take(),
            stdout: BufReader::new(node.stdout.take().unwrap()),
            node,
        }
    }

    /// Does something, and gives what came of it.
    pub fn tell(&mut self, command: &Value) -> Value {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        assert!(said["failed"].is_null(), "{command}: {}", said["failed"]);
        said["value"].clone()
    }

    /// The value of an expression in the page.
    pub fn eval(&mut self, expression: &str) -> Value {
        self.tell(&json!(["eval", expression]))
    }

    /// Waits until an expression in the page is true, and gives it.
    pub fn until(&mut self, expression: &str) -> Value {
        self.tell(&json!(["until", expression, PATIENCE.as_millis() / 3]))
    }

    /// Waits until the page says something somewhere.
    pub fn sees(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "[...document.querySelectorAll({selector})].some((node) => node.innerText.includes({text}))"
        ));
    }

    /// Goes on in this tab, which is opened if there is none of this name.
    pub fn tab(&mut self, name: &str) {
        self.tell(&json!(["tab", name]));
    }

    pub fn press(&mut self, key: &str) {
        self.tell(&json!(["press", key]));
    }

    /// Goes on by Tab until something has the focus, and fails if nothing does that is visible.
    pub fn tab_to(&mut self, selector: &str) {
        for _ in 0..60 {
            self.press("Tab");
            let focused = format!(
                "document.activeElement.matches({selector}) && document.activeElement.matches(':focus-visible') \
                 && getComputedStyle(document.activeElement).outlineStyle !== 'none'",
                selector = json!(selector)
            );
            if self.eval(&focused) == true {
                return;
            }
        }
        panic!("{selector} isn't reached by Tab, or its focus isn't visible");
    }

    /// Takes a picture, if `WHITE_CITY_SHOTS` names a folder for them.
    pub fn shot(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("WHITE_CITY_SHOTS") {
            let path = Path::new(&folder).join(format!("{name}.png"));
            self.tell(&json!(["shot", path]));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends when there are no more commands.
        self.stdin = None;
        let _ = self.node.wait();
    }
}
