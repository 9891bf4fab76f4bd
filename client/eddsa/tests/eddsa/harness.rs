//! Runs a protocol among parties in one process. A test can change, drop or add what is posted.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signature, VerifyingKey};
use white_city_eddsa::aggregate::KeyPair;
use white_city_eddsa::{
    Backend, Dalek, Error, KeyShare, Outgoing, Randomness, Session, Signed, aggregate, keygen,
    refresh,
    reshare::{self, Held, Plan, Reshared},
    run::{Heard, Next, Run},
    sign::{
        self,
        many::{self, SignedMany},
    },
};

pub type Posts = BTreeMap<u16, Outgoing>;
pub type Results<T> = BTreeMap<u16, Result<T, Error>>;
/// A party before its first round, and what it posts in it.
pub type Step<T> = (Run<T>, Outgoing);

/// Begins.
fn step<R, T>(started: Result<(R, Outgoing), Error>) -> Step<T>
where
    Run<T>: From<R>,
{
    let (first, post) = started.unwrap();
    (first.into(), post)
}

/// Runs all parties to their ends. `wire(round, posts)` may change what is posted; whoever is missing in `posts` afterwards posted nothing.
/// A party whose post was changed still sees its own as it made it: it is the corrupt one, and goes on.
pub fn run<T>(
    parties: BTreeMap<u16, Step<T>>,
    mut wire: impl FnMut(u16, &mut Posts),
) -> Results<T> {
    let mut results = Results::new();
    let mut live = parties;
    for round in 1.. {
        if live.is_empty() {
            return results;
        }
        let made: Posts = live
            .iter()
            .map(|(party, (_, post))| (*party, post.clone()))
            .collect();
        let mut posts = made.clone();
        wire(round, &mut posts);
        for (party, (run, _)) in std::mem::take(&mut live) {
            let mut heard = heard(&posts, party);
            if let Some(own) = heard.broadcasts.get_mut(&party) {
                own.clone_from(&made[&party].broadcast);
            }
            match run.close(&heard) {
                Ok(Next::Post(run, post)) => drop(live.insert(party, (run, post))),
                Ok(Next::Made(result)) => drop(results.insert(party, Ok(result))),
                Err(error) => drop(results.insert(party, Err(error))),
            }
        }
    }
    unreachable!("a protocol has few rounds");
}

/// What a party hears of a round that has closed.
fn heard(posts: &Posts, party: u16) -> Heard {
    let mut heard = Heard {
        posted: posts.keys().copied().collect(),
        ..Heard::default()
    };
    for (&from, post) in posts {
        if !post.broadcast.is_empty() {
            heard.broadcasts.insert(from, post.broadcast.clone());
        }
        if let Some(payload) = post.p2p.get(&party) {
            heard.p2p.insert(from, payload.clone());
        }
    }
    heard
}

pub fn roster(parties: u16) -> Vec<[u8; 32]> {
    (0..parties)
        .map(|party| {
            let mut key = [7; 32];
            key[..2].copy_from_slice(&party.to_be_bytes());
            key
        })
        .collect()
}

pub fn session(sid: u8, parties: u16, index: u16) -> Session {
    Session::new([sid; 32], &roster(parties), index).unwrap()
}

pub fn randomness(sid: u8, index: u16) -> Randomness {
    let mut seed = [sid; 32];
    seed[30..].copy_from_slice(&index.to_be_bytes());
    Randomness::from_seed(seed)
}

pub fn keygen_step<B: Backend>(
    session: Session,
    degree: u16,
    quorum: u16,
    randomness: Randomness,
) -> Step<KeyShare> {
    step(keygen::start_with::<B>(session, degree, quorum, randomness))
}

pub fn refresh_step<B: Backend>(
    session: Session,
    key: &KeyShare,
    holders: &[u16],
    randomness: Randomness,
) -> Step<KeyShare> {
    step(refresh::start_with::<B>(session, key, holders, randomness))
}

/// Holders of a key in this order, who refresh it.
pub fn refresh_parties(
    sid: u8,
    keys: &[KeyShare],
    holders: &[u16],
) -> BTreeMap<u16, Step<KeyShare>> {
    let parties = u16::try_from(holders.len()).unwrap();
    (0..parties)
        .zip(holders)
        .map(|(index, holder)| {
            let key = keys.iter().find(|key| key.index() == *holder).unwrap();
            let session = session(sid, parties, index);
            let step = refresh_step::<Dalek>(session, key, holders, randomness(sid, index));
            (index, step)
        })
        .collect()
}

/// Who deals and who receives, and the key's share that each dealer has.
pub struct Resharing<'a> {
    pub parties: u16,
    pub keys: &'a [KeyShare],
    /// Index in the session, and in the roster of the key.
    pub dealers: BTreeMap<u16, u16>,
    pub recipients: BTreeSet<u16>,
    pub degree: u16,
}

