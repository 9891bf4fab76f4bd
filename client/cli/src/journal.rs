//! Where a party's journals are.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use white_city_client::SessionId;

use crate::failure::Failure;

/// The journal of a party's session: the given one, or one beside the identity, in a folder for its owner alone.
pub fn path(
    given: Option<&PathBuf>,
    identity: &Path,
    session: SessionId,
) -> Result<PathBuf, Failure> {
    if let Some(path) = given {
        return Ok(path.clone());
    }
    let mut folder = identity.as_os_str().to_owned();
    folder.push(".journals");
    let folder = PathBuf::from(folder);
    let made = DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(&folder);
    made.map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    Ok(folder.join(session.to_string()))
}
