//! The token: the word by which the gateway knows who may ask.

use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;
use white_city_client::{
    Hash,
    files::{FileError, create_secret, read_secret},
    wire::hash::sha256,
};
use zeroize::Zeroizing;

/// Shortest token, bytes.
const TOKEN_BYTES_MIN: usize = 32;
/// Longest token, bytes.
const TOKEN_BYTES_MAX: u64 = 512;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can't be read or made, or others than its owner can read it.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else.
    #[error(
        "{path}: expected a token: one line of 32 to 512 printable ASCII characters without spaces"
    )]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

/// A token, of which only the hash is kept.
pub struct Token(Hash);

impl Token {
    /// The token in a file that only its owner can read. Where there is no such file it is made, with a token of 32 random bytes in hex.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn file(path: &Path, random: &Zeroizing<[u8; 32]>) -> Result<Self, TokenError> {
        if !path.exists() {
            let line = Zeroizing::new(format!("{}\n", hex::encode(**random)));
            match create_secret(path, line.as_bytes()) {
                // Another gateway was faster.
                Ok(()) | Err(FileError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let bytes = read_secret(path, TOKEN_BYTES_MAX + 2)?;
        let other = || TokenError::Other {
            path: path.to_owned(),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| other())?;
        Self::new(text.trim_end_matches(['\r', '\n'])).ok_or_else(other)
    }

    /// A token, if it is one: 32 to 512 printable ASCII characters without spaces.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let longest = usize::try_from(TOKEN_BYTES_MAX).unwrap_or(usize::MAX);
        let is_long = (TOKEN_BYTES_MIN..=longest).contains(&text.len());
        let is_one = is_long && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Self(sha256(text.as_bytes())))
    }

    /// Whether a word is the token. Takes as long for each word of a length: hashes are compared, and all of them.
    pub(crate) fn is(&self, word: &[u8]) -> bool {
        self.0.0.ct_eq(&sha256(word).0).into()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_refused_where_others_can_read_it_or_it_is_short() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let made = Token::file(&path, &Zeroizing::new([7; 32])).unwrap();
        let line = std::fs::read_to_string(&path).unwrap();
        assert_eq!(line, format!("{}\n", "07".repeat(32)));
        let again = Token::file(&path, &Zeroizing::new([8; 32])).unwrap();
        for token in [&made, &again] {
            assert!(token.is(line.trim().as_bytes()));
            assert!(!token.is(b"") && !token.is(line.as_bytes()));
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Token::file(&path, &Zeroizing::new([8; 32])).err();
        assert!(matches!(
            refused,
            Some(TokenError::File(FileError::Mode { .. }))
        ));
        assert!(Token::new(&"x".repeat(31)).is_none() && Token::new(&"x".repeat(513)).is_none());
        assert!(Token::new(&"x".repeat(32)).is_some() && Token::new(&" ".repeat(32)).is_none());
    }
}
