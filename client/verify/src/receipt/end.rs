//! The end of a session: the replicas' word, the parties' word, or both.

use white_city_wire::{
    Bitmap, Entry, FinishHeader, Hash, SessionId, Signature, SignedEntry, Spec,
    board::{SessionLeaf, Status, Terminal},
    pb,
    possible::Impossible,
    tx::Open,
};

use super::{
    BadReceipt, Claim, Proven,
    anchor::{self, Anchored},
    error::OrBad,
};
use crate::trust::Trust;

/// A quorum's finishes, checked.
struct Agreed {
    round: u32,
    transcript: Hash,
    outcome: Hash,
    parties: Bitmap,
}

pub(super) fn verify(receipt: &pb::EndReceipt, trust: &Trust) -> Result<Proven, BadReceipt> {
    let opened = receipt.open.as_ref();
    let opened = opened
        .map(|open| anchor::open(Some(open), trust))
        .transpose()?;
    let anchored = match (&receipt.anchor, &receipt.terminal) {
        (None, None) => None,
        (anchor, terminal) => Some((
            anchor::check(anchor.as_ref(), trust)?,
            terminal
                .as_ref()
                .ok_or(BadReceipt::Missing("terminal record"))?,
        )),
    };
    let anchored = match anchored {
        None => None,
        Some((anchored, terminal)) => {
            let terminal = check_terminal(terminal, &anchored)?;
            if let Some((open, id)) = &opened {
                check_spec(open, *id, &anchored.leaf, &terminal)?;
            }
            Some((anchored, terminal))
        }
    };
    let agreed = match (&receipt.finishes, &opened) {
        (None, _) => None,
        (Some(_), None) => return Err(BadReceipt::Missing("spec")),
        (Some(finishes), Some((open, id))) => {
            Some(check_finishes(finishes, *id, &open.spec, trust)?)
        }
    };
    if let (Some((anchored, terminal)), Some(agreed)) = (&anchored, &agreed) {
        check_same(&anchored.leaf, terminal, agreed)?;
    }
    let session = match (&opened, &anchored) {
        (Some((_, id)), _) => *id,
        (None, Some((anchored, _))) => anchored.leaf.session,
        (None, None) => return Err(BadReceipt::Missing("end")),
    };
    if anchored.is_none() && agreed.is_none() {
        return Err(BadReceipt::Missing("end"));
    }
    let certified = anchored.as_ref();
    let certified = certified.map(|(anchored, _)| anchored.certified(trust));
    let certified = certified.transpose()?;
    let terminal = anchored.map(|(_, terminal)| terminal);
    Ok(Proven {
        session: Some(session),
        open: opened.map(|(open, _)| open),
        certified: certified.into_iter().collect(),
        claim: Claim::End {
            terminal,
            finished: agreed.map(|agreed| (agreed.outcome, agreed.parties)),
        },
    })
}

/// The terminal record that the session's leaf hashes.
pub(super) fn check_terminal(
    terminal: &pb::Terminal,
    anchored: &Anchored,
) -> Result<Terminal, BadReceipt> {
    let terminal = Terminal::try_from(terminal).or_bad("terminal record")?;
    if terminal.hash() != anchored.leaf.terminal {
        return Err(BadReceipt::Terminal(Impossible("isn't the session's")));
    }
    let possible = terminal.check(&anchored.leaf, anchored.at());
    possible.map_err(BadReceipt::Terminal)?;
    Ok(terminal)
}

/// The record is about the session of this spec.
pub(super) fn check_spec(
    open: &Open,
    id: SessionId,
    leaf: &SessionLeaf,
    terminal: &Terminal,
) -> Result<(), BadReceipt> {
    if id != leaf.session {
        return Err(BadReceipt::OtherSession("the spec"));
    }
    let possible = leaf.check_spec(&open.spec);
    possible.map_err(BadReceipt::Impossible)?;
    let possible = terminal.check_spec(leaf, &open.spec);
    possible.map_err(BadReceipt::Terminal)?;
    check_kept(open, leaf, terminal)
}

/// The session is kept for as long as what opened it says.
pub(super) fn check_kept(
    open: &Open,
    leaf: &SessionLeaf,
    terminal: &Terminal,
) -> Result<(), BadReceipt> {
    let open_by_ms = open.open_by_ms..=open.open_by_ms;
    let possible = terminal.check_kept(leaf, &open.spec, open_by_ms);
    possible.map_err(BadReceipt::Terminal)
}

/// Checks every signature under the spec's keys, and that there are enough.
fn check_finishes(
    finishes: &pb::Finishes,
    session: SessionId,
    spec: &Spec,
    trust: &Trust,
) -> Result<Agreed, BadReceipt> {
    let hash = |what, bytes: &[u8]| Hash::from_slice(bytes).ok_or(BadReceipt::Missing(what));
    let parties = Bitmap::from_bytes(spec.parties(), &finishes.parties)
        .ok_or(BadReceipt::Differ("the finishes", "the roster"))?;
    let agreed = Agreed {
        round: finishes.round,
        transcript: hash("transcript", &finishes.transcript)?,
        outcome: hash("outcome", &finishes.outcome)?,
        parties,
    };
    let (got, needed) = (agreed.parties.count(), spec.quorum);
    if got < needed {
        return Err(BadReceipt::TooFew { got, needed });
    }
    if !(1..=spec.max_rounds).contains(&agreed.round) {
        return Err(BadReceipt::Differ("the finishes' round", "the spec"));
    }
    let (signatures, rest) = finishes.signatures.as_chunks::<64>();
    if signatures.len() != usize::from(got) || !rest.is_empty() {
        return Err(BadReceipt::Differ("the signatures", "whose they are"));
    }
    for (index, signature) in agreed.parties.iter().zip(signatures) {
        let key = spec
            .key(index)
            .map_err(|_| BadReceipt::NotInRoster(index.into()))?;
        let signed = SignedEntry {
            entry: Entry::Finish(FinishHeader {
                session,
                round: agreed.round,
                index,
                transcript: agreed.transcript,
                outcome: agreed.outcome,
            }),
            signature: Signature(*signature),
        };
        if !signed.is_signed_by(key, &trust.network().id) {
            return Err(BadReceipt::Signature(index));
        }
    }
    Ok(agreed)
}

/// Both words are about one end.
fn check_same(leaf: &SessionLeaf, terminal: &Terminal, agreed: &Agreed) -> Result<(), BadReceipt> {
    let same = terminal.status == Status::Finished
        && (terminal.outcome, leaf.open_round, leaf.transcript)
            == (agreed.outcome, agreed.round, agreed.transcript)
        && agreed.parties.is_subset(&terminal.filled);
    if same {
        return Ok(());
    }
    Err(BadReceipt::Differ("the replicas", "the parties"))
}
