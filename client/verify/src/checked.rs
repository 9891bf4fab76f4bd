//! Memory of what a process has checked once: signatures that hold, and what opened a session. All its parties share it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest as _, Sha256};
use white_city_wire::{
    Charter, Hash, IdentityKey, SessionId, Signature, VerifiedTx,
    tx::{Open, bytes_to_sign},
};

/// Signatures that are remembered in one generation: a few rounds of the largest session. 32 bytes each, and two generations.
const SIGNATURES: usize = 1 << 14;
/// Openings that are remembered; the largest is 64 KB.
const OPENINGS: usize = 128;

/// A signature that holds: its key, message and bytes in one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Good(Hash);

impl Good {
    /// Of what isn't checked yet. Key and signature have fixed sizes, so no two signatures over anything share it.
    #[must_use]
    pub fn of(key: &IdentityKey, signature: &Signature, message: &[u8]) -> Self {
        let hasher = Sha256::new_with_prefix(key.as_bytes()).chain_update(signature.0);
        Self(Hash(hasher.chain_update(message).finalize().into()))
    }

    /// Of a transaction that its author has signed.
    #[must_use]
    pub fn of_tx(tx: &VerifiedTx) -> Option<Self> {
        let message = bytes_to_sign(tx.action(), tx.network())?;
        Some(Self::of(tx.signer(), tx.signature(), &message))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Checked {
    signatures: Mutex<Generations>,
    openings: Mutex<BTreeMap<SessionId, Arc<(Open, Signature)>>>,
    /// The one that was proven last, with its hash.
    charter: Mutex<Option<(Hash, Arc<Charter>)>>,
}

/// When the young one is full it becomes the old one, and what was old is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: BTreeSet<Good>,
    old: BTreeSet<Good>,
}

impl Checked {
    /// Whether the signature was found to hold.
    #[must_use]
    pub fn holds(&self, good: &Good) -> bool {
        let generations = lock(&self.signatures);
        generations.young.contains(good) || generations.old.contains(good)
    }

    /// Notes signatures that hold.
    pub fn note(&self, good: impl IntoIterator<Item = Good>) {
        let mut generations = lock(&self.signatures);
        for good in good {
            if generations.young.len() >= SIGNATURES {
                generations.old = std::mem::take(&mut generations.young);
            }
            generations.young.insert(good);
        }
    }

    /// The charter with this hash, if it is the one that was noted.
    #[must_use]
    pub fn charter(&self, hash: &Hash) -> Option<Arc<Charter>> {
        let noted = lock(&self.charter);
        let noted = noted.as_ref().filter(|(of, _)| of == hash);
        noted.map(|(_, charter)| Arc::clone(charter))
    }

    /// Notes a charter that was in force.
    pub fn note_charter(&self, charter: &Arc<Charter>) {
        *lock(&self.charter) = Some((charter.hash(), Arc::clone(charter)));
    }

    /// The signed opening of a session of the board.
    #[must_use]
    pub fn opening(&self, id: &SessionId) -> Option<Arc<(Open, Signature)>> {
        lock(&self.openings).get(id).cloned()
    }

    /// Notes what opened a session: the id commits to it, and the board has it.
    pub fn note_opening(&self, id: SessionId, opening: Arc<(Open, Signature)>) {
        let mut openings = lock(&self.openings);
        // Any one makes room: what is missing is read again.
        while openings.len() >= OPENINGS && !openings.contains_key(&id) {
            openings.pop_first();
        }
        openings.insert(id, opening);
    }
}

/// Locks a mutex, poisoned or not: what it guards is complete after each of its short uses, also when another thread has panicked
/// since.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use white_city_wire::{
        Entry, NetworkId, SignedEntry, SignedTx,
        tx::{self, Action, Post},
    };

    use super::*;
    use crate::testing::{identity, key, sign, spec};

    fn good(number: u32) -> Good {
        let key = identity(&key(1));
        Good::of(&key, &Signature([2; 64]), &number.to_be_bytes())
    }

    #[test]
    fn a_signature_is_remembered_as_it_is_and_no_other_one() {
        let [one, two] = [1, 2].map(|seed| identity(&key(seed)));
        let checked = Checked::default();
        checked.note([Good::of(&one, &Signature([3; 64]), b"message")]);
        let holds = |key, signature, message: &[u8]| {
            checked.holds(&Good::of(key, &Signature([signature; 64]), message))
        };
        assert!(holds(&one, 3, b"message"));
        assert!(!holds(&two, 3, b"message"));
        assert!(!holds(&one, 4, b"message"));
        assert!(!holds(&one, 3, b"messages"));
        assert!(!holds(&one, 3, b""));
    }

    #[test]
    fn what_this_party_has_signed_is_known_when_it_is_read() {
        let key = key(1);
        let network = NetworkId([2; 32]);
        let post = Post::new(
            SessionId([3; 32]),
            1,
            (0, 4),
            Hash([4; 32]),
            b"words".to_vec(),
            Vec::new(),
        );
        let header = post.header.clone();
        let action = Action::Post(post);
        let signature = sign(&key, &action, &network);
        let tx = SignedTx::new(action, signature).unwrap();
        let tx = tx.verify(&identity(&key), 4, &network).unwrap();
        let checked = Checked::default();
        checked.note(Good::of_tx(&tx));
        let read = SignedEntry {
            entry: Entry::Post(header),
            signature,
        };
        let message = read.signed_bytes(&network);
        assert!(checked.holds(&Good::of(&identity(&key), &read.signature, &message)));
    }

    #[test]
    fn the_newest_are_remembered_and_memory_is_bounded() {
        let checked = Checked::default();
        let kept = u32::try_from(SIGNATURES).unwrap();
        checked.note((0..kept).map(good));
        assert!(checked.holds(&good(0)));
        checked.note((kept..3 * kept).map(good));
        assert!(!checked.holds(&good(0)));
        assert!((kept..3 * kept).all(|number| checked.holds(&good(number))));
        checked.note([good(3 * kept)]);
        assert!(!checked.holds(&good(kept)));
        let generations = lock(&checked.signatures);
        assert!(generations.young.len() + generations.old.len() <= 2 * SIGNATURES);
    }

    #[test]
    fn openings_are_bounded() {
        let key = identity(&key(1));
        let open = tx::Open {
            spec: spec(vec![key]),
            opener: key,
            nonce: [0; 32],
            open_by_ms: 1,
            stamp: 0,
        };
        let opening = Arc::new((open, Signature([0; 64])));
        let checked = Checked::default();
        for number in 0..=u8::MAX {
            let id = SessionId([number; 32]);
            checked.note_opening(id, Arc::clone(&opening));
            assert_eq!(checked.opening(&id), Some(Arc::clone(&opening)));
        }
        assert_eq!(lock(&checked.openings).len(), OPENINGS);
    }
}
