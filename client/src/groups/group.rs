//! One group: its members, and what they made together.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use white_city_wire::{Hash, IdentityKey, NetworkId, SessionId, limits::ROSTER_PARTIES_MAX};

use super::{Contacts, GroupError, Name};

/// Most keys of a group, and most sessions that it has begun and not ended.
const KEYS_MAX: usize = 1_000;
/// Longest name of a protocol, bytes.
const PROTOCOL_BYTES_MAX: usize = 255;

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name that a person chose.
    pub name: Name,
    /// The identity key.
    pub key: IdentityKey,
}

/// A key that a group has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupKey {
    /// The board that it was made on.
    pub network: NetworkId,
    /// The session that made it.
    pub session: SessionId,
    /// That session's protocol.
    pub protocol: String,
    /// The public key.
    pub public_key: Hash,
    /// The outcome of that session, which every signature under the key commits to.
    pub outcome: Hash,
    /// Number of members that it takes to sign.
    pub threshold: u16,
    /// The file with this person's share of it, which nobody else is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<PathBuf>,
}

/// A session of a group that this person is in and that hasn't ended well yet: whoever asks for the same again goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// The board.
    pub network: NetworkId,
    /// The session.
    pub session: SessionId,
    /// Its protocol.
    pub protocol: String,
    /// Hash of what was asked for.
    pub asked: Hash,
}

/// People who make keys and signatures together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Name,
    members: Vec<Member>,
    keys: Vec<GroupKey>,
    begun: Vec<Begun>,
}

/// The news of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The group as it is then.
    pub group: Group,
    /// Members that aren't contacts yet.
    pub strangers: Vec<Member>,
    /// Members who have another name among the contacts than in the file; that one is theirs in the group, too.
    pub renamed: Vec<(Name, Name)>,
    /// Keys that weren't known.
    pub new_keys: Vec<GroupKey>,
}

impl Group {
    /// A group of these members, in the order of its sessions' rosters.
    ///
    /// # Errors
    /// [`GroupError::Impossible`] for fewer than two members, too many, or one that is there twice, by name or key.
    pub fn new(name: Name, members: Vec<Member>) -> Result<Self, GroupError> {
        let most = usize::from(ROSTER_PARTIES_MAX);
        if !(2..=most).contains(&members.len()) {
            let what = format!("a group has 2 to {most} members, not {}", members.len());
            return Err(GroupError::Impossible(what));
        }
        for (at, member) in members.iter().enumerate() {
            let mut earlier = members.iter().take(at);
            if earlier.any(|other| other.name == member.name || other.key == member.key) {
                let what = format!("{} is a member twice", member.name);
                return Err(GroupError::Impossible(what));
            }
        }
        Ok(Self {
            name,
            members,
            keys: Vec::new(),
            begun: Vec::new(),
        })
    }

    /// Its members.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The members' keys, in their order.
    #[must_use]
    pub fn roster(&self) -> Vec<IdentityKey> {
        self.members.iter().map(|one| one.key).collect()
    }

    /// The member of this name.
    ///
    /// # Errors
    /// [`GroupError::Impossible`] for whoever is no member.
    pub fn member(&self, name: &Name) -> Result<&Member, GroupError> {
        let found = self.members.iter().find(|member| member.name == *name);
        let stranger = || GroupError::Impossible(format!("{name} is no member of {}", self.name));
        found.ok_or_else(stranger)
    }

    /// The name of a member's key.
    #[must_use]
    pub fn name_of(&self, key: &IdentityKey) -> Option<&Name> {
        let found = self.members.iter().find(|member| member.key == *key);
        found.map(|member| &member.name)
    }

    /// The keys that it has made, the oldest first.
    #[must_use]
    pub fn keys(&self) -> &[GroupKey] {
        &self.keys
    }

    /// The key that a session has made.
    #[must_use]
    pub fn key_of(&self, session: &SessionId) -> Option<&GroupKey> {
        self.keys.iter().find(|key| key.session == *session)
    }

    /// Notes a key that was made; of one that is known, where this person's share is.
    ///
    /// # Errors
    /// [`GroupError::Impossible`] where the session is known to have made another one, or there are too many.
    pub fn add_key(&mut self, key: GroupKey) -> Result<bool, GroupError> {
        if key.protocol.len() > PROTOCOL_BYTES_MAX || self.keys.len() >= KEYS_MAX {
            let what = format!("a group has {KEYS_MAX} keys at most");
            return Err(GroupError::Impossible(what));
        }
        let known = self.keys.iter_mut().find(|one| one.session == key.session);
        let Some(known) = known else {
            self.keys.push(key);
            return Ok(true);
        };
        let (old, new) = (known.share.take(), key.share.clone());
        let is_same = *known == GroupKey { share: None, ..key };
        known.share = if is_same { new.or(old) } else { old };
        if !is_same {
            let what = format!(
                "session {} is known to have made the key {}, and another one is said now",
                known.session, known.public_key
            );
            return Err(GroupError::Impossible(what));
        }
        Ok(false)
    }

