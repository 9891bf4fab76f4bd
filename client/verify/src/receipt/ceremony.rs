//! Everything that was signed in a session: checked round by round as a reader of the board checks it.

use white_city_wire::{
    Bitmap, Entry, FinishHeader, Hash, PostHeader, SessionId, Signature, SignedEntry,
    board::{Culprit, Offence, SessionLeaf, Terminal},
    pb::{self, receipt_entry::Content},
    tx::Join,
};

use super::{BadReceipt, Claim, Proven, anchor, end, error::OrBad};
use crate::{
    history::{Contradiction, History, LastRound},
    read::{Parties, SignedDispute, check_culprits, check_join, check_left, culprits, left},
    trust::Trust,
};

pub(super) fn verify(receipt: &pb::CeremonyReceipt, trust: &Trust) -> Result<Proven, BadReceipt> {
    let (anchored, open) =
        anchor::of_session(receipt.anchor.as_ref(), receipt.open.as_ref(), trust)?;
    let leaf = &anchored.leaf;
    if leaf.status.is_live() {
        return Err(BadReceipt::Live("the session hasn't ended"));
    }
    let terminal = receipt.terminal.as_ref();
    let terminal = terminal.ok_or(BadReceipt::Missing("terminal record"))?;
    let terminal = end::check_terminal(terminal, &anchored)?;
    end::check_kept(&open, leaf, &terminal)?;
    let network = trust.network().id;
    let past = Past {
        history: History::new(network, leaf.session, open.spec.clone()),
        leaf,
        terminal: &terminal,
    };
    let left = left(&receipt.left).or_bad("leavers")?;
    check_left(&left, leaf, &open.spec).or_bad("leavers")?;
    let joins = past.joins(&receipt.joins, trust)?;
    let (counted, history) = past.check(&joins, &receipt.rounds, &left)?;
    let parties = Parties {
        id: leaf.session,
        spec: &open.spec,
        network: &network,
    };
    let mut joined = Bitmap::empty(open.spec.parties());
    joins.iter().for_each(|(join, _)| joined.insert(join.index));
    let culprits = check_blame(receipt, leaf, parties, (&left, &joined))?;
    let txs = (receipt.complain.as_ref(), receipt.reveal.as_ref());
    let dispute = parties.dispute(leaf, &culprits, txs).or_bad("dispute")?;
    let judged = history.check_verdict(dispute.as_ref(), &culprits, &terminal);
    judged.or_bad("verdict")?;
    Ok(Proven {
        session: Some(leaf.session),
        certified: vec![anchored.certified(trust)?],
        claim: Claim::Ceremony {
            joins: u16::try_from(joins.len()).unwrap_or(u16::MAX),
            rounds: leaf.open_round,
            entries: counted,
            culprits: culprits.iter().map(|culprit| culprit.index).collect(),
            left: left.iter().map(|(index, _)| *index).collect(),
            dispute: dispute.as_ref().map(SignedDispute::parties),
            terminal: Box::new(terminal),
        },
        open: Some(open),
    })
}

/// The past that joins and entries make, and the end that it has to lead to.
struct Past<'a> {
    history: History,
    leaf: &'a SessionLeaf,
    terminal: &'a Terminal,
}

impl Past<'_> {
    /// Each join under its author's key, ascending.
    fn joins(
        &self,
        joins: &[pb::Join],
        trust: &Trust,
    ) -> Result<Vec<(Join, Signature)>, BadReceipt> {
        let spec = self.history.spec();
        let joins = joins.iter();
        let joins: Vec<(Join, Signature)> = joins
            .map(|join| check_join(join, self.leaf.session, spec, trust, None).or_bad("join"))
            .collect::<Result<_, _>>()?;
        check_ascending(0, joins.iter().map(|(join, _)| join.index))?;
        Ok(joins)
    }

    /// Closes round after round, and compares with what was certified. Gives how many entries there are, and the rounds that
    /// have closed.
    fn check(
        mut self,
        joins: &[(Join, Signature)],
        rounds: &[pb::ReceiptRound],
        left: &[(u16, Hash)],
    ) -> Result<(u64, History), BadReceipt> {
        let digests = self.history.join_digests(joins);
        let digests = digests.map_err(bad_round(0))?;
        let Some((last, closed)) = rounds.split_last() else {
            // Joining was open when the session ended.
            self.check_end(joins, &[], left)?;
            return Ok((0, self.history));
        };
        let joined = self.history.closed_joining(joins, digests);
        self.history.push(joined.map_err(bad_round(0))?);
        let mut count = 0_u64;
        for round in closed {
            let number = self.history.open_round();
            let entries = self.entries(round)?;
            count = count.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
            let closed = self.history.check_signed_round(entries);
            self.history.push(closed.map_err(bad_round(number))?);
        }
        let entries = self.entries(last)?;
        count = count.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
        self.check_end(&[], &entries, left)?;
        Ok((count, self.history))
    }

    /// The rounds lead to the certified transcript, and the session has ended as the board's rules end it after them.
    fn check_end(
        &self,
        joins: &[(Join, Signature)],
        entries: &[SignedEntry],
        left: &[(u16, Hash)],
    ) -> Result<(), BadReceipt> {
        let end = (self.leaf, self.terminal);
        let last = LastRound { joins, entries };
        let read = (self.history.open_round(), self.history.transcript());
        self.history
            .check_end(end, last, left)
            .map_err(bad_round(read.0))?;
        if read != (self.leaf.open_round, self.leaf.transcript) {
            return Err(BadReceipt::Rounds);
        }
        Ok(())
    }

    /// The entries of the round that follows, ascending; where they belong follows from where they are.
    fn entries(&self, round: &pb::ReceiptRound) -> Result<Vec<SignedEntry>, BadReceipt> {
        let place = (
            self.leaf.session,
            self.history.open_round(),
            self.history.transcript(),
        );
        let entries = round.entries.iter().map(|entry| signed_entry(entry, place));
        let entries: Vec<SignedEntry> = entries.collect::<Result<_, _>>()?;
        check_ascending(place.1, entries.iter().map(|signed| signed.entry.slot().2))?;
        Ok(entries)
    }
}

