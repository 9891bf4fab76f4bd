//! A replica that changes its answers: every way of it, by name, and a proxy that does it to a running replica.
//!
//! A change is applied to what a client would take for the truth, so that each is refused by one of the client's checks,
//! left for a newer answer, or waited for in vain; [`Sort`] says which.

mod bodies;
mod council;
mod disputes;
mod endings;
mod headers;
mod inbox;
mod items;
mod leaf;
mod lists;
mod memory;
mod openings;
mod proofs;
mod proxy;
mod replays;
mod texts;

use prost::bytes::Bytes;
use tendermint::block::signed_header::SignedHeader;
use white_city_wire::pb::{self, query::Question};

pub use self::{
    council::{Ballot, Council},
    headers::rehash,
    lists::list_mutators,
    memory::{Exchange, Memory},
    proxy::{DirectPort, Proxy, SLOW},
};
use crate::rng::Rng;

/// Kind of change, by what a client makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// It can't be true: the replica is named as a liar.
    Lie,
    /// It may have been true once: another replica is asked, and this one is named where the pieces don't fit.
    Stale,
    /// There is no answer, or none that can be called a lie for sure: another replica is asked.
    Silence,
}

/// A change to one part of a replica's answers. It says `None` where an answer gives no opportunity.
#[derive(Clone, Copy)]
pub enum Change {
    /// An answer of the board.
    Answer(fn(&mut pb::Answer, &Around<'_>, &mut Rng) -> Option<()>),
    /// A header with the signatures below it.
    Header(fn(&mut SignedHeader, &Memory, &mut Rng) -> Option<()>),
    /// An answer's encoding.
    Bytes(fn(&mut Vec<u8>, &mut Rng) -> Option<()>),
    /// The JSON of a reply.
    Text(fn(&mut Vec<u8>, &mut Rng) -> Option<()>),
    /// Whether there is a reply at all.
    Transport(Transport),
}

/// Way to withhold a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// An error of JSON-RPC.
    Error,
    /// The connection ends within the reply.
    Close,
    /// The reply never ends.
    Endless,
    /// The reply comes late, after clients have asked another replica, too.
    Slow,
    /// Transactions are taken and forgotten.
    Swallow,
    /// Transactions are refused for good.
    Refuse,
}

/// Circumstances of an answer that a change may use.
pub struct Around<'a> {
    /// The question.
    pub question: &'a Question,
    /// Earlier questions and answers.
    pub memory: &'a Memory,
}

/// One way to tamper.
#[derive(Clone, Copy)]
pub struct Mutator {
    /// Its name, for the command line.
    pub name: &'static str,
    /// Description of what it does.
    pub about: &'static str,
    /// Its kind, by what a client makes of it.
    pub sort: Sort,
    /// The change itself.
    pub change: Change,
}

impl std::fmt::Debug for Mutator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

type AnswerChange = fn(&mut pb::Answer, &Around<'_>, &mut Rng) -> Option<()>;
type HeaderChange = fn(&mut SignedHeader, &Memory, &mut Rng) -> Option<()>;
/// Name, description, and how.
type Row<T> = (&'static str, &'static str, T);

/// Every way, in a fixed order.
#[must_use]
pub fn mutators() -> Vec<Mutator> {
    let answers = [
        proofs::CHANGES,
        leaf::CHANGES,
        inbox::CHANGES,
        bodies::CHANGES,
        disputes::CHANGES,
        endings::CHANGES,
        openings::CHANGES,
    ];
    let answers = answers.into_iter().flatten().map(lie(Change::Answer));
    let headers = headers::CHANGES.iter().map(lie(Change::Header));
    let all = answers.chain(headers).chain(replays::all());
    all.chain(texts::all()).collect()
}

fn lie<T: Copy>(change: impl Fn(T) -> Change) -> impl Fn(&Row<T>) -> Mutator {
    move |(name, about, how)| Mutator {
        name,
        about,
        sort: Sort::Lie,
        change: change(*how),
    }
}

/// The mutator of this name.
#[must_use]
pub fn named(name: &str) -> Option<Mutator> {
    mutators().into_iter().find(|mutator| mutator.name == name)
}

/// Bytes of a message, whichever way it keeps them.
trait Field {
    /// Changes them.
    fn change<T>(&mut self, how: impl FnOnce(&mut Vec<u8>) -> T) -> T;
}

impl Field for Vec<u8> {
    fn change<T>(&mut self, how: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        how(self)
    }
}

impl Field for Bytes {
    fn change<T>(&mut self, how: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut bytes = self.to_vec();
        let changed = how(&mut bytes);
        *self = bytes.into();
        changed
    }
}

/// Changes one bit; `None` where there are no bytes.
fn flip(field: &mut impl Field, rng: &mut Rng) -> Option<()> {
    field.change(|bytes| {
        let at = at(bytes, rng)?;
        *bytes.get_mut(at)? ^= 1 << rng.below(8);
        Some(())
    })
}

/// A position in a list; `None` where it is empty.
fn at<T>(list: &[T], rng: &mut Rng) -> Option<usize> {
    let len = u64::try_from(list.len()).ok().filter(|len| *len > 0)?;
    usize::try_from(rng.below(len)).ok()
}

/// One of a list.
fn one<'a, T>(list: &'a mut [T], rng: &mut Rng) -> Option<&'a mut T> {
    let at = at(list, rng)?;
    list.get_mut(at)
}

/// Leaves one out.
fn remove<T>(list: &mut Vec<T>, rng: &mut Rng) -> Option<()> {
    let at = at(list, rng)?;
    list.remove(at);
    Some(())
}

/// Puts one of the list in twice.
fn repeat<T: Clone>(list: &mut Vec<T>, rng: &mut Rng) -> Option<()> {
    let at = at(list, rng)?;
    list.insert(at, list.get(at)?.clone());
    Some(())
}

/// Exchanges two neighbours.
fn swap<T>(list: &mut [T], rng: &mut Rng) -> Option<()> {
    let (_, but_one) = list.split_last()?;
    let at = at(but_one, rng)?;
    list.swap(at, at + 1);
    Some(())
}

/// Cuts 32 bytes off the end.
fn shorten(hashes: &mut impl Field) -> Option<()> {
    hashes.change(|hashes| {
        hashes.truncate(hashes.len().checked_sub(32)?);
        Some(())
    })
}

/// Adds 32 bytes.
fn lengthen(hashes: &mut impl Field, rng: &mut Rng) {
    hashes.change(|hashes| hashes.extend(rng.bytes32()));
}

/// Exchanges two neighbouring values of 32 bytes.
fn swap_hashes(hashes: &mut impl Field, rng: &mut Rng) -> Option<()> {
    hashes.change(|hashes| {
        let (hashes, _) = hashes.as_chunks_mut::<32>();
        swap(hashes, rng)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mutator_has_a_name_of_its_own_and_there_are_enough() {
        let all = mutators();
        let names: BTreeSet<&str> = all.iter().map(|mutator| mutator.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.len() >= 100, "{}", all.len());
        for mutator in &all {
            let plain = |c: char| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit();
            assert!(mutator.name.chars().all(plain), "{}", mutator.name);
            assert!(!mutator.about.is_empty(), "{}", mutator.name);
            assert_eq!(named(mutator.name).unwrap().about, mutator.about);
        }
    }
}
