//! The audit log: a line of JSON for each decision and for what came of it, on the disk before anything follows from it.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::{Value, json};
use white_city_client::SessionId;

use super::policy::Rates;
use crate::failure::Failure;

/// Longest line that is read again, bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Events that are decisions on sessions.
const DECISIONS: [&str; 2] = ["joining", "declined"];

/// The log.
pub struct Audit {
    path: PathBuf,
    file: Mutex<Open>,
    /// Sessions under way whose decision is in it.
    noted: Mutex<BTreeSet<SessionId>>,
}

struct Open {
    file: File,
    /// Whether the last line may be there in part.
    is_cut: bool,
}

/// The log, as far as it matters at a start.
#[derive(Default)]
pub struct Before {
    /// What the rules have let in of late.
    pub rates: Rates,
    /// Sessions whose decision it has.
    pub decided: BTreeSet<SessionId>,
    /// Sessions of which it is written what came of them.
    pub ended: BTreeSet<SessionId>,
}

/// The part of a line that is read at a start.
#[derive(Deserialize)]
struct Line {
    at_ms: u64,
    session: SessionId,
    event: String,
    #[serde(default)]
    rule: Option<String>,
}

impl Audit {
    /// Opens the log, which is begun where there is none.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path);
        let bad = |error| Failure::usage(format!("{}: {error}", path.display()));
        let mut file = file.map_err(bad)?;
        end_line(&mut file).map_err(bad)?;
        // The name of a new file, too.
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(bad)?;
        let is_cut = false;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(Open { file, is_cut }),
            noted: Mutex::default(),
        })
    }

    /// Writes a line, and has it on the disk.
    ///
    /// # Errors
    /// When it can't be written: then nothing may follow from it.
    pub fn note(&self, session: SessionId, event: &str, more: Value) -> Result<(), Failure> {
        let mut line = json!({ "at_ms": now_ms(), "session": session, "event": event });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        tracing::info!(%session, "{line}");
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = if open.is_cut { "\n" } else { "" };
        open.is_cut = true;
        let text = format!("{begin}{line}\n");
        let written = open.file.write_all(text.as_bytes());
        let written = written.and_then(|()| open.file.sync_data());
        written.map_err(|error| {
            Failure::other(format!("{}: {error}", self.path.display())).passing()
        })?;
        open.is_cut = false;
        if DECISIONS.contains(&event) {
            self.noted().insert(session);
        }
        Ok(())
    }

    fn noted(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the decision on a session under way is in it.
    pub fn is_noted(&self, session: SessionId) -> bool {
        self.noted().contains(&session)
    }

    /// The decisions on these are in it: what was found of the time before.
    pub fn are_noted(&self, sessions: impl IntoIterator<Item = SessionId>) {
        self.noted().extend(sessions);
    }

    /// A session isn't under way any more.
    pub fn forget(&self, session: SessionId) {
        self.noted().remove(&session);
    }

    /// What the log says of the time before: rates look back so long.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn before(&self, back: Duration) -> Result<Before, Failure> {
        let bad = |error| Failure::usage(format!("{}: {error}", self.path.display()));
        let mut before = Before::default();
        let back_ms = u64::try_from(back.as_millis()).unwrap_or(u64::MAX);
        let since = now_ms().saturating_sub(back_ms);
        let file = File::open(&self.path).map_err(bad)?;
        let mut lines = BufReader::new(file);
        loop {
            let mut line = Vec::new();
            let read = (&mut lines)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line);
            if read.map_err(bad)? == 0 {
                return Ok(before);
            }
            // A crash may have cut it.
            let Ok(line) = serde_json::from_slice::<Line>(&line) else {
                continue;
            };
            if DECISIONS.contains(&&*line.event) {
                before.decided.insert(line.session);
            }
            match (&*line.event, line.rule) {
                ("joining", Some(rule)) if line.at_ms > since => {
                    before.rates.note(&rule, line.session, line.at_ms, u64::MAX);
                }
                ("finished" | "failed", _) => {
                    before.ended.insert(line.session);
                }
                _ => {}
            }
        }
    }
}

/// Ends a line that a crash has cut, so that the next one stands alone.
fn end_line(file: &mut File) -> std::io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// The time, ms since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::policy::Rate;

    #[test]
    fn rates_hold_over_a_restart_and_a_cut_line_spoils_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let session = SessionId([7; 32]);
        let audit = Audit::open(&path).unwrap();
        let others = [SessionId([8; 32]), SessionId([9; 32])];
        for session in others {
            audit
                .note(session, "joining", json!({ "rule": "a" }))
                .unwrap();
        }
        audit
            .note(session, "declined", json!({ "rule": "a" }))
            .unwrap();
        drop(audit);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"at_ms\":1,\"session\":\"07");
        std::fs::write(&path, text).unwrap();
        let audit = Audit::open(&path).unwrap();
        audit
            .note(session, "joining", json!({ "rule": "a" }))
            .unwrap();
        audit.note(session, "finished", json!({})).unwrap();
        let before = audit.before(Duration::from_secs(3_600)).unwrap();
        assert!(before.ended.contains(&session) && before.decided.contains(&others[0]));
        let room = |sessions| {
            let per = Duration::from_secs(3_600);
            before
                .rates
                .have_room("a", &Rate { sessions, per }, now_ms())
        };
        assert!(!room(3) && room(4), "three were let in");
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().count(), 6, "{lines}");
    }
}
