//! From arguments to a client.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use white_city_client::{
    Client, LocalKey, Trust,
    files::read_public,
    genesis::GenesisFileError,
    trust::{BadTrustFile, TRUST_FILE_BYTES_MAX, TrustFile},
    trust_file::{self, TrustFileError},
};

use crate::{
    args::NetworkArgs,
    failure::{Failure, in_file},
    keeping,
};

/// Largest network file, bytes.
const NETWORK_BYTES_MAX: u64 = 1 << 20;
/// Names the network file where no argument does.
const VARIABLE: &str = "WHITE_CITY_NETWORK";

/// The part of a network file that this program needs.
#[derive(Deserialize)]
struct NetworkFile {
    version: u32,
    genesis: PathBuf,
    replicas: Vec<Replica>,
}

#[derive(Deserialize)]
struct Replica {
    rpc: String,
}

/// A client that only reads.
pub fn reader(args: &NetworkArgs) -> Result<Client, Failure> {
    build(args, None)
}

/// A client that signs with this identity. What it has verified before lies beside the identity, and what it verifies is kept there.
pub fn signing(args: &NetworkArgs, identity: &Path, key: LocalKey) -> Result<Client, Failure> {
    build(args, Some((identity, key)))
}

/// The trust in a genesis or a trust file, where no replica is needed.
pub fn trust(args: &NetworkArgs) -> Result<Trust, Failure> {
    Ok(trusted(&genesis_and_replicas(args, variable())?.0)?
        .file
        .trust())
}

/// The same, and the newest era that a trust file knows; 0 where it is a genesis.
pub fn pinned(args: &NetworkArgs) -> Result<(Trust, u32), Failure> {
    let trust = trust(args)?;
    let era = trust.newest_era();
    Ok((trust, era))
}

/// Everything that is known of the network that the arguments name, if they name one.
pub fn known(args: &NetworkArgs) -> Result<Option<TrustFile>, Failure> {
    let variable = variable();
    if args.network.is_none() && args.genesis.is_none() && variable.is_none() {
        return Ok(None);
    }
    let (path, _) = genesis_and_replicas(args, variable)?;
    Ok(Some(trusted(&path)?.file))
}

/// Reads a trust file.
pub fn trust_file(path: &Path) -> Result<TrustFile, Failure> {
    let bytes = read_public(path, TRUST_FILE_BYTES_MAX as u64)?;
    from_bytes(path, &bytes)
}

fn from_bytes(path: &Path, bytes: &[u8]) -> Result<TrustFile, Failure> {
    trust_file::from_bytes(path, bytes).map_err(|error| bad(&error))
}

/// There is nothing to compare it with yet, so it isn't a fork.
fn bad(error: &TrustFileError) -> Failure {
    match error.reason() {
        Some(BadTrustFile::Genesis(_)) | None => Failure::usage(error.to_string()),
        Some(_) => Failure::verification(error.to_string()),
    }
}

/// The trust that a file gives: a genesis, or a trust file, which is kept.
struct Trusted {
    file: TrustFile,
    is_kept: bool,
}

fn trusted(path: &Path) -> Result<Trusted, Failure> {
    let bytes = read_public(path, TRUST_FILE_BYTES_MAX as u64)?;
    if TrustFile::is_meant(&bytes) {
        let file = from_bytes(path, &bytes)?;
        let is_kept = true;
        return Ok(Trusted { file, is_kept });
    }
    let trust = Trust::genesis_json(&bytes).map_err(GenesisFileError::Genesis);
    let trust = trust.map_err(in_file(path))?;
    let file = TrustFile::new(&trust, None, [] as [&str; 0]);
    Ok(Trusted {
        file: file.map_err(|error| Failure::usage(error.to_string()))?,
        is_kept: false,
    })
}

/// The file that the environment names.
fn variable() -> Option<PathBuf> {
    let file = std::env::var_os(VARIABLE).filter(|file| !file.is_empty());
    file.map(PathBuf::from)
}

fn build(args: &NetworkArgs, party: Option<(&Path, LocalKey)>) -> Result<Client, Failure> {
    let (path, mut replicas) = replicas_of(args, variable())?;
    let Trusted { mut file, is_kept } = trusted(&path)?;
    if replicas.is_empty() {
        replicas.extend(file.addresses().map(str::to_owned));
    }
    if replicas.is_empty() {
        return Err(Failure::usage(
            "no replica: expected --replica URL, at least one",
        ));
    }
    let mut kept: Vec<PathBuf> = is_kept.then_some(path).into_iter().collect();
    if let Some((identity, _)) = &party {
        let own = keeping::beside(identity, file.trust().network().id);
        if own.exists() {
            keeping::merge(&mut file, &trust_file(&own)?, &own)?;
        }
        kept.push(own);
    }
    let mut builder = Client::from_trust_file(&file).replicas(replicas);
    if let Some((_, key)) = party {
        builder = builder.signer(key);
    }
    let client = builder.build()?;
    args.keeping.note(&client, kept);
    Ok(client)
}

