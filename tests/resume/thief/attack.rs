//! Attack of a thief on it, with all that the board shows to everybody.

use std::collections::{BTreeMap, BTreeSet};

use curve25519_dalek::Scalar;
use hkdf::Hkdf;
use sha2::{Digest, Sha256, Sha512};
use white_city_client::{
    Client, IdentityKey, SessionId, Spec,
    kem::PartyKem,
    read::ReadInbox,
    wire::{
        Entry,
        payload::{PayloadContext, SessionSeed},
        tx::Join,
    },
};
use white_city_eddsa::{KeyShare, Randomness, Session, keygen, sign};

use super::journal::{Loot, Plaintext, Seeds};
use crate::world::MESSAGE;

/// Polynomials of the tests' keys have this degree.
const DEGREE: u16 = 1;

/// A round as everybody can read it: by author, the transcript that its post names, its broadcast, and what is sealed to the victim.
type Round = BTreeMap<u16, (white_city_client::Hash, Vec<u8>, Vec<u8>)>;

/// A session of a victim, as the board shows it.
pub struct Stolen {
    client: Client,
    id: SessionId,
    spec: Spec,
    victim: u16,
    rounds: BTreeMap<u32, Round>,
}

impl Stolen {
    pub async fn read(client: Client, id: SessionId, victim: u16, rounds: u32) -> Self {
        let spec = client.open_of(id).await.unwrap().spec;
        let mut stolen = Self {
            client,
            id,
            spec,
            victim,
            rounds: BTreeMap::new(),
        };
        for round in 1..=rounds {
            let read = stolen.round(round).await;
            stolen.rounds.insert(round, read);
        }
        stolen
    }

    async fn round(&self, round: u32) -> Round {
        let read = ReadInbox {
            id: self.id,
            spec: &self.spec,
            round,
            reader: Some(self.victim),
            from_index: 0,
        };
        let page = self.client.read(&read, 0).await.unwrap().into_value();
        let posts = page.entries.into_iter().map(|entry| {
            let Entry::Post(post) = &entry.signed.entry else {
                panic!("a round of posts");
            };
            let seen = (post.transcript, entry.broadcast, entry.ciphertext);
            (post.index, seen)
        });
        posts.collect()
    }

    fn broadcasts(&self, round: u32) -> BTreeMap<u16, Vec<u8>> {
        let round = self.rounds[&round].iter();
        round.map(|(from, seen)| (*from, seen.1.clone())).collect()
    }

    fn key(&self, index: u16) -> &IdentityKey {
        &self.spec.roster[usize::from(index)]
    }

    /// Plaintexts that the victim was sent in a round.
    fn opened(&self, round: u32, seeds: &Seeds) -> BTreeMap<u16, Vec<u8>> {
        let seed = SessionSeed::new(seeds.session.clone().try_into().unwrap());
        let key = seed.encryption_key(self.spec.kem, &self.id, self.victim);
        let join = Join {
            session: self.id,
            index: self.victim,
            key: key.unwrap(),
        };
        let key = seed.decryption_key::<PartyKem>(self.spec.kem, &self.id, self.victim);
        let sent = self.rounds[&round].iter();
        let sent = sent.filter(|(from, _)| **from != self.victim);
        sent.map(|(from, (transcript, _, ciphertext))| {
            let context = PayloadContext {
                network: self.client.network().id,
                session: self.id,
                transcript: *transcript,
                round,
                from: *from,
                to: self.victim,
                from_key: self.key(*from),
                to_key: self.key(self.victim),
                to_join: join.digest(),
            };
            (*from, key.open(&context, ciphertext).unwrap().to_vec())
        })
        .collect()
    }

    /// The victim's share, by running its part of the key generation again.
    pub fn share_by_replay(&self, loot: &Loot) -> Option<Scalar> {
        let seeds = loot.seeds.as_ref()?;
        let session = self.session();
        let randomness = Randomness::from_seed(self.randomness(seeds));
        let (round, _) = keygen::start(session, DEGREE, self.spec.quorum, randomness).unwrap();
        let (round, _) = round.close(&self.broadcasts(1)).ok()?;
        let opened = self.opened(2, seeds);
        let share = round.close(&self.broadcasts(2), &opened).ok()?;
        Some(scalar(share.to_bytes().last_chunk().unwrap()))
    }

