//! A session's end, held against the rounds that were read: the same for whoever follows a session and for receipts.

use std::collections::BTreeMap;

use white_city_wire::{
    Bitmap, Entry, Hash, Signature, SignedEntry,
    board::{Cause, SessionLeaf, Status, Terminal, slots_root},
    possible::Impossible,
    tx::{Join, Leave},
};

use super::{Contradiction, History, filled, slots_of};

/// The content of the round that was open when the session ended: joins in round 0, entries in the others.
#[derive(Debug, Clone, Copy)]
pub struct LastRound<'a> {
    /// The joins, in the order of the roster.
    pub joins: &'a [(Join, Signature)],
    /// The entries, in the order of the roster.
    pub entries: &'a [SignedEntry],
}

impl History {
    /// Checks an end whose record is the one in the leaf: that the slots hold what is said, under their authors' signatures,
    /// and that the board's rules end a session so. `left` are those who left, in the order of leaving.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn check_end(
        &self,
        (leaf, terminal): (&SessionLeaf, &Terminal),
        last: LastRound<'_>,
        left: &[(u16, Hash)],
    ) -> Result<(), Contradiction> {
        let bad = |what| Err(Contradiction::Terminal(Impossible(what)));
        let digests = match leaf.open_round {
            0 => self.check_last_joins(last.joins, leaf)?,
            _ => {
                let finished = terminal.status == Status::Finished;
                let outcome = finished.then_some(&terminal.outcome);
                self.check_signed_last_round(outcome, last.entries, leaf)?;
                self.digests(slots_of(last.entries))?
            }
        };
        if terminal.members != *self.members() {
            return bad("has other members than the last round");
        }
        if terminal.filled != filled(&digests) {
            return bad("has other filled slots than the last round");
        }
        terminal
            .check_spec(leaf, &self.spec)
            .map_err(Contradiction::Terminal)?;
        self.check_groups(terminal.cause, last.entries)?;
        let mut leavers = left.iter().rev().map(|(index, _)| *index);
        let last_leaver = leavers.find(|index| self.members().contains(*index));
        if terminal.cause == Cause::Left && terminal.by() != last_leaver {
            return bad("names another one than who left last");
        }
        Ok(())
    }

    /// The joins of a session that has ended while joining. Their signatures have been checked by whoever read them.
    fn check_last_joins(
        &self,
        joins: &[(Join, Signature)],
        leaf: &SessionLeaf,
    ) -> Result<Vec<Option<Hash>>, Contradiction> {
        let digests = self.join_digests(joins)?;
        if slots_root(digests.iter().copied()) != leaf.slots_root {
            return Err(Contradiction::Transcript);
        }
        Ok(digests)
    }

    /// Checks the cause against the entries: where a quorum says the same, the round has closed with it, and the session hasn't
    /// ended for want of one.
    fn check_groups(&self, cause: Cause, entries: &[SignedEntry]) -> Result<(), Contradiction> {
        let mut groups: BTreeMap<Option<Hash>, u16> = BTreeMap::new();
        for signed in entries {
            let outcome = match &signed.entry {
                Entry::Post(_) => None,
                Entry::Finish(finish) => Some(finish.outcome),
            };
            let group = groups.entry(outcome).or_default();
            *group = group.saturating_add(1);
        }
        let winner = groups.iter().find(|(_, size)| **size >= self.spec.quorum);
        let fits = match cause {
            Cause::Disagreement => winner.is_none(),
            Cause::OutOfRounds => winner.is_some_and(|(outcome, _)| outcome.is_none()),
            _ => true,
        };
        if !fits {
            return Err(Contradiction::Terminal(Impossible(
                "has a cause that its entries don't have",
            )));
        }
        Ok(())
    }

    /// Checks that those who declined hadn't joined, and that those who aborted had. `joined` is who has.
    ///
    /// # Errors
    /// [`Contradiction::Left`].
    pub fn check_words<'a>(
        words: impl IntoIterator<Item = &'a (u16, Leave, Signature)>,
        joined: &Bitmap,
    ) -> Result<(), Contradiction> {
        let mut words = words.into_iter();
        let misplaced = words.find(|(index, leave, _)| {
            matches!(leave, Leave::Abort { .. }) != joined.contains(*index)
        });
        match misplaced {
            None => Ok(()),
            Some((index, ..)) => Err(Contradiction::Left { index: *index }),
        }
    }
}
