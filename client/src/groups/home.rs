//! The folder that everything of a person is in.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{Contacts, Group, GroupError, Name, contacts};
use crate::files::{
    FileError, create_whole, make_private_folder, open_locked, read_open, read_public, remove,
    replace_locked,
};

/// Largest file, bytes.
const BYTES_MAX: u64 = 4 << 20;

/// The folder. It is made when something is written to it.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

impl Home {
    /// The folder at this place.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its place.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The contacts; none where there is no file.
    ///
    /// # Errors
    /// [`GroupError::File`], [`GroupError::Folder`] or [`GroupError::Bad`].
    pub fn contacts(&self) -> Result<Contacts, GroupError> {
        let path = self.0.join("contacts.json");
        let bytes = self.read(&path)?;
        let contacts = bytes.map(|bytes| parse_contacts(&path, &bytes));
        Ok(contacts.transpose()?.unwrap_or_default())
    }

    /// Changes the contacts, under their file's lock; where the change fails they stay as they are.
    ///
    /// # Errors
    /// As [`Home::contacts`], and the change's own.
    pub fn change_contacts<T>(
        &self,
        change: impl FnOnce(&mut Contacts) -> Result<T, GroupError>,
    ) -> Result<T, GroupError> {
        make(&self.0)?;
        let path = self.0.join("contacts.json");
        let none = to_json(&contacts::Stored::from(&Contacts::default()));
        match create_whole(&path, &none) {
            Ok(()) | Err(FileError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        change_file(&path, |bytes| {
            let mut contacts = parse_contacts(&path, bytes)?;
            let changed = change(&mut contacts)?;
            Ok((to_json(&contacts::Stored::from(&contacts)), changed))
        })
    }

    /// Names of the groups.
    ///
    /// # Errors
    /// [`GroupError::File`] or [`GroupError::Folder`].
    pub fn groups(&self) -> Result<Vec<Name>, GroupError> {
        let folder = self.0.join("groups");
        check(&self.0)?;
        let files = match fs::read_dir(&folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::io(&folder)(error).into()),
        };
        let mut names = Vec::new();
        for file in files {
            let file = file.map_err(FileError::io(&folder))?.file_name();
            let name = file.to_str().and_then(|name| name.strip_suffix(".json"));
            names.extend(name.and_then(|name| name.parse::<Name>().ok()));
        }
        names.sort();
        Ok(names)
    }

    /// The group of this name.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`]; as [`Home::contacts`].
    pub fn group(&self, name: &Name) -> Result<Group, GroupError> {
        let found = self.find(name)?;
        found.ok_or_else(|| GroupError::NoGroup(name.clone()))
    }

    /// The same; nothing where there is none.
    ///
    /// # Errors
    /// As [`Home::contacts`].
    pub fn find(&self, name: &Name) -> Result<Option<Group>, GroupError> {
        let path = self.file(name);
        let bytes = self.read(&path)?;
        bytes.map(|bytes| parse_group(&path, &bytes)).transpose()
    }

    /// Writes a new group.
    ///
    /// # Errors
    /// [`GroupError::GroupExists`]; [`GroupError::File`] or [`GroupError::Folder`].
    pub fn create(&self, group: &Group) -> Result<(), GroupError> {
        make(&self.0)?;
        make(&self.0.join("groups"))?;
        if self.groups()?.contains(&group.name) {
            return Err(GroupError::GroupExists(group.name.clone()));
        }
        match create_whole(&self.file(&group.name), &group.to_bytes()) {
            Err(FileError::Exists { .. }) => Err(GroupError::GroupExists(group.name.clone())),
            written => Ok(written?),
        }
    }

    /// Changes a group, under its file's lock; where the change fails it stays as it is.
    ///
    /// # Errors
    /// As [`Home::group`], and the change's own.
    pub fn change<T>(
        &self,
        name: &Name,
        change: impl FnOnce(&mut Group) -> Result<T, GroupError>,
    ) -> Result<T, GroupError> {
        check(&self.0)?;
        let path = self.file(name);
        if !path.exists() {
            return Err(GroupError::NoGroup(name.clone()));
        }
        change_file(&path, |bytes| {
            let mut group = parse_group(&path, bytes)?;
            let changed = change(&mut group)?;
            Ok((group.to_bytes(), changed))
        })
    }

    /// Forgets a group. Shares stay where they are.
    ///
    /// # Errors
    /// [`GroupError::NoGroup`]; [`GroupError::File`] or [`GroupError::Folder`].
    pub fn remove(&self, name: &Name) -> Result<(), GroupError> {
        self.group(name)?;
        Ok(remove(&self.file(name))?)
    }

    /// The folder for shares, which is made if it isn't there.
    ///
    /// # Errors
    /// [`GroupError::File`] or [`GroupError::Folder`].
    pub fn shares(&self) -> Result<PathBuf, GroupError> {
        make(&self.0)?;
        let folder = self.0.join("shares");
        make(&folder)?;
        Ok(folder)
    }

    fn file(&self, name: &Name) -> PathBuf {
        let name = name.as_str().to_ascii_lowercase();
        self.0.join("groups").join(format!("{name}.json"))
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, GroupError> {
        check(&self.0)?;
        match read_public(path, BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn parse_contacts(path: &Path, bytes: &[u8]) -> Result<Contacts, GroupError> {
    let stored = serde_json::from_slice::<contacts::Stored>(bytes);
    let contacts = stored.map_err(|error| error.to_string());
    contacts.and_then(Contacts::try_from).map_err(bad(path))
}

fn parse_group(path: &Path, bytes: &[u8]) -> Result<Group, GroupError> {
    Group::from_bytes(bytes).map_err(bad(path))
}

fn bad(path: &Path) -> impl FnOnce(String) -> GroupError + '_ {
    move |reason| GroupError::Bad {
        path: path.to_owned(),
        reason,
    }
}

/// For people to read, too.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    // Names, numbers and keys always are JSON; a path that is no text is found when it comes from an argument.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Changes a file that is there, under its lock.
fn change_file<T>(
    path: &Path,
    change: impl FnOnce(&[u8]) -> Result<(Vec<u8>, T), GroupError>,
) -> Result<T, GroupError> {
    let gone = || FileError::io(path)(io::ErrorKind::NotFound.into());
    let file = open_locked(path)?.ok_or_else(gone)?;
    let (bytes, changed) = change(&read_open(&file.0, path, BYTES_MAX)?)?;
    replace_locked(path, &bytes)?;
    Ok(changed)
}

/// Makes a folder for its owner alone.
fn make(path: &Path) -> Result<(), GroupError> {
    make_private_folder(path)?;
    check(path)
}

/// Refuses a folder that others may look into; one that isn't there has nothing to hide.
fn check(path: &Path) -> Result<(), GroupError> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::io(path)(error).into()),
    };
    let path = path.to_owned();
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(GroupError::Folder { path, mode }),
    }
}
