//! Unix sockets, whose paths the system keeps short

use std::path::{Path, PathBuf};

use crate::Error;
use white_city_node::Error as NodeError;

/// Most that fits into the system's address of a unix socket, without the final zero, bytes.
const PATH_MAX: usize = 107;

/// A directory for sockets: `dir` itself, or a private one under the system's temporary directory
/// where the paths would be too long. That one is removed with this value.
#[derive(Debug)]
pub(crate) struct SocketDir {
    dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl SocketDir {
    /// A place for sockets with names of up to `longest` bytes.
    pub(crate) fn new(dir: &Path, longest: usize) -> Result<Self, Error> {
        if dir.as_os_str().len() + 1 + longest <= PATH_MAX {
            white_city_node::files::private_dir(dir)?;
            return Ok(Self {
                dir: dir.to_owned(),
                _temporary: None,
            });
        }
        let base = std::env::temp_dir();
        // tempfile makes directories that only their owner may enter.
        let temporary = tempfile::Builder::new()
            .prefix("white-city-")
            .tempdir_in(&base)
            .map_err(Error::io("create directory in", &base))?;
        let short = temporary.path().to_owned();
        if short.as_os_str().len() + 1 + longest > PATH_MAX {
            return Err(Error::Node(NodeError::Option {
                what: "directory for unix sockets",
                got: format!("{} and {}", dir.display(), short.display()),
                expected: format!("one of at most {} bytes", PATH_MAX - 1 - longest),
            }));
        }
        Ok(Self {
            dir: short,
            _temporary: Some(temporary),
        })
    }

    /// The path of a socket in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_too_long_moves_to_a_private_directory_that_is_cleaned_up() {
        let base = tempfile::tempdir().unwrap();
        let room = PATH_MAX - base.path().as_os_str().len() - 2 - "app0.sock".len();
        let fits = base.path().join("x".repeat(room));
        let sockets = SocketDir::new(&fits, "app0.sock".len()).unwrap();
        assert_eq!(sockets.path("app0.sock").as_os_str().len(), PATH_MAX);
        std::os::unix::net::UnixListener::bind(sockets.path("app0.sock")).unwrap();

        let long = base.path().join("x".repeat(room + 1));
        let sockets = SocketDir::new(&long, "app0.sock".len()).unwrap();
        let path = sockets.path("app0.sock");
        assert!(!path.starts_with(&long));
        std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(sockets);
        assert!(!path.parent().unwrap().exists());
    }
}
