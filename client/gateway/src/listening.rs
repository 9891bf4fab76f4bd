//! The place where a gateway listens: loopback, or a unix socket.

use std::{
    fmt, fs,
    io::ErrorKind,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use tokio::net::{TcpListener, UnixListener, UnixStream};

/// An address to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            "expected an IP address with a port, as in 127.0.0.1:8787, or unix:PATH".into()
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a gateway can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is one that other machines reach.
    #[error(
        "{0}: other machines reach it, and the token goes over it unencrypted: expected a loopback address, or unix:PATH"
    )]
    Exposed(SocketAddr),
    /// Somebody listens there already, or there is something else.
    #[error("unix:{0}: expected no file, or a socket that nobody listens at any more")]
    Taken(PathBuf),
    /// The operating system refused.
    #[error("{address}: {reason}")]
    Io {
        /// The address.
        address: Address,
        /// Why.
        reason: String,
    },
}

/// A port or a socket that is listened at.
pub struct Listening {
    pub(crate) listener: Listener,
    address: Address,
}

pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listening {
    /// Listens. An address that other machines reach is refused unless `exposed` says that it is meant. A unix socket is its owner's alone; one
    /// that a killed gateway has left is replaced.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn at(address: &Address, exposed: bool) -> Result<Self, ListenError> {
        let io = |error: std::io::Error| ListenError::Io {
            address: address.clone(),
            reason: error.to_string(),
        };
        match address {
            Address::Tcp(at) => {
                if !at.ip().is_loopback() && !exposed {
                    return Err(ListenError::Exposed(*at));
                }
                let listener = TcpListener::bind(at).await.map_err(io)?;
                let address = Address::Tcp(listener.local_addr().map_err(io)?);
                let listener = Listener::Tcp(listener);
                Ok(Self { listener, address })
            }
            Address::Unix(path) => {
                check_free(path).await?;
                // Under another name until nobody else can open it.
                let mut unnamed = path.clone().into_os_string();
                unnamed.push(format!(".{}", std::process::id()));
                let unnamed = PathBuf::from(unnamed);
                let _ = fs::remove_file(&unnamed);
                let listener = UnixListener::bind(&unnamed).map_err(io)?;
                fs::set_permissions(&unnamed, fs::Permissions::from_mode(0o600)).map_err(io)?;
                fs::rename(&unnamed, path).map_err(io)?;
                Ok(Self {
                    listener: Listener::Unix(listener),
                    address: address.clone(),
                })
            }
        }
    }

    /// The address, with the port that the system chose where none was given.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            // The next gateway replaces it anyway.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether the name is free, or that of a socket that nobody listens at.
async fn check_free(path: &Path) -> Result<(), ListenError> {
    let taken = || ListenError::Taken(path.to_owned());
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(meta) if meta.file_type().is_socket() => match UnixStream::connect(path).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            _ => Err(taken()),
        },
        _ => Err(taken()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_or_a_path() {
        let parsed = |text: &str| text.parse::<Address>();
        assert_eq!(parsed("unix:/a"), Ok(Address::Unix("/a".into())));
        assert_eq!(parsed("[::1]:7").unwrap().to_string(), "[::1]:7");
        for bad in ["", "unix:", "8787", "localhost:8787", "127.0.0.1"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn only_loopback_is_listened_at_unless_another_one_is_meant() {
        let anywhere = Address::Tcp(SocketAddr::from(([0, 0, 0, 0], 0)));
        let refused = Listening::at(&anywhere, false).await.err();
        assert!(matches!(refused, Some(ListenError::Exposed(_))));
        assert!(Listening::at(&anywhere, true).await.is_ok());
        let loopback = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listening = Listening::at(&loopback, false).await.unwrap();
        assert_ne!(listening.address(), &loopback, "the port is known");
    }

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_replaces_a_dead_one_and_never_a_live_one_or_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let address = Address::Unix(path.clone());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as after a kill");
        let first = Listening::at(&address, false).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = Listening::at(&address, false).await.err();
        assert!(matches!(refused, Some(ListenError::Taken(_))));
        drop(first);
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        let refused = Listening::at(&address, false).await.err();
        assert!(matches!(refused, Some(ListenError::Taken(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
