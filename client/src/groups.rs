//! People and their groups: names for keys, what a group has made together, and where this person's shares of that lie.
//!
//! All of it is in a folder that only its owner may read, a [`Home`]: `contacts.json`, and `groups/NAME.json` for each group. The files are
//! JSON with a version, read strictly: what isn't known in them is refused, and so is what is too large. They are written whole or
//! not at all, under a lock, so that several programs may use them at once.
//!
//! Nothing here is proven, and nothing of it is on the board: whoever can change these files chooses whom this person takes for whom.

mod contacts;
mod group;
mod home;
mod name;

use std::path::PathBuf;

pub use contacts::{Contacts, fingerprint};
pub use group::{Begun, Group, GroupKey, Imported, Member};
pub use home::Home;
pub use name::Name;
use white_city_wire::Hash;

use crate::files::FileError;

/// Why people or groups can't be read, or changed in that way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The operating system refused, or a file is too large.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others than its owner can look into the folder.
    #[error("{path} has mode {mode:03o}, expected 700: only its owner may look into it", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What is in a file isn't what this program writes.
    #[error("{path}: {reason}", path = path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The expectation.
        reason: String,
    },
    /// Something that can't be a name.
    #[error(
        "{0:?} is no name: expected a letter, and then letters, digits, -, _ and ., 48 at most"
    )]
    Name(String),
    /// A name that stands for another key already.
    #[error("{name} is the name of another key already, {key} (fingerprint {fingerprint})")]
    NameTaken {
        /// The name.
        name: Name,
        /// The key that it stands for.
        key: Hash,
        /// Fingerprint of that key.
        fingerprint: String,
    },
    /// A key that has another name already.
    #[error("the key {key} has a name already, {name}")]
    KeyTaken {
        /// The key.
        key: Hash,
        /// Its name.
        name: Name,
    },
    /// Nobody of this name.
    #[error("no contact has the name {0}")]
    NoContact(Name),
    /// No group of this name.
    #[error("there is no group {0}")]
    NoGroup(Name),
    /// A group of this name is there already.
    #[error("there is a group {0} already")]
    GroupExists(Name),
    /// Another group under the same name.
    #[error("{group} has other members than that: {what}; nothing is changed")]
    OtherMembers {
        /// The group.
        group: Name,
        /// The members that differ.
        what: String,
    },
    /// Anything else that can't be.
    #[error("{0}")]
    Impossible(String),
}