    fn session(&self) -> Session {
        let roster: Vec<_> = self.spec.roster.iter().map(|key| *key.as_bytes()).collect();
        Session::new(self.id.0, &roster, self.victim).unwrap()
    }

    /// Dealings of the victim's nonce, which nobody can know who hasn't its share: journals held them once.
    pub fn dealt(&self, loot: &Loot, share: &KeyShare) -> Vec<(u32, Plaintext)> {
        let randomness = Randomness::from_seed(self.randomness(loot.seeds.as_ref().unwrap()));
        let signers: Vec<u16> = (0..self.spec.parties()).collect();
        let message = MESSAGE.as_bytes();
        let (round, _) = sign::start(self.session(), share, &signers, message, randomness).unwrap();
        let (_, outgoing) = round.close(&self.broadcasts(1)).unwrap();
        let dealt = outgoing.p2p.into_iter().map(|(to, bytes)| {
            let plaintext = Plaintext {
                to: to.into(),
                bytes: bytes.to_vec(),
            };
            (2, plaintext)
        });
        dealt.collect()
    }

    fn randomness(&self, seeds: &Seeds) -> [u8; 32] {
        let purpose = b"white-city/eddsa";
        let length = u64::try_from(purpose.len()).unwrap().to_be_bytes();
        let info: [&[u8]; 4] = [b"white-city/protocol/1", &self.id.0, &length, purpose];
        let mut drawn = [0; 32];
        Hkdf::<Sha256>::new(None, &seeds.protocol)
            .expand_multi_info(&info, &mut drawn)
            .unwrap();
        drawn
    }

    /// The victim's share, from a signature: what it dealt of its nonce gives its dealing, that and what it was dealt its share
    /// of the nonce, and that and its partial signature the rest.
    pub fn share_by_nonce(
        &self,
        loot: &Loot,
        signature: &[u8; 64],
        key: &[u8; 32],
    ) -> Option<Scalar> {
        let seeds = loot.seeds.as_ref()?;
        let dealt = loot.plaintexts.iter().filter(|(round, _)| *round == 2);
        let dealt = dealt.map(|(_, plaintext)| {
            let to = u16::try_from(plaintext.to).unwrap();
            (to, payload_scalar(&plaintext.bytes))
        });
        let own = interpolated(&dealt.collect(), self.victim)?;
        let opened = self.opened(2, seeds);
        let nonce = opened
            .values()
            .fold(own, |sum, share| sum + payload_scalar(share));
        let partial = payload_scalar(&self.rounds[&4][&self.victim].1);
        let hash = [&signature[..32], key, MESSAGE.as_bytes()].concat();
        let wide: [u8; 64] = Sha512::digest(hash).into();
        let challenge = Scalar::from_bytes_mod_order_wide(&wide);
        Some((partial - nonce) * challenge.invert())
    }
}

/// A version byte and a scalar.
fn payload_scalar(bytes: &[u8]) -> Scalar {
    scalar(bytes.last_chunk().unwrap())
}

pub fn scalar(bytes: &[u8; 32]) -> Scalar {
    Scalar::from_canonical_bytes(*bytes).unwrap()
}

/// The value of a polynomial at a party, from its values at enough others.
fn interpolated(values: &BTreeMap<u16, Scalar>, at: u16) -> Option<Scalar> {
    if values.len() <= usize::from(DEGREE) {
        return None;
    }
    let x = |party: u16| Scalar::from(u64::from(party) + 1);
    let known: BTreeSet<u16> = values.keys().copied().collect();
    let terms = values.iter().map(|(party, value)| {
        let others = known.iter().filter(|other| *other != party);
        others.fold(*value, |term, other| {
            term * (x(at) - x(*other)) * (x(*party) - x(*other)).invert()
        })
    });
    Some(terms.sum())
}
