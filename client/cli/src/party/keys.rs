//! The party's shares and signing keys: in which file each key's is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use white_city_client::vault::Unlock;

use crate::{
    eddsa::{ShareFile, load_key},
    failure::Failure,
};

/// Files by what they sign under.
#[derive(Default)]
pub struct Keys {
    shares: Mutex<BTreeMap<[u8; 32], PathBuf>>,
    single: BTreeMap<[u8; 32], PathBuf>,
}

impl Keys {
    /// Opens each file once, to see what is in it. Nothing of it stays in memory.
    ///
    /// # Errors
    /// When one of them can't be opened.
    pub fn of(shares: &[PathBuf], single: &[PathBuf], unlock: &Unlock) -> Result<Self, Failure> {
        let keys = Self {
            single: single
                .iter()
                .map(|path| Ok((load_key(path, unlock)?.public_key(), path.clone())))
                .collect::<Result<_, Failure>>()?,
            ..Self::default()
        };
        for path in shares {
            keys.note(path, unlock)?;
        }
        Ok(keys)
    }

    /// Notes a share.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn note(&self, path: &Path, unlock: &Unlock) -> Result<(), Failure> {
        let key = ShareFile::load(path, unlock)?.share.public_key();
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.insert(key, path.to_owned());
        Ok(())
    }

    /// The share of this key.
    pub fn share(&self, key: &[u8; 32]) -> Option<PathBuf> {
        let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.get(key).cloned()
    }

    /// The signing key whose public key is this one.
    pub fn single(&self, key: &[u8; 32]) -> Option<PathBuf> {
        self.single.get(key).cloned()
    }
}
