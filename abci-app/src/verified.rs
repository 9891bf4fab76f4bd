//! Signatures are checked once: transactions that verified are remembered by their content.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use white_city_state_machine::Block;
use white_city_wire::{
    Hash, NetworkId, Refusal, VerifiedTx,
    hash::sha256,
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

    /// Decodes and verifies a transaction against the sessions that `block` knows, or remembers that it did.
    /// What a signature is checked under follows from the session's id, so a remembered one stays good.
    pub fn verify(
        &self,
        block: &Block,
        network: &NetworkId,
        bytes: &[u8],
    ) -> Result<Arc<VerifiedTx>, Refusal> {
        self.verify_admitted(block, network, bytes, |_| Ok(()))
    }

    /// The same; but what isn't remembered has to be admitted before anything is checked that costs more than decoding.
    pub fn verify_admitted(
        &self,
        block: &Block,
        network: &NetworkId,
        bytes: &[u8],
        admit: impl FnOnce(&UncheckedTx) -> Result<(), Refusal>,
    ) -> Result<Arc<VerifiedTx>, Refusal> {
        let hash = sha256(bytes);
        if let Some(known) = self.get(&hash) {
            return Ok(known);
        }
        let tx = UncheckedTx::decode(bytes)?;
        admit(&tx)?;
        let tx = tx.check_keys(|key| self.keys().contains(key))?;
        let (signer, parties) = block.signer(tx.unverified_action())?;
        self.checked.fetch_add(1, Ordering::Relaxed);
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

    /// How many transactions had their signature checked.
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
