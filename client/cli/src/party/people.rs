//! Names for identities, and groups of them: what a policy may speak of.

use std::collections::BTreeMap;

use white_city_client::IdentityKey;

use crate::args::identity;

/// The identities that have names, and the groups.
#[derive(Default)]
pub struct People {
    /// By name.
    pub(super) contacts: BTreeMap<String, IdentityKey>,
    pub(super) groups: BTreeMap<String, Group>,
}

/// A group, as far as a policy asks.
#[derive(Clone, Default)]
pub struct Group {
    /// Its members.
    pub members: Vec<IdentityKey>,
    /// The keys that they have made.
    pub keys: Vec<[u8; 32]>,
}

impl People {
    /// The name of an identity.
    pub fn name(&self, key: &IdentityKey) -> Option<&str> {
        let named = self.contacts.iter().find(|(_, known)| *known == key);
        named.map(|(name, _)| &**name)
    }

    /// The name of an identity, or its key where it has none.
    pub fn shown(&self, key: &IdentityKey) -> String {
        self.name(key).map_or_else(|| key.to_string(), Into::into)
    }

    /// The identity that a text names, by its name or its key.
    pub fn find(&self, text: &str) -> Option<IdentityKey> {
        let named = self.contacts.get(text).cloned();
        named.or_else(|| identity(text).ok())
    }

    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }
}
