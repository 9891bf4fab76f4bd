//! Signatures are checked once: transactions that verified are remembered by their content.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::{Digest, Sha256};
use white_city_state_machine::Block;
use white_city_wire::{
    Hash, NetworkId, Refusal, VerifiedTx,
    tx::{Action, UncheckedTx},
};

use crate::known_keys::KnownKeys;

/// Verified transactions, in two generations: when the young one is full it becomes the old one, and what was old
/// is forgotten.
pub struct VerifiedCache {
    limit_bytes: u64,
    generations: Mutex<Generations>,
    /// Of rosters.
    keys: Mutex<KnownKeys>,
    checked: AtomicU64,
}

#[derive(Default)]
struct Generations {
    young: BTreeMap<Hash, Arc<VerifiedTx>>,
    old: BTreeMap<Hash, Arc<VerifiedTx>>,
    young_bytes: u64,
}

/// A transaction whose encoding and sizes are good.
pub enum Decoded {
    /// One that was verified before.
    Known(Arc<VerifiedTx>),
    /// Another one, with the hash of its bytes and the rules' number.
    New(Hash, Box<UncheckedTx>),
}

impl Decoded {
    /// Its work.
    pub fn work(&self) -> u32 {
        match self {
            Self::Known(tx) => tx.work(),
            Self::New(_, tx) => tx.work(),
        }
    }

    /// Its work, unless that was done before.
    pub fn new_work(&self) -> u32 {
        match self {
            Self::Known(_) => 0,
            Self::New(_, tx) => tx.work(),
        }
    }
}

impl VerifiedCache {
    /// A cache for at most `limit_bytes` of transactions.
    pub fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            generations: Mutex::default(),
            keys: Mutex::default(),
            checked: AtomicU64::new(0),
        }
    }

    /// Decodes a transaction by the rules of this number, or remembers that it was verified by them. What was verified by others isn't
    /// remembered, whoever verifies while a board moves from one number to the next.
    ///
    /// # Errors
    /// A [`Refusal`] of the first group.
    pub fn decode(&self, protocol: u32, bytes: &[u8]) -> Result<Decoded, Refusal> {
        let hasher = Sha256::new_with_prefix(protocol.to_be_bytes());
        let hash = Hash(hasher.chain_update(bytes).finalize().into());
        Ok(match self.get(&hash) {
            Some(known) => Decoded::Known(known),
            None => Decoded::New(hash, Box::new(UncheckedTx::decode(bytes)?)),
        })
    }

    /// Decodes and verifies a transaction against the sessions that `block` knows, or remembers that it did.
    /// What a signature is checked under follows from the session's id, so a remembered one stays good.
    pub fn verify(
        &self,
        block: &Block,
        network: &NetworkId,
        bytes: &[u8],
    ) -> Result<Arc<VerifiedTx>, Refusal> {
        let admit = |tx: &UncheckedTx| self.check_opener(tx, network);
        self.verify_decoded(block, network, self.decode(block.protocol(), bytes)?, admit)
    }

    /// Checks the opener's signature of an opening; everything else passes.
    ///
    /// # Errors
    /// [`Refusal::BadSignature`].
    pub fn check_opener(&self, tx: &UncheckedTx, network: &NetworkId) -> Result<(), Refusal> {
        let Some(open) = tx.opening() else {
            return Ok(());
        };
        self.checked.fetch_add(1, Ordering::Relaxed);
        let is_signed = tx.is_signed_by_opener(network);
        is_signed.then_some(()).ok_or(Refusal::BadSignature {
            key: Hash(*open.opener.as_bytes()),
        })
    }

    /// The same of what was decoded. An opening's roster has up to a thousand keys, which take 50 ms: if it isn't remembered, everything
    /// that the board says of it is checked before, and whatever `admit` does, which is its opener's signature at least.
    pub fn verify_decoded(
        &self,
        block: &Block,
        network: &NetworkId,
        tx: Decoded,
        admit: impl FnOnce(&UncheckedTx) -> Result<(), Refusal>,
    ) -> Result<Arc<VerifiedTx>, Refusal> {
        let (hash, tx) = match tx {
            Decoded::Known(known) => return Ok(known),
            Decoded::New(hash, tx) => (hash, *tx),
        };
        block.check_cheaply(&tx)?;
        admit(&tx)?;
        let tx = tx.check_keys(|key| self.keys().contains(key))?;
        let (signer, parties) = block.signer(tx.unverified_action())?;
        // An opening's was counted as it was admitted.
        if !matches!(tx.unverified_action(), Action::Open(_)) {
            self.checked.fetch_add(1, Ordering::Relaxed);
        }
        let verified = Arc::new(tx.verify(&signer, parties, network)?);
        if let Action::Open(open) = verified.action() {
            let mut keys = self.keys();
            for key in &open.spec.roster {
                keys.insert(*key.as_bytes());
            }
        }
        self.insert(hash, Arc::clone(&verified));
        Ok(verified)
    }

    /// Number of transactions that had their signature checked.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    fn keys(&self) -> MutexGuard<'_, KnownKeys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, hash: &Hash) -> Option<Arc<VerifiedTx>> {
        let mut generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(hash) {
            return Some(Arc::clone(known));
        }
        // What is used again is young again. `insert` takes the lock for itself.
        let known = generations.old.remove(hash)?;
        drop(generations);
        self.insert(*hash, Arc::clone(&known));
        Some(known)
    }

    fn insert(&self, hash: Hash, tx: Arc<VerifiedTx>) {
        let mut generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bytes = u64::from(tx.bytes());
        if generations.young_bytes + bytes > self.limit_bytes / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        if generations.young.insert(hash, tx).is_none() {
            generations.young_bytes += bytes;
        }
    }
}
