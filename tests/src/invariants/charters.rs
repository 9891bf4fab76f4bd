//! Charters: each term has one, which more than two thirds of the operators of the term before approve; it follows the one before it, and
//! takes at most a third of its keys away.

use std::collections::{BTreeMap, BTreeSet};

use white_city_wire::{
    Bitmap, Charter, Hash,
    approve::{Proposal, Word},
    charter::Replica,
    tx::Action,
};

use super::Property;
use crate::simulator::Observed;

/// The charter of each term, and the words of the present one.
#[derive(Default, Clone)]
pub struct Charters {
    terms: BTreeMap<u32, Hash>,
    words: BTreeMap<u16, Proposal>,
}

impl Property for Charters {
    const NAME: &'static str = "charters";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let (before, after) = (&seen.executed.before, &seen.executed.after);
        let approved = self.check_words(seen)?;
        let winner = self.winner(seen, &approved);
        let term = after.term();
        match winner {
            Some(hash) => {
                ensure!(
                    term.charter.hash() == hash,
                    "the charter that was approved isn't in force"
                );
                ensure!(term.charter_hash == hash, "the charter's hash");
                ensure!(
                    term.height == seen.executed.context.height,
                    "the term's height"
                );
                check_era(seen)?;
                self.words.clear();
                for session in after.sessions().iter() {
                    let anew = session.leaf.call_blocks == 0 && session.leaf.callers == [0; 32];
                    ensure!(anew, "session {} keeps its last call", session.number);
                }
            }
            None => {
                let same = term.charter_hash == before.term().charter_hash;
                ensure!(same, "a charter that too few approve");
                let eras = (term.height, term.eras, term.era_height);
                let was = before.term();
                ensure!(
                    eras == (was.height, was.eras, was.era_height),
                    "another era without a charter"
                );
            }
        }
        check_proven(seen)?;
        let words: Vec<Proposal> = self.words.values().copied().collect();
        ensure!(
            after.proposals() == words,
            "other words than the operators'"
        );
        let known = *self
            .terms
            .entry(term.charter.term)
            .or_insert(term.charter_hash);
        ensure!(
            known == term.charter_hash,
            "two charters of term {}",
            term.charter.term
        );
        check_openers(seen)
    }
}

impl Charters {
    /// Notes the words of a block, and gives the charters that it approves.
    fn check_words(&mut self, seen: &Observed) -> Result<BTreeMap<Hash, Charter>, String> {
        let present = seen.executed.before.charter();
        let mut approved: BTreeMap<Hash, Charter> = BTreeMap::new();
        for (tx, _) in seen.executed.applied() {
            let Action::Approve(approve) = tx.action() else {
                continue;
            };
            let operator = present.replicas.get(usize::from(approve.operator));
            let operator = operator.ok_or("the word of nobody")?.operator;
            let signed = seen.signed.contains(&(operator.0, approve.digest()));
            ensure!(signed, "operator {operator} has never said that");
            let last = self.words.get(&approve.operator).copied();
            let hash = match &approve.word {
                Word::Charter { charter, .. } => {
                    check_follows(seen, charter)?;
                    approved.insert(charter.hash(), Charter::clone(charter));
                    charter.hash()
                }
                Word::Withdraw => Hash::ZERO,
            };
            let sequence = last.map_or(0, |last| last.sequence) + 1;
            ensure!(
                approve.sequence == sequence,
                "a word with number {}",
                approve.sequence
            );
            let is_new = last.map_or(Hash::ZERO, |last| last.charter_hash) != hash;
            ensure!(is_new, "a word that changes nothing");
            let board_ms = match (hash, last) {
                (Hash::ZERO, last) => last.map_or(0, |last| last.board_ms),
                (_, Some(last)) => {
                    let waited = seen.executed.board_ms.saturating_sub(last.board_ms);
                    ensure!(waited >= 60_000, "two charters within {waited} ms");
                    seen.executed.board_ms
                }
                _ => seen.executed.board_ms,
            };
            let word = Proposal {
                operator: approve.operator,
                sequence,
                board_ms,
                charter_hash: hash,
            };
            self.words.insert(approve.operator, word);
        }
        Ok(approved)
    }

