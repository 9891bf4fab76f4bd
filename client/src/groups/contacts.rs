//! Contacts: a name for each key, and a key for each name.

use serde::{Deserialize, Serialize};
use white_city_wire::{Hash, IdentityKey, hash::sha256};

use super::{GroupError, Name, group::key_of};

/// Most contacts.
const CONTACTS_MAX: usize = 10_000;
/// The part before a key in what its fingerprint is made of.
const FINGERPRINT: &[u8] = b"white-city/fingerprint";

/// Names for keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contacts(Vec<(Name, IdentityKey)>);

impl Contacts {
    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &IdentityKey)> {
        self.0.iter().map(|(name, key)| (name, key))
    }

    /// The name of a key.
    #[must_use]
    pub fn name_of(&self, key: &IdentityKey) -> Option<&Name> {
        let mut all = self.iter();
        all.find_map(|(name, known)| (known == key).then_some(name))
    }

    /// The key of this name.
    ///
    /// # Errors
    /// [`GroupError::NoContact`].
    pub fn key_of(&self, name: &Name) -> Result<&IdentityKey, GroupError> {
        let mut all = self.iter();
        let found = all.find_map(|(known, key)| (known == name).then_some(key));
        found.ok_or_else(|| GroupError::NoContact(name.clone()))
    }

    /// Gives a key a name; says whether it didn't have it.
    ///
    /// # Errors
    /// [`GroupError::NameTaken`] by another key, [`GroupError::KeyTaken`] for a key that has another name; [`GroupError::Impossible`] where there
    /// are too many.
    pub fn add(&mut self, name: Name, key: IdentityKey) -> Result<bool, GroupError> {
        if let Ok(known) = self.key_of(&name) {
            if *known == key {
                return Ok(false);
            }
            return Err(GroupError::NameTaken {
                name,
                key: Hash(*known.as_bytes()),
                fingerprint: fingerprint(known),
            });
        }
        if let Some(name) = self.name_of(&key).cloned() {
            let key = Hash(*key.as_bytes());
            return Err(GroupError::KeyTaken { key, name });
        }
        if self.0.len() >= CONTACTS_MAX {
            let what = format!("at most {CONTACTS_MAX} contacts");
            return Err(GroupError::Impossible(what));
        }
        self.0.push((name, key));
        self.0.sort();
        Ok(true)
    }

    /// Forgets a name, and gives its key.
    ///
    /// # Errors
    /// [`GroupError::NoContact`].
    pub fn remove(&mut self, name: &Name) -> Result<IdentityKey, GroupError> {
        let at = self.0.iter().position(|(known, _)| known == name);
        let at = at.ok_or_else(|| GroupError::NoContact(name.clone()))?;
        Ok(self.0.remove(at).1)
    }
}

/// What people compare of a key, by telephone or side by side: six groups of five digits. It takes more work than anybody can do to find
/// another key with the same ones.
#[must_use]
pub fn fingerprint(key: &IdentityKey) -> String {
    let hash = sha256(&[FINGERPRINT, key.as_bytes()].concat());
    let (parts, _) = hash.0.as_chunks::<5>();
    let groups = parts.iter().map(|part| {
        let number = part
            .iter()
            .fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        format!("{:05}", number % 100_000)
    });
    groups.collect::<Vec<_>>().join(" ")
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    version: u32,
    contacts: Vec<StoredContact>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredContact {
    name: Name,
    key: Hash,
}

impl From<&Contacts> for Stored {
    fn from(contacts: &Contacts) -> Self {
        let contacts = contacts.iter().map(|(name, key)| StoredContact {
            name: name.clone(),
            key: Hash(*key.as_bytes()),
        });
        Self {
            version: 1,
            contacts: contacts.collect(),
        }
    }
}

impl TryFrom<Stored> for Contacts {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        if stored.version != 1 {
            return Err(format!("version {}, expected 1", stored.version));
        }
        let mut contacts = Self::default();
        for StoredContact { name, key } in stored.contacts {
            let added = contacts.add(name.clone(), key_of(&key)?);
            if !added.map_err(|error| error.to_string())? {
                return Err(format!("{name} is there twice"));
            }
        }
        Ok(contacts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocalKey, Signer as _};

    fn key(number: u8) -> IdentityKey {
        LocalKey::from_seed(&[number; 32]).unwrap().identity()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_has_one_name_and_a_name_one_key() {
        let mut contacts = Contacts::default();
        assert!(contacts.add(name("bob"), key(2)).unwrap());
        assert!(contacts.add(name("alice"), key(1)).unwrap());
        assert!(!contacts.add(name("Alice"), key(1)).unwrap());
        let taken = contacts.add(name("ALICE"), key(3)).unwrap_err();
        assert!(taken.to_string().contains(&fingerprint(&key(1))), "{taken}");
        let taken = contacts.add(name("carol"), key(1)).unwrap_err();
        assert!(matches!(taken, GroupError::KeyTaken { .. }), "{taken}");
        assert_eq!(contacts.name_of(&key(2)), Some(&name("bob")));
        assert_eq!(contacts.name_of(&key(3)), None);
        let names: Vec<&str> = contacts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["alice", "bob"]);
        assert_eq!(contacts.remove(&name("alice")).unwrap(), key(1));
        assert!(contacts.remove(&name("alice")).is_err());
        assert!(contacts.add(name("carol"), key(1)).unwrap());
    }

    #[test]
    fn fingerprints_are_short_and_each_key_has_its_own() {
        // What people have compared once they compare again.
        assert_eq!(fingerprint(&key(1)), "89082 52044 35408 81319 86431 63449");
        assert_ne!(fingerprint(&key(1)), fingerprint(&key(2)));
    }
}
