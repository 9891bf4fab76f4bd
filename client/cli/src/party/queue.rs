//! The queue for people: what they are asked, and `white-city party pending|approve|decline`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use white_city_client::{
    SessionId,
    files::{FileError, create_secret, read_secret},
};

use super::{
    audit::now_ms,
    folder::{Folder, take_away},
};
use crate::{failure::Failure, output::Output};

/// Largest file of the queue, bytes: a session's spec in JSON, and more.
const BYTES_MAX: u64 = 1 << 20;
/// Most sessions that people are asked about at once.
pub const ASKED_MAX: usize = 1_000;

/// What people are asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The rule that asks them.
    pub rule: String,
    /// When they were asked, ms since 1970.
    pub asked_ms: u64,
    /// Until when an answer counts, ms since 1970.
    pub until_ms: u64,
    /// The session in one line.
    pub text: String,
    /// The session, as programs are told.
    pub request: Value,
}

/// What somebody has said.
#[derive(Debug, Serialize, Deserialize)]
pub struct Said {
    /// Whether to join.
    pub approve: bool,
    /// Why, if they have said.
    pub reason: String,
    /// The hash of what they were asked: an answer is to one question.
    pub request: String,
    /// When they said it, ms since 1970.
    pub said_ms: u64,
}

impl Asked {
    /// The hash of what they were asked.
    pub fn hash(&self) -> String {
        white_city_client::wire::hash::sha256(self.request.to_string().as_bytes()).to_string()
    }
}

impl Folder {
    /// Asks people about a session; what they were asked already stays.
    ///
    /// # Errors
    /// When the file can't be written, or people are asked about too many.
    pub fn ask(&self, session: SessionId, asked: Asked) -> Result<Asked, Failure> {
        match self.question(session) {
            Ok(before) if before.request == asked.request => return Ok(before),
            Ok(_) => self.done_asking(session)?,
            Err(_) => {}
        }
        if self.all_asked()?.len() >= ASKED_MAX {
            return Err(Failure::other(format!(
                "people are asked about {ASKED_MAX} sessions already"
            )));
        }
        let text =
            serde_json::to_string(&asked).map_err(|error| Failure::other(error.to_string()))?;
        create_secret(&self.asked(session), text.as_bytes())?;
        Ok(asked)
    }

    /// What people are asked about a session.
    fn question(&self, session: SessionId) -> Result<Asked, Failure> {
        let path = self.asked(session);
        let bytes = read_secret(&path, BYTES_MAX)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
    }

    /// What they have said, if they have.
    ///
    /// # Errors
    /// When the answer can't be read.
    pub fn answer(&self, session: SessionId, asked: &Asked) -> Result<Option<Said>, Failure> {
        let path = self.said(session);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_secret(&path, BYTES_MAX)?;
        let said: Said = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        let counts = said.request == asked.hash() && said.said_ms <= asked.until_ms;
        Ok(counts.then_some(said))
    }

    /// Takes question and answer away.
    ///
    /// # Errors
    /// When they can't be taken away.
    pub fn done_asking(&self, session: SessionId) -> Result<(), Failure> {
        take_away(&self.said(session))?;
        take_away(&self.asked(session))
    }
}

/// Lists what people are asked.
pub fn pending(folder: &Folder, output: &Output) -> Result<(), Failure> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for session in folder.all_asked()? {
        // It may have been answered in this moment.
        let Ok(asked) = folder.question(session) else {
            continue;
        };
        let is_answered = folder.said(session).exists();
        let minutes = asked.until_ms.saturating_sub(now_ms()) / 60_000;
        let state = match is_answered {
            true => "answered".to_owned(),
            false => format!("{minutes} minutes left"),
        };
        lines.push(format!(
            "{session}  {} (rule {:?}, {state})",
            asked.text, asked.rule
        ));
        values.push(json!({
            "session": session, "rule": asked.rule, "asked_ms": asked.asked_ms, "until_ms": asked.until_ms,
            "text": asked.text, "answered": is_answered, "request": asked.request,
        }));
    }
    if lines.is_empty() {
        output.note("nobody is asked anything");
    }
    output.result(&json!({ "pending": values }), &lines.join("\n"))
}

/// Says yes or no.
pub fn say(
    folder: &Folder,
    session: SessionId,
    approve: bool,
    reason: &str,
    output: &Output,
) -> Result<(), Failure> {
    if !folder.asked(session).exists() {
        return Err(Failure::usage(format!(
            "nobody is asked about session {session}: not yet, or not any more"
        )));
    }
    let asked = folder.question(session).map_err(|failure| {
        Failure::usage(format!(
            "nobody is asked about the session: {}",
            failure.text
        ))
    })?;
    let said = Said {
        approve,
        reason: reason.to_owned(),
        request: asked.hash(),
        said_ms: now_ms(),
    };
    if said.said_ms > asked.until_ms {
        return Err(Failure::usage("too late: the time to answer is over"));
    }
    let text = serde_json::to_string(&said).map_err(|error| Failure::other(error.to_string()))?;
    match create_secret(&folder.said(session), text.as_bytes()) {
        Ok(()) => {}
        Err(FileError::Exists { .. }) => {
            return Err(Failure::usage("somebody has answered already"));
        }
        Err(error) => return Err(error.into()),
    }
    let word = if approve { "approved" } else { "declined" };
    output.result(
        &json!({ "session": session, "result": word, "text": asked.text }),
        &format!("{word}: {}", asked.text),
    )
}
