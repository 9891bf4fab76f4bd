//! The party's shares and signing keys: in which file each key's is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use white_city_client::{IdentityKey, SessionId, groups::Group, vault::Unlock};

use crate::{
    eddsa::{ShareFile, load_key},
    failure::Failure,
};

/// Files by what they sign under.
#[derive(Default)]
pub struct Keys {
    /// Sessions whose shares were refreshed: nothing is signed with them any more.
    retired: Mutex<BTreeSet<SessionId>>,
    /// Of each key, by the session that made them: a refresh makes others.
    shares: Mutex<BTreeMap<[u8; 32], BTreeMap<SessionId, PathBuf>>>,
    single: BTreeMap<[u8; 32], PathBuf>,
}

impl Keys {
    /// Opens each signing key once, to see which it is. Nothing of it stays in memory.
    ///
    /// # Errors
    /// When one of them can't be opened.
    pub fn of(
        single: &[PathBuf],
        retired: BTreeSet<SessionId>,
        unlock: &Unlock,
    ) -> Result<Self, Failure> {
        Ok(Self {
            single: single
                .iter()
                .map(|path| Ok((load_key(path, unlock)?.public_key(), path.clone())))
                .collect::<Result<_, Failure>>()?,
            retired: Mutex::new(retired),
            ..Self::default()
        })
    }

    /// Notes a share of this party's, unless it was refreshed. It is opened once; nothing of it stays in memory.
    ///
    /// # Errors
    /// When it can't be opened, or is somebody else's.
    pub fn note(&self, path: &Path, unlock: &Unlock, party: &IdentityKey) -> Result<(), Failure> {
        let file = ShareFile::load(path, unlock)?;
        if file.index_of(party) != Some(file.share.index()) {
            return Err(Failure::usage(format!(
                "{}: another party's share",
                path.display()
            )));
        }
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        if !retired.contains(&file.session) {
            let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
            let of_key = shares.entry(file.share.public_key()).or_default();
            of_key.insert(file.session, path.to_owned());
        }
        Ok(())
    }

    /// Notes the shares that groups know of. They may be another identity's, or other keys may open them.
    pub fn note_groups(&self, groups: &[Group], unlock: &Unlock, party: &IdentityKey) {
        let keys = groups.iter().flat_map(Group::keys);
        for path in keys.filter_map(|key| key.share.as_deref()) {
            if let Err(failure) = self.note(path, unlock, party) {
                tracing::warn!("a group's share isn't signed with: {}", failure.text);
            }
        }
    }

    /// Gives up the share of a key that a session has made, and says where it is.
    pub fn retire(&self, key: &[u8; 32], made: SessionId) -> Option<PathBuf> {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.insert(made);
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.get_mut(key)?.remove(&made)
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