    /// The session that was begun for the same.
    #[must_use]
    pub fn begun(&self, network: &NetworkId, asked: &Hash) -> Option<&Begun> {
        let mut begun = self.begun.iter();
        begun.find(|begun| begun.asked == *asked && begun.network == *network)
    }

    /// Notes a session that begins; the oldest one is forgotten where there are too many.
    pub fn begin(&mut self, begun: Begun) {
        self.end(&begun.session);
        self.begun.push(begun);
        if self.begun.len() > KEYS_MAX {
            self.begun.remove(0);
        }
    }

    /// Forgets a session that has ended.
    pub fn end(&mut self, session: &SessionId) {
        self.begun.retain(|begun| begun.session != *session);
    }

    /// The file for others: nothing of it is about this machine.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        let keys = self.keys.iter().cloned();
        let keys = keys.map(|key| GroupKey { share: None, ..key });
        let shared = Self {
            keys: keys.collect(),
            begun: Vec::new(),
            ..self.clone()
        };
        shared.to_bytes()
    }

    /// What a file of another member brings to what is known: `known` is the group of its name here.
    ///
    /// # Errors
    /// [`GroupError::NameTaken`] where a contact of a member's name has another key; [`GroupError::OtherMembers`];
    /// [`GroupError::Impossible`].
    pub fn import(
        bytes: &[u8],
        named: Option<Name>,
        contacts: &Contacts,
        known: impl FnOnce(&Name) -> Result<Option<Self>, GroupError>,
    ) -> Result<Imported, GroupError> {
        let mut brought = Self::from_bytes(bytes).map_err(GroupError::Impossible)?;
        brought.begun.clear();
        brought.keys.iter_mut().for_each(|key| key.share = None);
        if let Some(name) = named {
            brought.name = name;
        }
        let (mut strangers, mut renamed, mut all) = (Vec::new(), Vec::new(), contacts.clone());
        for member in &mut brought.members {
            if let Some(name) = contacts.name_of(&member.key) {
                if *name != member.name {
                    renamed.push((member.name.clone(), name.clone()));
                }
                member.name = name.clone();
            } else {
                // A name that stands for somebody else here is nobody else's.
                all.add(member.name.clone(), member.key)?;
                strangers.push(member.clone());
            }
        }
        let mut group = match known(&brought.name)? {
            Some(known) => known,
            None => Self::new(brought.name.clone(), brought.members.clone())?,
        };
        if group.roster() != brought.roster() {
            let what = group.differs(&brought);
            let group = group.name;
            return Err(GroupError::OtherMembers { group, what });
        }
        let mut new_keys = Vec::new();
        for key in brought.keys {
            if group.add_key(key.clone())? {
                new_keys.push(key);
            }
        }
        Ok(Imported {
            group,
            strangers,
            renamed,
            new_keys,
        })
    }

    fn differs(&self, other: &Self) -> String {
        let missing = |of: &Self, from: &Self| -> Vec<String> {
            let missing = of.members.iter();
            let missing = missing.filter(|member| from.name_of(&member.key).is_none());
            missing
                .map(|member| format!("{} ({})", member.name, member.key))
                .collect()
        };
        let (gone, new) = (missing(self, other), missing(other, self));
        if gone.is_empty() && new.is_empty() {
            return "they stand in another order".into();
        }
        format!(
            "here, but not there: [{}]; there, but not here: [{}]",
            gone.join(", "),
            new.join(", ")
        )
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let members = self.members.iter().map(|member| StoredMember {
            name: member.name.clone(),
            key: Hash(*member.key.as_bytes()),
        });
        let stored = Stored {
            version: 1,
            name: self.name.clone(),
            members: members.collect(),
            keys: self.keys.clone(),
            begun: self.begun.clone(),
        };
        super::home::to_json(&stored)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if stored.version != 1 {
            return Err(format!("version {}, expected 1", stored.version));
        }
        let members = stored.members.into_iter().map(|member| {
            let key = key_of(&member.key)?;
            Ok(Member {
                name: member.name,
                key,
            })
        });
        let members = members.collect::<Result<Vec<_>, String>>()?;
        let group = Self::new(stored.name, members);
        let mut group = group.map_err(|error| error.to_string())?;
        for key in stored.keys {
            let session = key.session;
            let added = group.add_key(key).map_err(|error| error.to_string())?;
            if !added {
                return Err(format!("the key of session {session} is there twice"));
            }
        }
        for begun in stored.begun {
            group.begin(begun);
        }
        Ok(group)
    }
}

/// The key that stands in a file.
pub(super) fn key_of(key: &Hash) -> Result<IdentityKey, String> {
    IdentityKey::from_bytes(&key.0).map_err(|error| format!("{key} is no identity's key: {error}"))
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    name: Name,
    members: Vec<StoredMember>,
    keys: Vec<GroupKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<Begun>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMember {
    name: Name,
    key: Hash,
}

#[cfg(test)]
mod tests;
