//! Values as JSON, by the names of `docs/json.md` where they have one there.

use std::fmt::Debug;

use serde_json::{Value, json};
use white_city_verify::{
    Error, Trust, Verified, cause_text,
    read::{CharterNow, SessionEvidence, SessionState, SessionSummary, SignedDispute},
    wire::{
        Hash,
        board::{Culprit, OpenerLeaf, SessionLeaf, Terminal},
        json as names,
        limits::NOBODY,
        seal::BlockTime,
        tx::Leave,
    },
};

/// The name of a variant.
pub fn name(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// What refused something, and why.
pub fn refused(error: &Error) -> Value {
    let (by, reason) = match error {
        Error::Genesis(bad) => ("genesis", name(bad)),
        Error::Header(bad) => ("header", name(bad)),
        Error::Answer(lie) => ("answer", name(lie)),
        Error::Receipt(bad) => ("receipt", name(bad)),
        _ => ("other", name(error)),
    };
    json!({ "refused": { "by": by, "reason": reason, "text": error.to_string() } })
}

/// A time as whoever has a clock knows it, milliseconds.
pub fn time_ms(time: &BlockTime) -> i64 {
    let ms = i64::from(time.nanos) / 1_000_000;
    time.seconds.saturating_mul(1_000).saturating_add(ms)
}

/// A value with the state that it is of.
pub fn proven<T>(verified: &Verified<T>, value: &Value) -> Value {
    json!({
        "height": verified.height(),
        "board_ms": verified.board_ms(),
        "time_ms": time_ms(&verified.header().time()),
        "value": value,
    })
}

/// The network of a genesis.
pub fn network(trust: &Trust) -> Value {
    let network = trust.network();
    json!({
        "network": network.id,
        "chain_id": network.chain_id,
        "genesis_ms": time_ms(&network.genesis_time),
        "initial_height": network.initial_height,
        "params": network.params,
        "replica_count": network.charter.replicas.len(),
    })
}

/// What JSON for programs doesn't say of a session.
fn beside(session: names::Session, leaf: &SessionLeaf, terminal: Option<&Terminal>) -> Value {
    let mut value = json!(session);
    let more = [
        ("has_dispute", json!(leaf.dispute != Hash::ZERO)),
        ("has_evidence", json!(leaf.evidence != Hash::ZERO)),
        (
            "cause_text",
            json!(terminal.map(|end| cause_text(end.cause))),
        ),
    ];
    if let Value::Object(fields) = &mut value {
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    value
}

/// A session without its spec.
pub fn summary(summary: &SessionSummary) -> Value {
    let (leaf, end) = (&summary.leaf, summary.terminal.as_ref());
    let session = names::Session {
        members: Some(leaf.members.iter().collect()),
        ..names::Session::of_leaf(summary.number, leaf, end)
    };
    beside(session, leaf, end)
}

/// How a session stands. Its members are those of its leaf.
pub fn session(state: &SessionState) -> Value {
    let (leaf, end) = (&state.leaf, state.terminal.as_ref());
    let culprits = state.accused.iter();
    let session = names::Session {
        members: Some(leaf.members.iter().collect()),
        filled: Some(state.filled().iter().collect()),
        waiting_for: Some(state.waiting_for(&leaf.members)),
        left: Some(state.leavers()),
        culprits: Some(culprits.clone().map(|culprit| culprit.index).collect()),
        offences: Some(culprits.map(Into::into).collect()),
        ..names::Session::of_leaf(state.number, leaf, end)
    };
    beside(session, leaf, end)
}

/// Which slots are filled, as far as digests tell.
pub fn slots(leaves: &[Hash]) -> String {
    let slots = leaves.iter();
    slots
        .map(|leaf| if *leaf == Hash::ZERO { '.' } else { 'x' })
        .collect()
}

/// The charter in force, and what the operators say.
pub fn charter(now: &CharterNow) -> Value {
    let words = now.words.iter().map(|word| {
        json!({
            "operator": word.operator,
            "board_ms": word.board_ms,
            "charter": (word.charter_hash != Hash::ZERO).then_some(word.charter_hash),
        })
    });
    let proposed = now.proposed.iter().map(|charter| {
        let hash = charter.hash();
        json!({ "hash": hash, "approvals": now.approvals(&hash), "charter": charter })
    });
    json!({
        "charter": now.charter,
        "hash": now.charter.hash(),
        "term_height": now.term_height,
        "era": now.era,
        "protocol": now.protocol,
        "proven": now.proven.iter().collect::<Vec<_>>(),
        "needed": now.needed(),
        "words": words.collect::<Vec<_>>(),
        "proposed": proposed.collect::<Vec<_>>(),
    })
}

/// An opener.
pub fn opener(opener: &OpenerLeaf) -> names::Opener {
    names::Opener {
        key: Hash(*opener.key.as_bytes()),
        listed: opener.listed,
        max_live: opener.max_live,
        max_bytes: opener.max_bytes,
        live: opener.live,
        live_bytes: opener.live_bytes,
    }
}

/// What speaks against whom, and what those said who left. `is_judged` says whether the dispute was judged over the rounds that were read.
pub fn evidence(evidence: &SessionEvidence, is_judged: bool) -> Value {
    let culprits = evidence.culprits.iter();
    let offences = culprits.map(|(culprit, pair)| {
        let is_convicted = pair.is_some() || is_judged;
        json!({ "offence": names::Culprit::from(culprit), "convicted": is_convicted })
    });
    let left = evidence.left.iter().map(|(index, leave, _)| match leave {
        Leave::Decline { reason } => {
            json!({ "index": index, "word": "decline", "reason": reason })
        }
        Leave::Abort { cause, about, .. } => {
            let about = somebody(*about);
            json!({ "index": index, "word": "abort", "reason": cause, "about": about })
        }
    });
    let named: Vec<&Culprit> = evidence.culprits.iter().map(|(one, _)| one).collect();
    json!({
        "offences": offences.collect::<Vec<_>>(),
        "left": left.collect::<Vec<_>>(),
        "dispute": evidence.dispute.as_ref().map(|one| dispute(one, &named)),
        "judged": is_judged,
    })
}

fn somebody(index: u16) -> Option<u16> {
    (index != NOBODY).then_some(index)
}

fn dispute(dispute: &SignedDispute, culprits: &[&Culprit]) -> names::Dispute {
    let parties = dispute.parties();
    let complaint = dispute.complain.0.digest();
    let convicted = culprits.iter().find(|culprit| culprit.a == complaint);
    names::Dispute {
        by: parties.by,
        accused: parties.accused,
        round: parties.round,
        complaint: Some(complaint),
        reveal: dispute.reveal.as_ref().map(|(reveal, _)| reveal.digest()),
        culprit: convicted.map(|culprit| culprit.index),
    }
}
