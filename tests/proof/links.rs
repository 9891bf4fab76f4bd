//! Random walks: links and headers, true and forged, shown to a client and to its model.

use std::collections::{BTreeMap, BTreeSet};

use tendermint::{
    block::{Header, Height, Round, signed_header::SignedHeader},
    hash::Hash as SetHash,
};
use white_city_client::{
    Trust,
    trust::{BadHeader, BadLink},
    wire::{Network, hash::sha256, pb},
};
use white_city_tests::{
    forger::Forger,
    rng::Rng,
    tampering::{Ballot, Council},
};

use crate::model::Model;

/// Links and headers of a schedule.
const SHOWN: usize = 20;
/// The first height.
const INITIAL: u64 = 5;
/// Keys that there are; the first ones are those of the genesis.
const KEYS: u8 = 8;

/// Everything that a client may say to a link.
pub const LESSONS: [&str; 9] = [
    "fork",
    "header-ahead",
    "header-commit",
    "header-early",
    "header-validators",
    "keys",
    "known",
    "learned",
    "not-to",
];
/// Everything that it may say to a header.
pub const VERDICTS: [&str; 5] = ["accepted", "ahead", "commit", "early", "validators"];

/// Events so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Links by what was said to them.
    pub lessons: BTreeMap<String, u64>,
    /// Headers likewise.
    pub verdicts: BTreeMap<String, u64>,
    /// Most links that one client has learned.
    pub longest: usize,
}

/// Validators by the numbers of their keys.
type Set = BTreeSet<u8>;

/// A header as the model has it.
#[derive(Clone)]
struct Head {
    level: u64,
    own: Set,
    next: Set,
    rest: u8,
}

/// Keys whose numbers are in the order of the keys.
struct Ring {
    seeds: Vec<[u8; 32]>,
    public: Vec<[u8; 32]>,
}

impl Ring {
    fn new() -> Self {
        let mut keys: Vec<([u8; 32], [u8; 32])> = (0..KEYS)
            .map(|number| [100 + number; 32])
            .map(|seed| (Council::new([seed]).keys()[0], seed))
            .collect();
        keys.sort_unstable();
        let (public, seeds) = keys.into_iter().unzip();
        Self { seeds, public }
    }

    fn council(&self, set: &Set) -> Council {
        Council::new(set.iter().map(|key| self.seeds[usize::from(*key)]))
    }

    fn number(&self, key: &[u8; 32]) -> u8 {
        let place = self.public.binary_search(key).unwrap();
        u8::try_from(place).unwrap()
    }
}

/// A client, its model, and what somebody may show them.
struct Play<'a> {
    trust: Trust,
    model: &'a mut Model,
    rng: Rng,
    ring: Ring,
    forger: Forger,
    /// The eras that the client knows: their first heights and sets.
    eras: Vec<(u64, Set)>,
    /// Links that were shown.
    shown: Vec<(Head, Vec<u8>)>,
}

/// Plays one schedule to both. What differs is an error.
pub fn play(seed: u64, model: &mut Model, tally: &mut Tally) -> Result<(), String> {
    let (forger, ring) = (Forger::new(), Ring::new());
    let mut network = Network::clone(forger.network());
    network.initial_height = INITIAL;
    let keys = network.charter.replicas.iter();
    let genesis: Set = keys.map(|r| ring.number(&r.validator.0)).collect();
    let mut play = Play {
        trust: Trust::new(network).unwrap(),
        model,
        rng: Rng::new(seed),
        ring,
        forger,
        eras: vec![(INITIAL, genesis)],
        shown: Vec::new(),
    };
    let begin = format!("begin {INITIAL} {}", words(&play.eras[0].1));
    play.model.ask(&[begin]);
    for number in 0..SHOWN {
        play.show(tally)
            .map_err(|what| format!("shown {number}: {what}"))?;
    }
    tally.longest = tally.longest.max(play.eras.len() - 1);
    Ok(())
}

/// What the model calls a set.
fn words<'a>(keys: impl IntoIterator<Item = &'a u8>) -> String {
    let keys: Vec<String> = keys.into_iter().map(u8::to_string).collect();
    if keys.is_empty() {
        return "-".to_owned();
    }
    keys.join(",")
}