    /// The charter that the block has to enact, if it has to.
    fn winner(&self, seen: &Observed, approved: &BTreeMap<Hash, Charter>) -> Option<Hash> {
        let present = seen.executed.before.charter();
        let votes = |hash: &Hash| {
            self.words
                .values()
                .filter(|w| w.charter_hash == *hash)
                .count()
        };
        let enough = |hash: &&Hash| votes(hash) * 3 > present.replicas.len() * 2;
        approved.keys().find(enough).copied()
    }
}

/// A charter that was approved follows the one in force.
fn check_follows(seen: &Observed, charter: &Charter) -> Result<(), String> {
    let before = &seen.executed.before;
    let present = before.charter();
    ensure!(
        charter.term == present.term + 1,
        "a charter of term {}",
        charter.term
    );
    ensure!(
        charter.previous == present.hash(),
        "a charter that follows another one"
    );
    ensure!(
        seen.executed.board_ms <= charter.until_ms,
        "a charter whose time is over"
    );
    let most = ((present.replicas.len() - 1) / 3).max(1);
    let keys = |of: &Charter, role: fn(&Replica) -> Hash| -> BTreeSet<Hash> {
        of.replicas.iter().map(role).collect()
    };
    let roles: [fn(&Replica) -> Hash; 2] = [|r| r.validator, |r| r.operator];
    for role in roles {
        let gone = keys(present, role).difference(&keys(charter, role)).count();
        ensure!(
            gone <= most,
            "{gone} of {} keys leave at once",
            present.replicas.len()
        );
    }
    let operators = keys(charter, |r| r.operator);
    let distinct = operators.union(&keys(charter, |r| r.validator)).count();
    ensure!(
        distinct == 2 * charter.replicas.len(),
        "one key in two roles"
    );
    Ok(())
}

/// Another set of validators is another era.
fn check_era(seen: &Observed) -> Result<(), String> {
    let (was, is) = (seen.executed.before.term(), seen.executed.after.term());
    let set =
        |charter: &Charter| -> Vec<Hash> { charter.replicas.iter().map(|r| r.validator).collect() };
    let height = seen.executed.context.height;
    let expected = match set(&was.charter) == set(&is.charter) {
        true => (was.eras, was.era_height),
        false => {
            ensure!(
                height >= was.era_height + 2,
                "two sets of validators in a row"
            );
            (was.eras + 1, height)
        }
    };
    ensure!(
        (is.eras, is.era_height) == expected,
        "the era isn't {expected:?}"
    );
    Ok(())
}

/// Who was proven stays so as long as its validator stays; who votes is proven; nobody else is.
fn check_proven(seen: &Observed) -> Result<(), String> {
    let (was, is) = (seen.executed.before.term(), seen.executed.after.term());
    let voted = Bitmap::from_bytes(256, &seen.executed.context.voted);
    let voted = voted.ok_or("no bitmap")?;
    let mut proven = BTreeSet::new();
    for (position, replica) in (0_u16..).zip(&was.charter.replicas) {
        if was.proven().contains(position) || voted.contains(position) {
            proven.insert(replica.validator);
        }
    }
    for (position, replica) in (0_u16..).zip(&is.charter.replicas) {
        let due = proven.contains(&replica.validator);
        ensure!(
            is.proven().contains(position) == due,
            "replica {position} is proven: must be {due}"
        );
    }
    let past = is
        .proven()
        .iter()
        .all(|position| position < is.charter.size());
    ensure!(past, "somebody is proven who isn't there");
    Ok(())
}

/// Exactly those are listed whom the charter lists, with its quotas.
fn check_openers(seen: &Observed) -> Result<(), String> {
    let after = &seen.executed.after;
    let mut listed: BTreeMap<Hash, (u32, u64)> = BTreeMap::new();
    for opener in &after.charter().openers {
        listed.insert(opener.key, (opener.max_live, opener.max_bytes));
    }
    for opener in after.openers().iter() {
        let due = listed.remove(&Hash(*opener.key.as_bytes()));
        let found = opener.listed.then_some((opener.max_live, opener.max_bytes));
        ensure!(
            found == due,
            "an opener has {found:?}, the charter says {due:?}"
        );
        let none = opener.listed || (opener.max_live, opener.max_bytes) == (0, 0);
        ensure!(none, "a stranger's leaf has a quota");
    }
    ensure!(listed.is_empty(), "an opener of the charter has no number");
    Ok(())
}
