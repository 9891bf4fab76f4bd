//! The names that people have here, and the texts that say them instead of indices.

use std::{
    env,
    path::{Path, PathBuf},
};

use white_city_client::{
    IdentityKey, SessionId,
    groups::{Contacts, Group, GroupError, GroupKey, Home, Name},
};

use crate::{args::identity, failure::Failure};

/// Names the folder where no argument does.
const VARIABLE: &str = "WHITE_CITY_HOME";
/// The folder in the user's own, where neither does.
const FOLDER: &str = ".white-city";

impl From<GroupError> for Failure {
    fn from(error: GroupError) -> Self {
        Self::usage(error.to_string())
    }
}

/// The folder with contacts and groups.
pub fn home(given: Option<&Path>) -> Home {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let named = variable(VARIABLE).map(PathBuf::from);
    let own = || {
        let user = variable("HOME").map(PathBuf::from);
        user.unwrap_or_default().join(FOLDER)
    };
    Home::at(given.map(Path::to_owned).or(named).unwrap_or_else(own))
}

/// Everybody and every group that is known here.
#[derive(Debug, Default)]
pub struct People {
    contacts: Contacts,
    groups: Vec<Group>,
}

impl People {
    /// All that the folder has.
    pub fn load(home: &Home) -> Result<Self, GroupError> {
        let groups = home.groups()?;
        let groups = groups.iter().map(|name| home.group(name));
        Ok(Self {
            contacts: home.contacts()?,
            groups: groups.collect::<Result<_, _>>()?,
        })
    }

    /// The name of a key: the contact's, or else a member's.
    pub fn name_of(&self, key: &IdentityKey) -> Option<&Name> {
        let mut groups = self.groups.iter();
        let contact = self.contacts.name_of(key);
        contact.or_else(|| groups.find_map(|group| group.name_of(key)))
    }

    /// The name of a key, or the key where it has none.
    pub fn shown(&self, key: &IdentityKey) -> String {
        let name = self.name_of(key);
        name.map_or_else(|| key.to_string(), ToString::to_string)
    }

    /// The key that a text names: a contact's, or one in hex.
    pub fn find(&self, text: &str) -> Option<IdentityKey> {
        let name = text.parse::<Name>().ok();
        let contact = name.and_then(|name| self.contacts.key_of(&name).ok().copied());
        contact.or_else(|| identity(text).ok())
    }

    /// The group of this name.
    pub fn group(&self, name: &Name) -> Option<&Group> {
        // Names that differ in nothing but capitals are the same.
        let is_it = |group: &&Group| group.name.as_str().eq_ignore_ascii_case(name.as_str());
        self.groups.iter().find(is_it)
    }

    /// The groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// These, for tests.
    #[cfg(test)]
    pub const fn of(contacts: Contacts, groups: Vec<Group>) -> Self {
        Self { contacts, groups }
    }

    /// The group whose key a session has made.
    pub fn group_of(&self, session: &SessionId) -> Option<(&Group, &GroupKey)> {
        let mut groups = self.groups.iter();
        groups.find_map(|group| Some((group, group.key_of(session)?)))
    }
}

/// A text with names in the place of `party 1` and `parties 1, 4`, where a party of that index has one. For texts of this program and its
/// library alone: in what a session's opener wrote it would be another text.
pub fn named(text: &str, name_of: impl Fn(u16) -> Option<String>) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some((before, from_word)) = split_at_word(rest) {
        said.push_str(before);
        let Some((indices, after)) = parties(from_word) else {
            let (word, after) = from_word.split_at(WORD.len());
            said.push_str(word);
            rest = after;
            continue;
        };
        let names: Vec<String> = indices
            .iter()
            .map(|index| name_of(*index).unwrap_or_else(|| format!("party {index}")))
            .collect();
        match indices.iter().any(|index| name_of(*index).is_some()) {
            true => said.push_str(&names.join(", ")),
            false => said.push_str(from_word.strip_suffix(after).unwrap_or(from_word)),
        }
        rest = after;
    }
    said + rest
}

/// Beginning of both words.
const WORD: &str = "part";

/// What is before the next word that begins like that, and everything from there on.
fn split_at_word(text: &str) -> Option<(&str, &str)> {
    let mut found = text.match_indices(WORD);
    found.find_map(|(at, _)| {
        let (before, from) = text.split_at_checked(at)?;
        (!before.ends_with(char::is_alphanumeric)).then_some((before, from))
    })
}

/// The indices that follow the word, and what follows them.
fn parties(text: &str) -> Option<(Vec<u16>, &str)> {
    if let Some(one) = text.strip_prefix("party ") {
        let (index, after) = number(one)?;
        return Some((vec![index], after));
    }
    let (index, mut after) = number(text.strip_prefix("parties ")?)?;
    let mut indices = vec![index];
    while let Some((index, rest)) = after.strip_prefix(", ").and_then(number) {
        indices.push(index);
        after = rest;
    }
    Some((indices, after))
}

fn number(text: &str) -> Option<(u16, &str)> {
    let after = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(after)?.parse().ok()?;
    (!after.starts_with(char::is_alphanumeric)).then_some((number, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        named(text, |index| match index {
            0 => Some("alice".into()),
            1 => Some("bob".into()),
            _ => None,
        })
    }

    #[test]
    fn texts_say_names_instead_of_indices_where_there_are_any() {
        for (text, expected) in [
            ("party 1 is to blame", "bob is to blame"),
            (
                "waiting for parties 0, 1, 2, left: party 1",
                "waiting for alice, bob, party 2, left: bob",
            ),
            (
                "round 1: 2 of 3, waiting for party 2",
                "round 1: 2 of 3, waiting for party 2",
            ),
            ("parties 2, 3", "parties 2, 3"),
            ("parties 1 and 2 more", "bob and 2 more"),
            ("(party 0), 3 parties, 1 left", "(alice), 3 parties, 1 left"),
            (
                "a counterparty 1, party 1x, part 1, party ",
                "a counterparty 1, party 1x, part 1, party ",
            ),
            ("about party 0: party 99999", "about alice: party 99999"),
        ] {
            assert_eq!(said(text), expected);
        }
    }
}
