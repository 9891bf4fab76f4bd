//! Reading files of bounded size.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Reads a file of at most so many bytes.
///
/// # Errors
/// Also for a larger one.
pub fn read_limited(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        let error = format!("it has more than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    Ok(bytes)
}