fn bad_round(round: u32) -> impl Fn(Contradiction) -> BadReceipt {
    move |what| BadReceipt::Round { round, what }
}

fn check_ascending(round: u32, indices: impl Iterator<Item = u16>) -> Result<(), BadReceipt> {
    let mut last = None;
    for index in indices {
        if last.is_some_and(|last| last >= index) {
            let what = "indices that don't ascend";
            return Err(bad_round(round)(Contradiction::Place { index, what }));
        }
        last = Some(index);
    }
    Ok(())
}

fn signed_entry(
    entry: &pb::ReceiptEntry,
    (session, round, transcript): (SessionId, u32, Hash),
) -> Result<SignedEntry, BadReceipt> {
    let index = u16::try_from(entry.index).map_err(|_| BadReceipt::NotInRoster(entry.index))?;
    let hash = |what, bytes: &[u8]| Hash::from_slice(bytes).ok_or(BadReceipt::Missing(what));
    let content = match &entry.content {
        Some(Content::Post(post)) => Entry::Post(PostHeader {
            session,
            round,
            index,
            transcript,
            bcast_hash: match post.bcast_hash.as_slice() {
                [] => Hash::ZERO,
                bytes => hash("broadcast's hash", bytes)?,
            },
            bcast_len: post.bcast_len,
            p2p_root: hash("p2p root", &post.p2p_root)?,
            p2p_bytes: post.p2p_bytes,
        }),
        Some(Content::Outcome(outcome)) => Entry::Finish(FinishHeader {
            session,
            round,
            index,
            transcript,
            outcome: hash("outcome", outcome)?,
        }),
        None => return Err(BadReceipt::Missing("content of an entry")),
    };
    let signature = Signature::from_slice(&entry.signature);
    Ok(SignedEntry {
        entry: content,
        signature: signature.ok_or(BadReceipt::Signature(index))?,
    })
}

/// Every equivocation with its signed entries, and every leaver with its signed word, no more and no fewer; gives all
/// culprits. `joined` is who has joined.
fn check_blame(
    receipt: &pb::CeremonyReceipt,
    leaf: &SessionLeaf,
    parties: Parties<'_>,
    (left, joined): (&[(u16, Hash)], &Bitmap),
) -> Result<Vec<Culprit>, BadReceipt> {
    let culprits = culprits(&receipt.culprits).or_bad("culprits")?;
    check_culprits(&culprits, leaf, parties.spec).or_bad("culprits")?;
    let convicted = culprits
        .iter()
        .filter(|culprit| culprit.offence == Offence::Equivocation);
    let convicted: Vec<_> = convicted.collect();
    if (convicted.len(), left.len()) != (receipt.evidence.len(), receipt.leaves.len()) {
        return Err(BadReceipt::Differ("the evidence", "whom it is about"));
    }
    for (culprit, pair) in convicted.into_iter().zip(&receipt.evidence) {
        let checked = parties.pair(culprit, std::slice::from_ref(pair));
        checked.or_bad("evidence")?;
    }
    let words = left.iter().zip(&receipt.leaves);
    let words = words.map(|((index, digest), word)| {
        let checked = parties.word(*index, digest, std::slice::from_ref(word));
        checked.or_bad("leavers")
    });
    let words = words.collect::<Result<Vec<_>, _>>()?;
    History::check_words(&words, joined).or_bad("leavers")?;
    Ok(culprits)
}