impl Resharing<'_> {
    pub fn plan(&self) -> Plan {
        let dealers = self.dealers.keys().copied().collect();
        let key = self.keys[0].public_key();
        Plan::new(key, &dealers, &self.recipients, self.degree).unwrap()
    }

    pub fn step<B: Backend>(&self, sid: u8, index: u16) -> Step<Reshared> {
        let holders: Vec<u16> = self.dealers.values().copied().collect();
        let holder = self.dealers.get(&index);
        let key = holder.map(|holder| self.keys.iter().find(|key| key.index() == *holder).unwrap());
        let held = key.map(|key| Held {
            key,
            holders: &holders,
        });
        let session = session(sid, self.parties, index);
        step(reshare::start_with::<B>(
            session,
            self.plan(),
            held,
            randomness(sid, index),
        ))
    }

    pub fn all(&self, sid: u8) -> BTreeMap<u16, Step<Reshared>> {
        let parties = 0..self.parties;
        parties
            .map(|index| (index, self.step::<Dalek>(sid, index)))
            .collect()
    }
}

pub fn sign_step<B: Backend>(
    session: Session,
    key: &KeyShare,
    signers: &[u16],
    message: &[u8],
    randomness: Randomness,
) -> Step<Signed> {
    step(sign::start_with::<B>(
        session, key, signers, message, randomness,
    ))
}

pub fn many_step<B: Backend>(
    session: &Session,
    key: &KeyShare,
    signers: &[u16],
    messages: &[&[u8]],
    randomness: Randomness,
) -> Step<SignedMany> {
    step(many::start_with::<B, _>(
        session, key, signers, messages, randomness,
    ))
}

pub fn many_parties(
    sid: u8,
    keys: &[KeyShare],
    signers: &[u16],
    messages: &[&[u8]],
) -> BTreeMap<u16, Step<SignedMany>> {
    let parties = u16::try_from(signers.len()).unwrap();
    (0..parties)
        .zip(signers)
        .map(|(index, signer)| {
            let key = keys.iter().find(|key| key.index() == *signer).unwrap();
            let session = session(sid, parties, index);
            let random = randomness(sid, index);
            (
                index,
                many_step::<Dalek>(&session, key, signers, messages, random),
            )
        })
        .collect()
}

pub fn aggregate_step<B: Backend>(
    session: Session,
    key_pair: &KeyPair,
    expected: Option<&[[u8; 32]]>,
    message: &[u8],
    randomness: Randomness,
) -> Step<Signed> {
    let started = aggregate::start_with::<B>(session, key_pair, expected, message, randomness);
    step(started)
}

pub fn keygen_parties(
    sid: u8,
    parties: u16,
    degree: u16,
    quorum: u16,
) -> BTreeMap<u16, Step<KeyShare>> {
    (0..parties)
        .map(|index| {
            let session = session(sid, parties, index);
            (
                index,
                keygen_step::<Dalek>(session, degree, quorum, randomness(sid, index)),
            )
        })
        .collect()
}

/// An undisturbed key generation.
pub fn keys(parties: u16, degree: u16) -> Vec<KeyShare> {
    let results = run(keygen_parties(1, parties, degree, parties), |_, _| {});
    results.into_values().map(Result::unwrap).collect()
}

pub fn sign_parties(
    sid: u8,
    keys: &[KeyShare],
    signers: &[u16],
    message: &[u8],
) -> BTreeMap<u16, Step<Signed>> {
    let parties = u16::try_from(signers.len()).unwrap();
    (0..parties)
        .zip(signers)
        .map(|(index, signer)| {
            let key = keys.iter().find(|key| key.index() == *signer).unwrap();
            let session = session(sid, parties, index);
            let step = sign_step::<Dalek>(session, key, signers, message, randomness(sid, index));
            (index, step)
        })
        .collect()
}

pub fn key_pairs(parties: u16) -> Vec<KeyPair> {
    (0..parties)
        .map(|party| {
            let mut seed = [9; 32];
            seed[..2].copy_from_slice(&party.to_be_bytes());
            KeyPair::from_seed(&seed)
        })
        .collect()
}

pub fn aggregate_parties(sid: u8, parties: u16, message: &[u8]) -> BTreeMap<u16, Step<Signed>> {
    (0..parties)
        .zip(key_pairs(parties))
        .map(|(index, key_pair)| {
            let session = session(sid, parties, index);
            let step =
                aggregate_step::<Dalek>(session, &key_pair, None, message, randomness(sid, index));
            (index, step)
        })
        .collect()
}

/// By two implementations that share no code.
pub fn assert_valid(signed: &Signed, message: &[u8]) {
    VerifyingKey::from_bytes(&signed.public_key)
        .unwrap()
        .verify_strict(message, &Signature::from_bytes(&signed.signature))
        .unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, signed.public_key)
        .verify(message, &signed.signature)
        .unwrap();
}

/// All parties have the same valid signature; gives it.
pub fn agreed(results: Results<Signed>, message: &[u8]) -> Signed {
    let mut signed: Vec<Signed> = results.into_values().map(Result::unwrap).collect();
    let first = signed.pop().unwrap();
    assert!(signed.iter().all(|other| *other == first));
    assert!(
        signed
            .iter()
            .all(|other| other.outcome() == first.outcome())
    );
    assert_valid(&first, message);
    first
}
