//! The party's shares and signing keys: in which file each key's is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use white_city_client::{SessionId, groups::Group, vault::Unlock};

use crate::{
    eddsa::{ShareFile, load_key},
    failure::Failure,
};

/// Files by what they sign under.
#[derive(Default)]
pub struct Keys {
    /// Of each key, by the session that made them: a refresh makes others.
    shares: Mutex<BTreeMap<[u8; 32], BTreeMap<SessionId, PathBuf>>>,
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
        let file = ShareFile::load(path, unlock)?;
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let of_key = shares.entry(file.share.public_key()).or_default();
        of_key.insert(file.session, path.to_owned());
        Ok(())
    }

    /// Notes the shares that groups know of. They may be another identity's, which other keys open.
    pub fn note_groups(&self, groups: &[Group], unlock: &Unlock) {
        let keys = groups.iter().flat_map(Group::keys);
        for path in keys.filter_map(|key| key.share.as_deref()) {
            if let Err(failure) = self.note(path, unlock) {
                tracing::warn!("a group's share isn't signed with: {}", failure.text);
            }
        }
    }

    /// The share of this key that the session `made`, or the only one where that is none.
    ///
    /// # Errors
    /// When there is no such share, or there are several.
    pub fn share(&self, key: &[u8; 32], made: SessionId) -> Result<PathBuf, Failure> {
        let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = hex::encode(key);
        let none = || Failure::usage(format!("no share of the key {shown}"));
        let of_key = shares.get(key).ok_or_else(none)?;
        if made != SessionId::ZERO {
            let share = of_key.get(&made).cloned();
            return share.ok_or_else(|| {
                Failure::usage(format!("no share of the key {shown} that {made} has made"))
            });
        }
        match of_key.values().next() {
            Some(only) if of_key.len() == 1 => Ok(only.clone()),
            _ => Err(Failure::usage(format!(
                "{} shares of the key {shown}: the session has to continue the one that made its shares",
                of_key.len()
            ))),
        }
    }

    /// The signing key whose public key is this one.
    pub fn single(&self, key: &[u8; 32]) -> Option<PathBuf> {
        self.single.get(key).cloned()
    }
}
