//! Showing a session: what it is, for consent; how it stands.

use serde_json::{Value, json};
use white_city_client::{
    Client, Observer, SessionView, Spec, cause_text,
    read::SessionRef,
    wire::{board::Terminal, tx::Open},
};

use crate::{
    failure::Failure,
    output::Output,
    progress::{parties, seconds_text, status_text},
};

/// Longest input that is shown whole, bytes.
const SHOWN_BYTES: usize = 1_024;

/// Shows what a party is about to consent to.
pub fn consent(session: &Observer, output: &Output) {
    output.event(&json!({
        "event": "consent", "session": session.id(), "spec": spec_json(session.open()),
    }));
    output.note(&spec_text(session.open()));
}

/// Shows a session.
pub async fn run(client: &Client, session: SessionRef, output: &Output) -> Result<(), Failure> {
    let report = client.show(session).await?;
    let view = report.view.unproven_value();
    let mut value = json!({
        "session": view.id,
        "number": view.number,
        "status": status_text(view.status),
        "round": view.open_round,
        "members": view.members.iter().collect::<Vec<_>>(),
        "filled": view.filled().iter().collect::<Vec<_>>(),
        "waiting_for": view.waiting_for(),
        "left": view.leavers(),
        "culprits": view.culprits.iter().map(|culprit| culprit.index).collect::<Vec<_>>(),
        "transcript": view.transcript,
        "deadline_ms": view.deadline_ms,
        "board_ms": report.view.board_ms(),
        "height": report.view.height(),
        "replica": report.view.replica(),
    });
    if let Some(fields) = value.as_object_mut() {
        let spec = report.open.as_ref().map_or(Value::Null, spec_json);
        fields.insert("spec".into(), spec);
        let end = view.terminal.as_ref().map_or(Value::Null, terminal_json);
        fields.insert("end".into(), end);
    }
    let mut text = view_text(view, report.view.board_ms());
    if let Some(open) = &report.open {
        text = format!("{text}\n{}", spec_text(open));
    }
    output.result(&value, &text);
    Ok(())
}

fn terminal_json(terminal: &Terminal) -> Value {
    json!({
        "status": status_text(terminal.status),
        "cause": terminal.cause.number(),
        "text": cause_text(terminal.cause),
        "height": terminal.height,
        "board_ms": terminal.board_ms,
        "by": terminal.by(),
        "outcome": terminal.outcome,
    })
}

fn view_text(view: &SessionView, board_ms: u64) -> String {
    let mut lines = vec![
        format!("session    {} (number {})", view.id, view.number),
        format!(
            "status     {}, round {}",
            status_text(view.status),
            view.open_round
        ),
        format!(
            "filled     {} of {}",
            view.filled().count(),
            view.members.count()
        ),
    ];
    let mut indices = |what: &str, some: &[u16]| {
        if !some.is_empty() {
            lines.push(format!("{what:<10} {}", parties(some)));
        }
    };
    indices("waits for", &view.waiting_for());
    indices("left", &view.leavers());
    let culprits: Vec<u16> = view.culprits.iter().map(|culprit| culprit.index).collect();
    indices("culprits", &culprits);
    if view.status.is_live() && view.deadline_ms > 0 {
        let left = view.deadline_ms.saturating_sub(board_ms) / 1_000;
        lines.push(format!("time left  {}", seconds_text(left)));
    }
    if let Some(end) = &view.terminal {
        let by = end
            .by()
            .map_or(String::new(), |by| format!(", by party {by}"));
        lines.push(format!(
            "end        {} at height {}{by}",
            cause_text(end.cause),
            end.height
        ));
        if end.cause.number() == 0 {
            lines.push(format!("outcome    {}", end.outcome));
        }
    }
    lines.join("\n")
}

fn spec_json(open: &Open) -> Value {
    let spec = &open.spec;
    json!({
        "protocol": spec.protocol,
        "version": spec.version,
        "roster": spec.roster.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "quorum": spec.quorum,
        "corrupt": spec.corrupt,
        "fork_safe": spec.is_fork_safe(),
        "max_rounds": spec.max_rounds,
        "join_ms": spec.join_ms,
        "round_ms": spec.round_ms,
        "reveal_ms": spec.reveal_ms,
        "retention_ms": spec.retention_ms,
        "max_bcast": spec.max_bcast,
        "max_p2p": spec.max_p2p,
        "max_bytes": spec.max_bytes,
        "input_hex": hex::encode(&spec.input),
        "previous": spec.prev_session,
        "opener": open.opener.to_string(),
    })
}

fn spec_text(open: &Open) -> String {
    let spec = &open.spec;
    let fork = if spec.is_fork_safe() {
        ""
    } else {
        ", not fork-safe"
    };
    let mut lines = vec![
        format!("protocol   {} version {}", spec.protocol, spec.version),
        format!("input      {}", input_text(spec)),
        format!("opener     {}", open.opener),
        format!(
            "quorum     {} of {}, up to {} corrupt{fork}",
            spec.quorum,
            spec.parties(),
            spec.corrupt
        ),
        format!(
            "time       {} to join, {} a round, kept for {}",
            seconds_text(spec.join_ms / 1_000),
            seconds_text(spec.round_ms / 1_000),
            seconds_text(spec.retention_ms / 1_000),
        ),
    ];
    if let Some(message) = message_text(&spec.input) {
        lines.insert(2, format!("message    {message}"));
    }
    let roster = spec.roster.iter().enumerate();
    lines.extend(roster.map(|(index, key)| format!("party {index:<4} {key}")));
    lines.join("\n")
}

/// Printable text as it is, anything else in hex.
fn input_text(spec: &Spec) -> String {
    let shown = spec.input.get(..SHOWN_BYTES).unwrap_or(&spec.input);
    let rest = spec.input.len().saturating_sub(shown.len());
    let text = match std::str::from_utf8(shown) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => hex::encode(shown),
    };
    match rest {
        0 => text,
        _ => format!("{text} … ({rest} bytes more)"),
    }
}

/// The message that is to be signed, where the input names one that is text. Quoted, so that it can't look like another line.
fn message_text(input: &[u8]) -> Option<String> {
    let input: Value = serde_json::from_slice(input).ok()?;
    let message = hex::decode(input.get("message_hex")?.as_str()?).ok()?;
    let text = String::from_utf8(message).ok()?;
    Some(format!("{text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_text_is_shown_as_text() {
        let shown = |hex: &str| message_text(format!(r#"{{"message_hex":"{hex}"}}"#).as_bytes());
        assert_eq!(shown("70617920310a").as_deref(), Some(r#""pay 1\n""#));
        assert_eq!(shown("ff"), None);
        assert_eq!(message_text(b"no json"), None);
    }
}
