//! Runs a protocol among parties in one process. A test can change, drop or add what is posted.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signature, VerifyingKey};
use white_city_eddsa::aggregate::KeyPair;
use white_city_eddsa::{
    Backend, Dalek, Error, KeyShare, Outgoing, Randomness, Session, Signed, aggregate, keygen,
    refresh,
    reshare::{self, Held, Plan, Reshared},
    sign::{
        self,
        many::{self, SignedMany},
    },
};

/// The inbox that one party reads of a closed round.
#[derive(Default)]
pub struct Inbox {
    pub broadcasts: BTreeMap<u16, Vec<u8>>,
    pub p2p: BTreeMap<u16, Vec<u8>>,
    pub posted: BTreeSet<u16>,
}

pub type Close<T> = Box<dyn FnOnce(&Inbox) -> Result<Step<T>, Error>>;
pub type Posts = BTreeMap<u16, Outgoing>;
pub type Results<T> = BTreeMap<u16, Result<T, Error>>;

/// A party between two rounds.
pub enum Step<T> {
    Post(Outgoing, Close<T>),
    Done(T),
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
        let mut posts = Posts::new();
        let mut closes: BTreeMap<u16, Close<T>> = BTreeMap::new();
        for (party, step) in live {
            match step {
                Step::Post(outgoing, close) => {
                    posts.insert(party, outgoing);
                    closes.insert(party, close);
                }
                Step::Done(result) => drop(results.insert(party, Ok(result))),
            }
        }
        live = BTreeMap::new();
        if closes.is_empty() {
            return results;
        }
        let made = posts.clone();
        wire(round, &mut posts);
        for (party, close) in closes {
            let mut inbox = inbox(&posts, party);
            if let Some(own) = inbox.broadcasts.get_mut(&party) {
                own.clone_from(&made[&party].broadcast);
            }
            match close(&inbox) {
                Ok(step) => drop(live.insert(party, step)),
                Err(error) => drop(results.insert(party, Err(error))),
            }
        }
    }
    unreachable!("a protocol has few rounds");
}

fn inbox(posts: &Posts, party: u16) -> Inbox {
    let mut inbox = Inbox {
        posted: posts.keys().copied().collect(),
        ..Inbox::default()
    };
    for (&from, post) in posts {
        if !post.broadcast.is_empty() {
            inbox.broadcasts.insert(from, post.broadcast.clone());
        }
        if let Some(payload) = post.p2p.get(&party) {
            inbox.p2p.insert(from, payload.to_vec());
        }
    }
    inbox
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
    let (round1, post) = keygen::start_with::<B>(session, degree, quorum, randomness).unwrap();
    Step::Post(
        post,
        Box::new(move |inbox| {
            let (round2, post) = round1.close(&inbox.broadcasts)?;
            Ok(Step::Post(
                post,
                Box::new(move |inbox| round2.close(&inbox.broadcasts, &inbox.p2p).map(Step::Done)),
            ))
        }),
    )
}

pub fn refresh_step<B: Backend>(
    session: Session,
    key: &KeyShare,
    holders: &[u16],
    randomness: Randomness,
) -> Step<KeyShare> {
    let (round1, post) = refresh::start_with::<B>(session, key, holders, randomness).unwrap();
    Step::Post(
        post,
        Box::new(move |inbox| {
            let (round2, post) = round1.close(&inbox.broadcasts)?;
            Ok(Step::Post(
                post,
                Box::new(move |inbox| round2.close(&inbox.broadcasts, &inbox.p2p).map(Step::Done)),
            ))
        }),
    )
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
        let started = reshare::start_with::<B>(session, self.plan(), held, randomness(sid, index));
        let (round1, post) = started.unwrap();
        Step::Post(
            post,
            Box::new(move |inbox| {
                let (round2, post) = round1.close(&inbox.broadcasts)?;
                let close: Close<Reshared> = Box::new(move |inbox| {
                    round2.close(&inbox.broadcasts, &inbox.p2p).map(Step::Done)
                });
                Ok(Step::Post(post, close))
            }),
        )
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
    let (round1, post) = sign::start_with::<B>(session, key, signers, message, randomness).unwrap();
    Step::Post(
        post,
        Box::new(move |inbox| {
            let (round2, post) = round1.close(&inbox.broadcasts)?;
            Ok(Step::Post(
                post,
                Box::new(move |inbox| sign_rest(round2, inbox)),
            ))
        }),
    )
}

fn sign_rest<B: Backend>(round2: sign::Round2<B>, inbox: &Inbox) -> Result<Step<Signed>, Error> {
    let round3 = round2.close(&inbox.broadcasts, &inbox.p2p)?;
    Ok(Step::Post(
        Outgoing::default(),
        Box::new(move |inbox| {
            let (round4, post) = round3.close(&inbox.posted)?;
            let close: Close<Signed> =
                Box::new(move |inbox| round4.close(&inbox.broadcasts).map(Step::Done));
            Ok(Step::Post(post, close))
        }),
    ))
}

pub fn many_step<B: Backend>(
    session: &Session,
    key: &KeyShare,
    signers: &[u16],
    messages: &[&[u8]],
    randomness: Randomness,
) -> Step<SignedMany> {
    let started = many::start_with::<B, _>(session, key, signers, messages, randomness);
    let (round1, post) = started.unwrap();
    Step::Post(
        post,
        Box::new(move |inbox| {
            let (round2, post) = round1.close(&inbox.broadcasts)?;
            Ok(Step::Post(
                post,
                Box::new(move |inbox| many_rest(round2, inbox)),
            ))
        }),
    )
}

fn many_rest<B: Backend>(
    round2: many::Round2<B>,
    inbox: &Inbox,
) -> Result<Step<SignedMany>, Error> {
    let round3 = round2.close(&inbox.broadcasts, &inbox.p2p)?;
    Ok(Step::Post(
        Outgoing::default(),
        Box::new(move |inbox| {
            let (round4, post) = round3.close(&inbox.posted)?;
            let close: Close<SignedMany> =
                Box::new(move |inbox| round4.close(&inbox.broadcasts).map(Step::Done));
            Ok(Step::Post(post, close))
        }),
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
    let (round1, post) =
        aggregate::start_with::<B>(session, key_pair, expected, message, randomness).unwrap();
    Step::Post(
        post,
        Box::new(move |inbox| {
            let (round2, post) = round1.close(&inbox.broadcasts)?;
            let close: Close<Signed> = Box::new(move |inbox| {
                let (round3, post) = round2.close(&inbox.broadcasts)?;
                let close: Close<Signed> =
                    Box::new(move |inbox| round3.close(&inbox.broadcasts).map(Step::Done));
                Ok(Step::Post(post, close))
            });
            Ok(Step::Post(post, close))
        }),
    )
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
