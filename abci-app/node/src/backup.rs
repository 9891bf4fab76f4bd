//! What can't be fetched from the others: keys, cards, the genesis with its consents
//!
//! The chain isn't among it, as the others have that, and never what the validator signed last: an old copy of that is how a validator
//! comes to sign twice.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::files::{private_dir, read, write_atomic};
use crate::node::{
    self, CARD_FILE, CARDS, CONSENTS, GENESIS_FILE, NODE_KEY, OPERATOR_KEY, VALIDATOR_KEY,
};
use crate::settings::NODE_FILE;

/// The file that tells what a backup is of.
const ABOUT_FILE: &str = "backup.json";
/// Single files of a home that are kept; the last ones may be absent.
const FILES: [&str; 6] = [
    NODE_FILE,
    CARD_FILE,
    NODE_KEY,
    VALIDATOR_KEY,
    GENESIS_FILE,
    OPERATOR_KEY,
];
/// Number of those that every node has.
const NEEDED: usize = 3;

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Version of this layout: 1.
    pub version: u32,
    /// The node's name.
    pub name: String,
    /// Time that it was made, for people.
    pub made: String,
    /// Height of the node then, if it answered.
    pub height: Option<u64>,
    /// Files in it.
    pub files: Vec<String>,
}

/// Copies what can't be fetched from the others into a new folder.
///
/// # Errors
/// [`Error::Option`] if the folder exists; [`Error::Io`].
pub fn make(home: &Path, to: &Path, height: Option<u64>) -> Result<About, Error> {
    if to.exists() {
        return Err(Error::Option {
            what: "--to",
            got: to.display().to_string(),
            expected: "a folder that isn't there yet".into(),
        });
    }
    let card = node::own_card(home)?;
    private_dir(to)?;
    let mut files = Vec::new();
    for (number, name) in FILES.into_iter().enumerate() {
        if number < NEEDED || home.join(name).exists() {
            copy(home, to, name)?;
            files.push(name.to_owned());
        }
    }
    for folder in [CARDS, CONSENTS] {
        for path in node::json_files(&home.join(folder))? {
            let name = path.file_name().unwrap_or_default();
            let name = format!("{folder}/{}", name.to_string_lossy());
            copy(home, to, &name)?;
            files.push(name);
        }
    }
    files.sort();
    let about = About {
        version: 1,
        name: card.says().name.clone(),
        made: tendermint::Time::now().to_rfc3339(),
        height,
        files,
    };
    let text = serde_json::to_string_pretty(&about).unwrap_or_default() + "\n";
    // Last: a folder without it isn't a whole backup.
    write_atomic(&to.join(ABOUT_FILE), text.as_bytes())?;
    Ok(about)
}

/// Makes a home of a backup. Its validator signs nothing until the node has joined the board.
///
/// # Errors
/// [`Error::Option`] if there is a home; [`Error::Malformed`] if the backup isn't whole; [`Error::Io`].
pub fn restore(home: &Path, from: &Path) -> Result<About, Error> {
    node::check_empty(home)?;
    let path = from.join(ABOUT_FILE);
    let malformed = |reason: String| Error::Malformed {
        path: path.clone(),
        reason,
    };
    let about: About =
        serde_json::from_str(&read(&path)?).map_err(|error| malformed(error.to_string()))?;
    if about.version != 1 {
        return Err(malformed(format!("version {}: expected 1", about.version)));
    }
    let known = |name: &String| {
        let in_folder = |folder: &str| {
            let rest = name.strip_prefix(folder).and_then(|n| n.strip_prefix('/'));
            rest.is_some_and(|rest| !rest.contains('/') && !rest.starts_with('.'))
        };
        FILES.contains(&name.as_str()) || in_folder(CARDS) || in_folder(CONSENTS)
    };
    if let Some(other) = about.files.iter().find(|name| !known(name)) {
        return Err(malformed(format!("{other:?}: it isn't a file of a node")));
    }
    for part in ["config", "data", "app", CARDS, CONSENTS] {
        private_dir(&home.join(part))?;
    }
    // Last: a home without it is no node.
    let (settings, rest): (Vec<_>, Vec<_>) =
        about.files.iter().partition(|name| *name == NODE_FILE);
    for name in rest.into_iter().chain(settings) {
        copy(from, home, name)?;
    }
    Ok(about)
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<(), Error> {
    let path = from.join(name);
    let content = zeroize::Zeroizing::new(std::fs::read(&path).map_err(Error::io("read", &path))?);
    let to = to.join(name);
    if let Some(folder) = to.parent() {
        private_dir(folder)?;
    }
    write_atomic(&to, &content)
}

#[cfg(test)]
mod tests {
    use white_city_client::LocalKey;

    use super::*;
    use crate::node::{Node, init};
    use crate::testing::start;

    #[test]
    fn a_home_comes_back_without_what_its_validator_signed_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let key = LocalKey::from_seed(&[1; 32]).unwrap();
        let card = init(&path("home"), &start("alice"), &key).unwrap();
        write_atomic(&path("home/cards/bob.json"), b"{}").unwrap();
        let about = make(&path("home"), &path("backup"), Some(7)).unwrap();
        assert_eq!((about.name.as_str(), about.height), ("alice", Some(7)));
        assert!(make(&path("home"), &path("backup"), None).is_err());
        assert!(restore(&path("home"), &path("backup")).is_err());
        assert_eq!(restore(&path("again"), &path("backup")).unwrap(), about);
        std::fs::remove_file(path("again/cards/bob.json")).unwrap();
        assert_eq!(Node::open(&path("again")).unwrap().card, card);
        assert!(path("home/data/priv_validator_state.json").exists());
        assert!(!path("again/data/priv_validator_state.json").exists());
    }

    #[test]
    fn a_backup_names_no_other_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "../x",
            "data/priv_validator_state.json",
            "cards/../x",
            "cards/..",
        ] {
            let about = About {
                version: 1,
                name: "alice".into(),
                made: String::new(),
                height: None,
                files: vec![name.into()],
            };
            let text = serde_json::to_string(&about).unwrap();
            std::fs::write(dir.path().join(ABOUT_FILE), text).unwrap();
            let refused = restore(&dir.path().join("home"), dir.path()).unwrap_err();
            assert!(refused.to_string().contains(name), "{refused}");
        }
    }
}
