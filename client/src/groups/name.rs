//! Names of people and groups.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::GroupError;

/// Longest name, characters.
const NAME_MAX: usize = 48;

/// A name that a person chose, which can't be taken for a number, a key or a path. Names that differ in nothing but capitals are the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as it was chosen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is told apart by.
    fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for Name {
    type Err = GroupError;

    fn from_str(text: &str) -> Result<Self, GroupError> {
        let is_possible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.len() <= NAME_MAX
            && text.chars().all(is_possible);
        match is_name {
            true => Ok(Self(text.to_owned())),
            false => Err(GroupError::Name(text.chars().take(NAME_MAX + 1).collect())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = GroupError;

    fn try_from(text: String) -> Result<Self, GroupError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths_numbers_or_keys_and_capitals_make_no_other_name() {
        let longest = "a".repeat(NAME_MAX);
        for name in ["a", "Alice", "bob-2", "carol_x.y", &longest] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        let (longer, key) = ("a".repeat(NAME_MAX + 1), "a".repeat(64));
        for other in [
            "", "1", "1a", "..", ".a", "a/b", "a b", "é", "a\n", "-a", &longer, &key,
        ] {
            assert!(other.parse::<Name>().is_err(), "{other:?}");
        }
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert_eq!(name("Alice"), name("aLICE"));
        assert!(name("alice") < name("BOB"));
    }
}
