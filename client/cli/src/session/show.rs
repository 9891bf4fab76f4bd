//! Showing a session: what it is, for consent; how it stands.

use serde::Serialize;
use serde_json::json;
use white_city_client::{
    Client, Error, Hash, Observer, Session, SessionId, SessionState, Spec, Verified, cause_text,
    read::SessionRef,
    wire::{
        board::{SessionLeaf, Status, Terminal},
        json::{self, remaining_ms},
        tx::Open,
    },
};

use crate::{
    failure::Failure,
    message::Named,
    output::{Output, to_json},
    presets::{
        AggregateInput, KeygenInput, RefreshInput, ReshareInput, SignInput, SignManyInput,
        read_input,
    },
    progress::{dispute_json, named as parties_text, seconds_text},
};

/// Longest input that is shown whole, bytes.
const SHOWN_BYTES: usize = 1_024;

/// Shows what a party is about to consent to.
pub fn consent(session: &Session, output: &Output) {
    let (id, index, open) = (session.id(), session.index(), session.open());
    output.speak_of(&open.spec.roster);
    output.event(&json!({
        "event": "consent", "session": id, "index": index, "spec": json::Spec::from(open), "names": names(open, output),
    }));
    output.note(&format!(
        "session    {id}\n{}",
        spec_text(open, Some(index), output)
    ));
}

/// A session as it is shown to machines.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    session: json::Session,
    /// The session's spec; `None` once that is erased.
    spec: Option<json::Spec>,
    /// The parties' names here, in the order of the roster; `None` of whoever has none.
    names: Vec<Option<String>>,
    board_ms: u64,
    height: u64,
    replica: String,
}

/// Shows a session.
pub async fn run(client: &Client, session: SessionRef, output: &Output) -> Result<(), Failure> {
    let summary = client.summary(session).await?;
    if summary.leaf.status == Status::Erased {
        let shown = Shown {
            session: json::Session::of_leaf(
                summary.number,
                &summary.leaf,
                summary.terminal.as_ref(),
            ),
            spec: None,
            names: Vec::new(),
            board_ms: summary.board_ms(),
            height: summary.height(),
            replica: summary.replica().into(),
        };
        let mut lines = head(summary.leaf.session, summary.number, &summary.leaf);
        lines.extend(summary.terminal.iter().flat_map(end_text));
        lines.push("what is left after erasure is the replicas' word alone".into());
        return output.result(&to_json(&shown), &lines.join("\n"));
    }
    // The members follow from all rounds before.
    let mut observer = client.observe(summary.leaf.session).await?;
    // Nobody is named on the replicas' word.
    let culprits = observer.culprits().await?;
    let offences = culprits.iter().map(|culprit| (&**culprit).into()).collect();
    let culprits: Vec<u16> = culprits.iter().map(|culprit| culprit.index).collect();
    let Some(now) = observer.now() else {
        return Err(Failure::from(Error::Erased));
    };
    let members = observer.history().members();
    output.speak_of(&observer.spec().roster);
    let shown = Shown {
        session: json::Session {
            remaining_ms: remaining_ms(now.leaf.status, now.leaf.deadline_ms, now.board_ms()),
            members: Some(members.iter().collect()),
            filled: Some(now.filled().iter().collect()),
            waiting_for: Some(observer.waiting_for()),
            left: Some(now.leavers()),
            culprits: Some(culprits.clone()),
            offences: Some(offences),
            dispute: observer.dispute().as_ref().map(dispute_json),
            ..json::Session::of_leaf(now.number, &now.leaf, now.terminal.as_ref())
        },
        spec: Some(observer.open().into()),
        names: names(observer.open(), output),
        board_ms: now.board_ms(),
        height: now.height(),
        replica: now.replica().into(),
    };
    let text = format!(
        "{}\n{}",
        output.named(&state_text(&observer, now, &culprits)),
        spec_text(observer.open(), None, output)
    );
    output.result(&to_json(&shown), &text)
}

fn head(id: SessionId, number: u32, leaf: &SessionLeaf) -> Vec<String> {
    let status = leaf.status.name();
    vec![
        format!("session    {id} (number {number})"),
        format!("status     {status}, round {}", leaf.open_round),
    ]
}

fn state_text(observer: &Observer, now: &Verified<SessionState>, culprits: &[u16]) -> String {
    let members = observer.history().members();
    let mut lines = head(observer.id(), now.number, &now.leaf);
    lines.push(format!(
        "filled     {} of {}",
        now.filled().count(),
        members.count()
    ));
    let mut indices = |what: &str, some: &[u16]| {
        if !some.is_empty() {
            lines.push(format!("{what:<10} {}", parties_text(some)));
        }
    };
    indices("waits for", &observer.waiting_for());
    indices("left", &now.leavers());
    indices("culprits", culprits);
    if now.leaf.status.is_live() && now.leaf.deadline_ms > 0 {
        let left = now.leaf.deadline_ms.saturating_sub(now.board_ms()) / 1_000;
        lines.push(format!("time left  {}", seconds_text(left)));
    }
    lines.extend(now.terminal.iter().flat_map(end_text));
    lines.join("\n")
}

