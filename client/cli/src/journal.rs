//! Where a party's journals are.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use white_city_client::SessionId;

use crate::failure::Failure;

/// The journal of a party's session: the given one, or one beside the identity. Nothing is made.
pub fn name(given: Option<&PathBuf>, identity: &Path, session: SessionId) -> PathBuf {
    given.cloned().unwrap_or_else(|| {
        let mut folder = identity.as_os_str().to_owned();
        folder.push(".journals");
        PathBuf::from(folder).join(session.to_string())
    })
}

/// As [`name`], where one beside the identity is in a folder for its owner alone.
pub fn path(
    given: Option<&PathBuf>,
    identity: &Path,
    session: SessionId,
) -> Result<PathBuf, Failure> {
    let path = name(given, identity, session);
    if given.is_none()
        && let Some(folder) = path.parent()
    {
        let mut folders = DirBuilder::new();
        let made = folders.mode(0o700).recursive(true).create(folder);
        made.map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    }
    Ok(path)
}