/// As [`genesis_and_replicas`], with the replicas of the environment's file where the arguments name none.
fn replicas_of(
    args: &NetworkArgs,
    variable: Option<PathBuf>,
) -> Result<(PathBuf, Vec<String>), Failure> {
    let (genesis, mut replicas) = genesis_and_replicas(args, variable.clone())?;
    if let Some(file) = variable.filter(|_| replicas.is_empty() && args.network.is_none()) {
        replicas = read(&file)?.1;
    }
    Ok((genesis, replicas))
}

fn genesis_and_replicas(
    args: &NetworkArgs,
    variable: Option<PathBuf>,
) -> Result<(PathBuf, Vec<String>), Failure> {
    match (&args.network, &args.genesis) {
        // What is trusted doesn't have to come from where the addresses come from.
        (Some(file), genesis) => {
            let (named, replicas) = read(file)?;
            Ok((genesis.clone().unwrap_or(named), replicas))
        }
        (None, Some(genesis)) => Ok((genesis.clone(), args.replica.clone())),
        (None, None) => match variable {
            _ if !args.replica.is_empty() => Err(Failure::usage(
                "--replica: expected --trust FILE with it, as no replica says whom to trust",
            )),
            Some(file) => read(&file),
            None => Err(Failure::usage(
                "which network? expected --network FILE, or --trust FILE and --replica URL, or WHITE_CITY_NETWORK",
            )),
        },
    }
}

fn read(file: &Path) -> Result<(PathBuf, Vec<String>), Failure> {
    let bytes = read_public(file, NETWORK_BYTES_MAX)?;
    let bad = |reason: String| Failure::usage(format!("{}: {reason}", file.display()));
    let network: NetworkFile = serde_json::from_slice(&bytes)
        .map_err(|error| bad(format!("not a network file: {error}")))?;
    if network.version != 1 {
        return Err(bad(format!("version {}, expected 1", network.version)));
    }
    let replicas = network.replicas.into_iter();
    Ok((
        // A path in a file means the same wherever the file is read.
        match file.parent() {
            Some(folder) => folder.join(network.genesis),
            None => network.genesis,
        },
        replicas.map(|replica| replica.rpc).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeping::Keeping;

    #[test]
    fn a_network_file_gives_genesis_and_replicas() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("network.json");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write(
            r#"{"version":1,"chain_id":"c","genesis":"/g","engine":"solo","launcher_pid":1,
            "replicas":[{"index":0,"rpc":"http://127.0.0.1:1","home":"/h","node_pid":0,"app_pid":0}]}"#,
        );
        let (genesis, replicas) = read(&file).unwrap();
        assert_eq!(genesis, Path::new("/g"));
        write(r#"{"version":1,"genesis":"sub/g","replicas":[]}"#);
        assert_eq!(read(&file).unwrap().0, dir.path().join("sub/g"));
        assert_eq!(replicas, ["http://127.0.0.1:1"]);
        for bad in ["", "{}", r#"{"version":2,"genesis":"/g","replicas":[]}"#] {
            write(bad);
            assert_eq!(read(&file).unwrap_err().code, 2, "{bad}");
        }
        assert_eq!(read(&dir.path().join("nothing")).unwrap_err().code, 2);
    }

    #[test]
    fn the_replicas_of_the_environment_are_asked_about_another_genesis_and_given_ones_need_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("network.json");
        let replica = r#"{"version":1,"genesis":"/g","replicas":[{"rpc":"http://a"}]}"#;
        std::fs::write(&file, replica).unwrap();
        let args = |genesis: Option<&str>, replicas: &[&str]| NetworkArgs {
            network: None,
            genesis: genesis.map(PathBuf::from),
            replica: replicas.iter().map(|one| (*one).to_owned()).collect(),
            keeping: Keeping::default(),
        };
        let named = || Some(file.clone());
        let of = |genesis: &str, replica: &str| (PathBuf::from(genesis), vec![replica.to_owned()]);
        let found = |args: NetworkArgs| replicas_of(&args, named()).unwrap();
        assert_eq!(found(args(None, &[])), of("/g", "http://a"));
        assert_eq!(found(args(Some("/h"), &[])), of("/h", "http://a"));
        let given = args(Some("/h"), &["http://b"]);
        assert_eq!(found(given), of("/h", "http://b"));
        for variable in [None, named()] {
            let failure = replicas_of(&args(None, &["http://b"]), variable).unwrap_err();
            assert!(failure.text.contains("--trust"), "{}", failure.text);
        }
        let none = replicas_of(&args(Some("/h"), &[]), None).unwrap();
        assert_eq!(none, (PathBuf::from("/h"), Vec::new()));
        // Whoever asks no replica needs no file that names some.
        let nowhere = Some(dir.path().join("nothing"));
        let (genesis, _) = genesis_and_replicas(&args(Some("/h"), &[]), nowhere).unwrap();
        assert_eq!(genesis, Path::new("/h"));
    }
}