impl Head {
    fn words(&self) -> String {
        let (own, next) = (words(&self.own), words(&self.next));
        format!("{}:{own}:{next}:{}", self.level, self.rest)
    }
}

impl Play<'_> {
    fn show(&mut self, tally: &mut Tally) -> Result<(), String> {
        let is_link = self.rng.chance(60);
        let again = self
            .rng
            .chance(15)
            .then(|| self.rng.pick(&self.shown).cloned());
        let is_again = again.as_ref().is_some_and(Option::is_some);
        let (head, newcomers) = match again.flatten() {
            Some(shown) => shown,
            None => self.head(is_link),
        };
        let (signed, votes) = self.signed(&head);
        let shown = format!("{} {votes}", head.words()).trim_end().to_owned();
        let (line, answer, tallied) = if is_link || is_again {
            self.shown.push((head.clone(), newcomers.clone()));
            let keys = newcomers
                .iter()
                .map(|key| self.ring.public[usize::from(*key)]);
            let link = pb::Link {
                signed_header: encoded(signed),
                validators: keys.collect::<Vec<_>>().concat(),
            };
            let (before, newest) = (self.trust.apart(), self.trust.newest_era());
            let mut lesson = lesson(self.trust.learn(&[link]))?;
            if lesson == "learned" && self.trust.newest_era() <= newest {
                // It has put it in the place of one that no state has confirmed. The model is of those that one has.
                self.trust = before;
                lesson = "fork".to_owned();
            }
            if lesson == "learned" {
                let next = newcomers.iter().copied().collect();
                self.eras.push((head.level + 1, next));
            }
            let line = format!("learn {} {shown}", words(&newcomers));
            (line, lesson, &mut tally.lessons)
        } else {
            let verdict = verdict(self.trust.verify(signed).map(|_| ()))?;
            (format!("verify {shown}"), verdict, &mut tally.verdicts)
        };
        *tallied.entry(answer.clone()).or_default() += 1;
        let said = self.model.ask(std::slice::from_ref(&line));
        for (name, value) in [
            ("answer", answer),
            ("eras", self.trust.newest_era().to_string()),
        ] {
            // A client looks first whether it is a link at all, the model whether its era is known: both refuse it.
            let is_either = said[name] == "fork" && value == "not-to";
            if said[name] != value && !is_either {
                let found = &said[name];
                return Err(format!(
                    "{line}: {name}: {found} in the model, {value} in the client"
                ));
            }
        }
        Ok(())
    }

    fn set(&mut self) -> Set {
        if self.rng.chance(20)
            && let Some((_, set)) = self.rng.pick(&self.eras)
        {
            return set.clone();
        }
        let count = self.rng.between(1, 5);
        (0..count)
            .map(|_| u8::try_from(self.rng.below(KEYS.into())).unwrap())
            .collect()
    }

    /// A header of one of the eras, or of none, and the keys that it is said to hand over to.
    fn head(&mut self, is_link: bool) -> (Head, Vec<u8>) {
        let place = if self.rng.chance(60) {
            self.eras.len() - 1
        } else {
            usize::try_from(self.rng.below(u64::try_from(self.eras.len()).unwrap())).unwrap()
        };
        let (first, mut own) = self.eras[place].clone();
        let after = self.eras.get(place + 1).cloned();
        let last = after.as_ref().map_or(first + 9, |(after, _)| after - 1);
        let level = match self.rng.below(10) {
            0 => first - 1,
            1 => first,
            2 => last,
            3 => last + 1,
            _ => self.rng.between(first, last.max(first)),
        };
        let mut next = match after {
            Some((_, after)) if level == last => after,
            _ if is_link => self.set(),
            _ => own.clone(),
        };
        match self.rng.below(20) {
            0 => own = self.set(),
            1 | 2 => next = self.set(),
            3 => next.clone_from(&own),
            _ => {}
        }
        let mut newcomers: Vec<u8> = next.iter().copied().collect();
        match self.rng.below(30) {
            0 => newcomers.clear(),
            1 => newcomers.reverse(),
            2 => newcomers.insert(0, newcomers[0]),
            3 => newcomers = self.set().into_iter().collect(),
            _ => {}
        }
        let rest = u8::try_from(self.rng.below(2)).unwrap();
        let head = Head {
            level,
            own,
            next,
            rest,
        };
        (head, newcomers)
    }

    fn header(&self, head: &Head) -> Header {
        let hash = |set: &Set| -> SetHash { self.ring.council(set).hash() };
        Header {
            validators_hash: hash(&head.own),
            next_validators_hash: hash(&head.next),
            ..self.forger.header(head.level, sha256(&[head.rest]))
        }
    }

    /// The header below which there are votes, mostly enough of its own validators, and the model's words for these.
    fn signed(&mut self, head: &Head) -> (SignedHeader, String) {
        let signers = match self.rng.below(20) {
            0 => self.set(),
            _ => head.own.clone(),
        };
        let council = self.ring.council(&signers);
        let for_ = match self.rng.below(20) {
            0 => Head {
                rest: head.rest + 2,
                ..head.clone()
            },
            _ => head.clone(),
        };
        let ballots = self.ballots(signers.len());
        let height = Height::try_from(head.level).unwrap();
        let place = (height, Round::default());
        let mut signed = council.commit(self.header(&for_), place, &ballots);
        signed.header = self.header(head);
        let mut votes: Vec<(u8, Ballot)> = council
            .keys()
            .iter()
            .map(|key| self.ring.number(key))
            .zip(ballots)
            .collect();
        votes.sort_unstable_by_key(|(key, _)| *key);
        let votes = votes.into_iter().map(|(key, ballot)| match ballot {
            Ballot::Absent => "absent".to_owned(),
            Ballot::Nil => format!("nothing/{key}"),
            Ballot::Block => format!("block/{key}/{}", for_.words()),
            // By nobody that there is.
            Ballot::ForgedNil => format!("nothing/{KEYS}"),
            Ballot::ForgedBlock => format!("block/{KEYS}/{}", for_.words()),
        });
        let votes: Vec<String> = votes.collect();
        (signed, votes.join(" "))
    }

    /// Votes in so many places: of all, of just enough, of one less than that, or of anybody.
    fn ballots(&mut self, places: usize) -> Vec<Ballot> {
        let enough = 2 * places / 3 + 1;
        let count = match self.rng.below(10) {
            0..5 => places,
            5..8 => enough,
            _ => enough - 1,
        };
        let other = *self.rng.pick(&[Ballot::Absent, Ballot::Nil]).unwrap();
        let votes = (0..places).map(|at| if at < count { Ballot::Block } else { other });
        let mut votes: Vec<Ballot> = votes.collect();
        self.rng.shuffle(&mut votes);
        let place = usize::try_from(self.rng.below(u64::try_from(places).unwrap())).unwrap();
        match self.rng.below(30) {
            0 => votes[place] = Ballot::ForgedBlock,
            1 => votes[place] = Ballot::ForgedNil,
            2 => drop(votes.pop()),
            _ => {}
        }
        votes
    }
}

fn encoded(signed: SignedHeader) -> Vec<u8> {
    use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as Raw};
    <SignedHeader as Protobuf<Raw>>::encode_vec(signed)
}

/// The model's name of what a client says to a header.
fn verdict(of: Result<(), BadHeader>) -> Result<String, String> {
    let name = match of {
        Ok(()) => "accepted",
        Err(BadHeader::Ahead { .. }) => "ahead",
        Err(BadHeader::Validators { .. }) => "validators",
        Err(BadHeader::Field {
            field: "height", ..
        }) => "early",
        Err(BadHeader::Commit(_)) => "commit",
        Err(other) => return Err(other.to_string()),
    };
    Ok(name.to_owned())
}

/// The model's name of what it says to a link.
fn lesson(of: Result<usize, BadLink>) -> Result<String, String> {
    let name = match of {
        Ok(0) => "known",
        Ok(_) => "learned",
        Err(BadLink::Keys) => "keys",
        Err(BadLink::NotTo) => "not-to",
        Err(BadLink::Fork(_)) => "fork",
        Err(BadLink::Header(why)) => return Ok(format!("header-{}", verdict(Err(why))?)),
        Err(other) => return Err(other.to_string()),
    };
    Ok(name.to_owned())
}
