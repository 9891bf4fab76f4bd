//! Trust files of a command: what its clients verify is kept in them when it ends, however it ends.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use white_city_client::{
    Client, Fork, NetworkId, Trust,
    files::make_private_folder,
    trust::{BadTrustFile, TrustFile},
    trust_file::TrustFileError,
};

use crate::{failure::Failure, output::Output};

/// The clients of a command, each with the files that what it verifies is kept in.
#[derive(Default)]
pub struct Keeping(Mutex<Vec<(Client, Vec<PathBuf>)>>);

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").finish_non_exhaustive()
    }
}

impl Keeping {
    /// From now on what this client verifies is to be kept in these files.
    pub fn note(&self, client: &Client, files: Vec<PathBuf>) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.push((client.clone(), files));
    }

    /// The trust of the last client, which knows most, if there is one.
    pub fn trust(&self) -> Option<Trust> {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.last().map(|(client, _)| client.trust().clone())
    }

    /// Keeps what was verified. A file that can't be written costs nothing but what was learned, and is warned of.
    ///
    /// # Errors
    /// Two histories, one of which is the file's.
    pub fn keep(&self, output: &Output) -> Result<(), Failure> {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (client, files) in clients.iter() {
            // Who has verified nothing has another error.
            let fresh = client.freshness().filter(|_| client.height() > 0);
            if let Some(fresh) = fresh.filter(|fresh| !fresh.is_known()) {
                output.afterthought(&fresh.to_string());
            }
            // Who has verified nothing has nothing to keep.
            for file in files.iter().filter(|_| client.height() > 0) {
                let kept = make_folder(file).and_then(|()| {
                    let kept = client.keep_trust(file);
                    kept.map_err(|error| failure(error, client.trust()))
                });
                match kept {
                    Err(failure) if failure.fork.is_some() => return Err(failure),
                    Err(failure) => {
                        let text = format!("what was verified isn't kept: {}", failure.text);
                        output.afterthought(&text);
                    }
                    Ok(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// The trust file of an identity's network, beside the identity.
pub fn beside(identity: &Path, network: NetworkId) -> PathBuf {
    let mut folder = identity.as_os_str().to_owned();
    folder.push(".trust");
    PathBuf::from(folder).join(network.to_string())
}

/// Whoever else could put a file there would choose what this party takes for its own memory.
fn make_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    Ok(make_private_folder(folder)?)
}

/// Merges what two files know.
pub fn merge(file: &mut TrustFile, other: &TrustFile, path: &Path) -> Result<(), Failure> {
    let merged = file.merge(other);
    merged.map(|_| ()).map_err(|reason| {
        let path = path.to_owned();
        failure(TrustFileError::Bad { path, reason }, &file.trust())
    })
}

/// The fault of a trust file. Two histories come with the proof, where there is one.
pub fn failure(error: TrustFileError, trust: &Trust) -> Failure {
    let text = error.to_string();
    let headers = error.reason().and_then(BadTrustFile::fork);
    let fork = headers.map(|headers| Fork::of_headers(text.clone(), headers, trust));
    let mut failure = match error.reason() {
        None | Some(BadTrustFile::Network { .. } | BadTrustFile::Genesis(_)) => {
            Failure::usage(text)
        }
        Some(_) => Failure::verification(text),
    };
    failure.fork = fork.map(Box::new);
    failure
}
