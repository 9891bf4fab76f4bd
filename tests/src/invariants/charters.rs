//! Charters: each term has one, which more than two thirds of the operators of the term before approve; it follows the one before it, and
//! takes at most a third of its keys away.

use std::collections::{BTreeMap, BTreeSet};

use white_city_state_machine::State;
use white_city_wire::{
    Bitmap, Charter, Hash,
    approve::{Approve, Proposal, Word},
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
        let approved = self.hear(seen)?;
        let term = after.term();
        let enough = |hash: &&Hash| {
            let words = self.words.values();
            let votes = words.filter(|word| word.charter_hash == **hash).count();
            votes * 3 > before.charter().replicas.len() * 2
        };
        match approved.iter().find(enough) {
            Some(hash) => {
                check_enacted(seen, *hash)?;
                self.words.clear();
            }
            None => {
                let of = |of: &State| (of.term().charter_hash, of.term().height);
                ensure!(of(before) == of(after), "a charter that too few approve");
                let era = |of: &State| (of.term().eras, of.term().era_height);
                ensure!(era(before) == era(after), "another era without a charter");
            }
        }
        check_proven(seen)?;
        let words: Vec<Proposal> = self.words.values().copied().collect();
        ensure!(
            after.proposals() == words,
            "other words than the operators'"
        );
        let number = term.charter.term;
        let known = *self.terms.entry(number).or_insert(term.charter_hash);
        ensure!(known == term.charter_hash, "two charters of term {number}");
        check_openers(seen)
    }
}

impl Charters {
    /// Takes the words of a block in, and says which charters they approve.
    fn hear(&mut self, seen: &Observed) -> Result<BTreeSet<Hash>, String> {
        let present = seen.executed.before.charter();
        let mut approved = BTreeSet::new();
        for (tx, _) in seen.executed.applied() {
            let Action::Approve(approve) = tx.action() else {
                continue;
            };
            let operator = present.replicas.get(usize::from(approve.operator));
            let operator = operator.ok_or("the word of nobody")?.operator;
            let signed = seen.signed.contains(&(operator.0, approve.digest()));
            ensure!(signed, "operator {operator} has never said that");
            let last = self.words.get(&approve.operator).copied();
            let word = match &approve.word {
                Word::Charter { charter, .. } => {
                    check_follows(seen, charter)?;
                    approved.insert(charter.hash());
                    charter.hash()
                }
                Word::Withdraw => Hash::ZERO,
            };
            let now = seen.executed.board_ms;
            let word = next_word(approve, last, word, now)?;
            self.words.insert(approve.operator, word);
        }
        Ok(approved)
    }
}

/// A word follows the operator's last one, and changes something.
fn next_word(
    approve: &Approve,
    last: Option<Proposal>,
    hash: Hash,
    now: u64,
) -> Result<Proposal, String> {
    let number = approve.sequence;
    let sequence = last.map_or(0, |last| last.sequence) + 1;
    ensure!(number == sequence, "a word with number {number}");
    let is_new = last.map_or(Hash::ZERO, |last| last.charter_hash) != hash;
    ensure!(is_new, "a word that changes nothing");
    let board_ms = match (hash, last) {
        (Hash::ZERO, last) => last.map_or(0, |last| last.board_ms),
        (_, Some(last)) => {
            let waited = now.saturating_sub(last.board_ms);
            ensure!(waited >= 60_000, "two charters within {waited} ms");
            now
        }
        _ => now,
    };
    Ok(Proposal {
        operator: approve.operator,
        sequence,
        board_ms,
        charter_hash: hash,
    })
}

/// The charter that was approved is in force, and every last call begins anew.
fn check_enacted(seen: &Observed, hash: Hash) -> Result<(), String> {
    let term = seen.executed.after.term();
    ensure!(
        term.charter.hash() == hash,
        "the charter that was approved isn't in force"
    );
    ensure!(term.charter_hash == hash, "the charter's hash");
    let height = seen.executed.context.height;
    ensure!(term.height == height, "the term's height");
    for session in seen.executed.after.sessions().iter() {
        let anew = session.leaf.call_blocks == 0 && session.leaf.callers == [0; 32];
        ensure!(anew, "session {} keeps its last call", session.number);
    }
    check_era(seen)
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
