//! TLS at the direct port, with a certificate from files, which are read again when they change: whoever renews it restarts nothing.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version,
};
use tokio_rustls::TlsAcceptor;

/// Largest file, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Files of the certificate chain and of its key, both PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The chain, its own certificate first.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// TLS with the certificate of files.
#[derive(Debug)]
pub struct Tls {
    presented: Arc<Presented>,
    acceptor: TlsAcceptorOf,
}

/// An acceptor, which has no words for itself.
struct TlsAcceptorOf(TlsAcceptor);

impl fmt::Debug for TlsAcceptorOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

/// The certificate that is presented, of files.
#[derive(Debug)]
struct Presented {
    files: Files,
    provider: Arc<CryptoProvider>,
    now: RwLock<Read>,
}

#[derive(Debug)]
struct Read {
    certified: Arc<CertifiedKey>,
    /// When the files were changed, as they were read.
    changed: [Option<SystemTime>; 2],
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&now.certified))
    }
}

impl Tls {
    /// TLS with the certificate of these files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(files: Files) -> io::Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let now = read(&files, &provider)?;
        let presented = Arc::new(Presented {
            files,
            provider: Arc::clone(&provider),
            now: RwLock::new(now),
        });
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(io::Error::other)?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&presented) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptorOf(TlsAcceptor::from(Arc::new(config)));
        Ok(Self {
            presented,
            acceptor,
        })
    }

    /// What makes TLS connections of others.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.0.clone()
    }

    /// Reads the files again if they have changed. What is wrong with new ones is logged, and the old certificate stays.
    pub(super) fn read_again(&self) {
        let presented = &self.presented;
        let now = presented.now.read().unwrap_or_else(PoisonError::into_inner);
        let found = changed(&presented.files);
        if now.changed == found {
            return;
        }
        drop(now);
        match read(&presented.files, &presented.provider) {
            Ok(read) => {
                tracing::info!(certificate = %presented.files.certificate.display(), "a new certificate");
                *presented
                    .now
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = read;
            }
            Err(error) => {
                // Both files can't change at once: when the other one does, they are looked at again.
                let mut now = presented
                    .now
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                now.changed = found;
                drop(now);
                tracing::warn!(%error, "the certificate stays the old one");
            }
        }
    }
}

fn changed(files: &Files) -> [Option<SystemTime>; 2] {
    [&files.certificate, &files.key].map(|path| path.metadata().and_then(|m| m.modified()).ok())
}

fn read(files: &Files, provider: &CryptoProvider) -> io::Result<Read> {
    // Before they are read: what changes meanwhile is read again.
    let changed = changed(files);
    let chain = limited(&files.certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.map_err(|error| bad(&files.certificate, &error))?;
    if chain.is_empty() {
        return Err(bad(&files.certificate, &"expected a certificate as PEM"));
    }
    let key = limited(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| bad(&files.key, &error))?;
    let certified = CertifiedKey::from_der(chain, key, provider);
    let certified = certified.map_err(|error| bad(&files.key, &error))?;
    Ok(Read {
        certified: Arc::new(certified),
        changed,
    })
}

fn limited(path: &Path) -> io::Result<Vec<u8>> {
    let size = path.metadata().map_err(|error| bad(path, &error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(bad(path, &"expected at most 1 MiB"));
    }
    fs::read(path).map_err(|error| bad(path, &error))
}

fn bad(path: &Path, what: &dyn fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}