fn end_text(end: &Terminal) -> Vec<String> {
    let by = end
        .by()
        .map_or(String::new(), |by| format!(", by party {by}"));
    let cause = cause_text(end.cause);
    let mut lines = vec![format!("end        {cause} at height {}{by}", end.height)];
    if end.cause.number() == 0 {
        lines.push(format!("outcome    {}", end.outcome));
    }
    lines
}

/// The text of a session's spec; `me` is the party that looks at it, if one does.
fn spec_text(open: &Open, me: Option<u16>, output: &Output) -> String {
    let spec = &open.spec;
    let fork = if spec.is_fork_safe() {
        ""
    } else {
        ", not fork-safe"
    };
    let mut lines = vec![
        format!("protocol   {} version {}", spec.protocol, spec.version),
        format!("input      {}", input_text(spec)),
        format!("opener     {}", opener_text(open, output)),
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
    if spec.prev_session != SessionId::ZERO {
        let group = output.people().group_of(&spec.prev_session);
        let group = group.map(|(group, key)| {
            format!(
                ", which made the key {} of the group {}",
                key.public_key, group.name
            )
        });
        lines.push(format!(
            "continues  {}{}",
            spec.prev_session,
            group.unwrap_or_default()
        ));
    }
    let rest = lines.split_off(2);
    lines.extend(meaning(spec));
    lines.extend(rest);
    lines.extend(roster_text(spec, me, output));
    lines.join("\n")
}

/// The parties, by index, key and name.
pub fn roster_text(spec: &Spec, me: Option<u16>, output: &Output) -> Vec<String> {
    let roster = (0_u16..).zip(&spec.roster);
    let lines = roster.map(|(index, key)| {
        let you = if me == Some(index) { " (you)" } else { "" };
        let name = output.people().name_of(key);
        let name = name.map(|name| format!(" {name}"));
        format!("party {index:<4} {key}{}{you}", name.unwrap_or_default())
    });
    lines.collect()
}

/// The text of who wants the session, and what that one is in it.
fn opener_text(open: &Open, output: &Output) -> String {
    let name = output.people().name_of(&open.opener);
    let name = name.map(|name| format!("{name}, "));
    let place = match open.spec.index_of(&open.opener) {
        Some(index) => format!("party {index}"),
        None => "not in the roster".into(),
    };
    format!("{}{}, {place}", name.unwrap_or_default(), open.opener)
}

fn names(open: &Open, output: &Output) -> Vec<Option<String>> {
    let roster = open.spec.roster.iter();
    let names = roster.map(|key| output.people().name_of(key));
    names.map(|name| name.map(ToString::to_string)).collect()
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

/// The meaning of the input of a protocol that this program runs: the message, and who can sign.
pub fn meaning(spec: &Spec) -> Vec<String> {
    let mut lines = Vec::new();
    if let Ok(input) = read_input::<KeygenInput>(spec) {
        lines.push(format!(
            "threshold  {} of {} can sign with the key",
            input.threshold,
            spec.parties()
        ));
    }
    if let Ok(input) = read_input::<RefreshInput>(spec) {
        lines.push(format!("refreshes  the shares of {}", input.public_key));
    }
    if let Ok(input) = read_input::<ReshareInput>(spec) {
        let holders: Vec<String> = input
            .recipients(spec.parties())
            .iter()
            .map(u16::to_string)
            .collect();
        lines.push(format!(
            "reshares   the key {}: held by parties {} afterwards, of whom {} can sign",
            input.public_key,
            holders.join(", "),
            input.threshold
        ));
    }
    let named = serde_json::from_slice::<Named>(&spec.input).ok();
    if let Some(message) = named.and_then(|named| named.to_text()) {
        lines.push(format!("message    {message}"));
    }
    let many = read_input::<SignManyInput>(spec);
    if let Ok(input) = &many {
        lines.extend(
            (1..)
                .zip(&input.messages_hex)
                .map(|(number, message_hex): (usize, _)| {
                    let message_hex = message_hex.clone();
                    format!("message {number}  {}", Named::Whole { message_hex }.shown())
                }),
        );
    }
    let aggregate = read_input::<AggregateInput>(spec).and_then(|input| input.keys());
    let aggregate = aggregate.map(|(_, key)| Hash(key));
    let shared = || read_input::<SignInput>(spec).map(|input| input.public_key);
    let of_many = || many.map(|input| input.public_key);
    if let Ok(key) = aggregate.or_else(|_| shared()).or_else(|_| of_many()) {
        lines.push(format!("signed by  the key {key}"));
    }
    lines
}
