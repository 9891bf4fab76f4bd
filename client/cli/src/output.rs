//! The program's output: text for people, or one JSON object a line.

use std::{
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use serde::Serialize;
use serde_json::{Value, json};
use white_city_client::{IdentityKey, SessionId, groups::Home};

use crate::{
    failure::Failure,
    people::{self, People},
};

/// What a no to a session comes to.
pub const NOT_JOINED: &str = "not joined";
/// Longest result that is said again where it can't be printed, bytes.
const SAID_AGAIN_BYTES: usize = 2_048;

/// The output that results and notes go to.
pub struct Output {
    json: bool,
    /// The session whose party runs in a service: then there is nobody to look on, and all goes to the log.
    served: Option<SessionId>,
    home: Option<Home>,
    people: OnceLock<People>,
    /// The roster of the session that is spoken of.
    roster: Arc<RwLock<Vec<IdentityKey>>>,
    /// The result, where it isn't printed but held for whoever asked for it.
    held: Option<Mutex<Option<Value>>>,
}

/// A path for JSON, which is text: bytes that are none are replaced.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Anything as JSON, of which every line consists: what can't be, which is nothing that this program has, is null.
pub fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl Output {
    /// For machines or for people.
    pub fn new(json: bool) -> Self {
        Self {
            json,
            served: None,
            home: None,
            people: OnceLock::new(),
            roster: Arc::default(),
            held: None,
        }
    }

    /// For a party of a service.
    pub fn served(session: SessionId) -> Self {
        let mut output = Self::new(false);
        output.served = Some(session);
        // What there is although it failed isn't lost.
        output.held = Some(Mutex::new(None));
        output
    }

    /// Whether somebody looks on, to whom more can be told than what becomes of the session.
    pub const fn is_watched(&self) -> bool {
        self.served.is_none()
    }

    /// Of a person who calls others by the names in this folder.
    pub fn of(self, home: Home) -> Self {
        let home = Some(home);
        Self { home, ..self }
    }

    /// The same for a part of the work, whose result isn't the program's: it is held.
    pub fn holding(&self) -> Self {
        Self {
            home: self.home.clone(),
            roster: Arc::clone(&self.roster),
            held: Some(Mutex::default()),
            ..Self::new(self.json)
        }
    }

    /// The result that was held.
    pub fn held(&self) -> Option<Value> {
        let held = self.held.as_ref()?;
        held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The folder with contacts and groups.
    pub fn home(&self) -> Result<&Home, Failure> {
        let home = self.home.as_ref();
        home.ok_or_else(|| Failure::usage("expected --home, or a user with a folder"))
    }

    /// Everybody who has a name here. Where that can't be read nobody has, and it is said once.
    pub fn people(&self) -> &People {
        self.people.get_or_init(|| {
            let people = self.home.as_ref().map(People::load).transpose();
            people
                .map(Option::unwrap_or_default)
                .unwrap_or_else(|error| {
                    self.warning(&format!("names aren't shown: {error}"));
                    People::default()
                })
        })
    }

    /// From now on the session with this roster is spoken of.
    pub fn speak_of(&self, roster: &[IdentityKey]) {
        let mut known = self.roster.write().unwrap_or_else(PoisonError::into_inner);
        roster.clone_into(&mut known);
    }

    /// The name of a party of that session.
    pub fn name_of(&self, index: u16) -> Option<String> {
        let roster = self.roster.read().unwrap_or_else(PoisonError::into_inner);
        let name = self.people().name_of(roster.get(usize::from(index))?);
        name.map(ToString::to_string)
    }

    /// A text of this program with names instead of indices.
    pub fn named(&self, text: &str) -> String {
        let is_known = self
            .roster
            .try_read()
            .is_ok_and(|roster| !roster.is_empty());
        match is_known {
            true => people::named(text, |index| self.name_of(index)),
            false => text.to_owned(),
        }
    }

    /// Whether it is for machines.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether moving lines make sense.
    pub fn is_interactive(&self) -> bool {
        !self.json && self.is_watched() && io::stderr().is_terminal()
    }

    /// The result. One that nobody can read is no success.
    pub fn result(&self, value: &Value, text: &str) -> Result<(), Failure> {
        if let Some(session) = self.served {
            tracing::info!(%session, "{value}");
        }
        if let Some(held) = &self.held {
            *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
            return Ok(());
        }
        let line = match self.json {
            true => value.to_string(),
            // A list of nothing has no line.
            false if text.is_empty() => return Ok(()),
            false => text.to_owned(),
        };
        print(&line).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::closed(),
            _ if line.len() > SAID_AGAIN_BYTES => {
                Failure::other(format!("the result could not be printed: {error}"))
            }
            _ => Failure::other(format!(
                "the result could not be printed: {error}; it is: {line}"
            )),
        })
    }

    /// Something that happened on the way. Where it can't be printed the result can't, either, and that one is missed.
    pub fn event(&self, value: &Value) {
        if self.json {
            let _ = print(&value.to_string());
        }
    }

    /// Something that people should know on the way.
    pub fn note(&self, text: &str) {
        if let Some(session) = self.served {
            tracing::debug!(%session, "{text}");
        } else if !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Something that everybody should know: it isn't the result, and machines get it as an event, too.
    pub fn warning(&self, text: &str) {
        if let Some(session) = self.served {
            tracing::warn!(%session, "{text}");
            return;
        }
        let text = self.named(text);
        self.event(&json!({ "event": "warning", "text": text }));
        let _ = writeln!(io::stderr(), "warning: {text}");
    }

    /// Something that everybody should know when the result has been said already, which is the last line: on stderr alone.
    pub fn afterthought(&self, text: &str) {
        let _ = writeln!(io::stderr(), "warning: {text}");
    }

    /// Why there is no result.
    pub fn failure(&self, failure: &Failure) {
        let (mut value, text) = (failure.to_json(), self.named(&failure.text));
        if let Some(error) = value.get_mut("error") {
            *error = text.clone().into();
        }
        self.event(&value);
        let _ = writeln!(io::stderr(), "error: {text}");
    }

    /// Asks for a yes, without which nothing is done. `nobody` says what hasn't been consented to, and what could have been given instead
    /// of an answer; `undone`, what a no comes to.
    pub async fn consent(
        &self,
        question: String,
        nobody: &str,
        undone: &str,
    ) -> Result<(), Failure> {
        match self.ask(question).await? {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::usage(format!("{undone}: the answer wasn't yes"))),
            None => Err(Failure::usage(format!(
                "nobody has said yes to {nobody}, or a terminal to ask at, without --json"
            ))),
        }
    }

    /// Asks for a yes; `None` where there is no terminal to ask at.
    async fn ask(&self, question: String) -> Result<Option<bool>, Failure> {
        if self.json
            || !self.is_watched()
            || !io::stdin().is_terminal()
            || !io::stderr().is_terminal()
        {
            return Ok(None);
        }
        // Elsewhere, so that an interrupt is heard meanwhile.
        let asked = tokio::task::spawn_blocking(move || {
            write!(io::stderr(), "{question}")?;
            let mut answer = String::new();
            io::stdin().read_line(&mut answer)?;
            let answer = answer.trim().to_lowercase();
            Ok::<_, io::Error>(matches!(&*answer, "yes" | "y"))
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(error)) => Err(Failure::other(format!("no answer: {error}"))),
            Err(error) => Err(Failure::other(format!("no answer: {error}"))),
        }
    }

    /// Waits until whoever reads the results has gone; for ever where that can't be known.
    pub async fn closed(&self) {
        // Of a pipe without a reader the system tells also whoever asks for nothing. Elsewhere, because it blocks.
        let told = tokio::task::spawn_blocking(|| {
            let stdout = io::stdout();
            let mut stdout = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
            loop {
                match poll(&mut stdout, PollTimeout::NONE) {
                    Err(Errno::EINTR) => {}
                    told => return told.is_ok(),
                }
            }
        });
        if told.await.is_ok_and(|told| told) {
            return;
        }
        std::future::pending().await
    }
}

fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
