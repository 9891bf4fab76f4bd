//! From arguments to a client.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use white_city_client::{Client, ClientBuilder, LocalKey, Trust, files::read_public, genesis};

use crate::{
    args::NetworkArgs,
    failure::{Failure, in_file},
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
    Ok(builder(args)?.build()?)
}

/// A client that signs with this identity.
pub fn signing(args: &NetworkArgs, identity: LocalKey) -> Result<Client, Failure> {
    Ok(builder(args)?.signer(identity).build()?)
}

/// The trust in a genesis, where no replica is needed.
pub fn trust(args: &NetworkArgs) -> Result<Trust, Failure> {
    trusted(&genesis_and_replicas(args, variable())?.0)
}

fn trusted(path: &Path) -> Result<Trust, Failure> {
    genesis::trust(path).map_err(in_file(path))
}

/// The file that the environment names.
fn variable() -> Option<PathBuf> {
    let file = std::env::var_os(VARIABLE).filter(|file| !file.is_empty());
    file.map(PathBuf::from)
}

fn builder(args: &NetworkArgs) -> Result<ClientBuilder, Failure> {
    let (path, replicas) = with_replicas(args, variable())?;
    Ok(Client::builder(trusted(&path)?).replicas(replicas))
}

/// As [`genesis_and_replicas`], where at least one replica is needed.
fn with_replicas(
    args: &NetworkArgs,
    variable: Option<PathBuf>,
) -> Result<(PathBuf, Vec<String>), Failure> {
    let (genesis, mut replicas) = genesis_and_replicas(args, variable.clone())?;
    if let Some(file) = variable.filter(|_| replicas.is_empty() && args.network.is_none()) {
        replicas = read(&file)?.1;
    }
    if replicas.is_empty() {
        return Err(Failure::usage(
            "no replica: expected --replica URL, at least one",
        ));
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
                "--replica: expected --trust GENESIS with it, as no replica says whom to trust",
            )),
            Some(file) => read(&file),
            None => Err(Failure::usage(
                "which network? expected --network FILE, or --trust GENESIS and --replica URL, or WHITE_CITY_NETWORK",
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
        };
        let named = || Some(file.clone());
        let of = |genesis: &str, replica: &str| (PathBuf::from(genesis), vec![replica.to_owned()]);
        let found = |args: NetworkArgs| with_replicas(&args, named()).unwrap();
        assert_eq!(found(args(None, &[])), of("/g", "http://a"));
        assert_eq!(found(args(Some("/h"), &[])), of("/h", "http://a"));
        let given = args(Some("/h"), &["http://b"]);
        assert_eq!(found(given), of("/h", "http://b"));
        for variable in [None, named()] {
            let failure = with_replicas(&args(None, &["http://b"]), variable).unwrap_err();
            assert!(failure.text.contains("--trust"), "{}", failure.text);
        }
        assert_eq!(
            with_replicas(&args(Some("/h"), &[]), None)
                .unwrap_err()
                .code,
            2
        );
        // Whoever asks no replica needs no file that names some.
        let nowhere = Some(dir.path().join("nothing"));
        let (genesis, _) = genesis_and_replicas(&args(Some("/h"), &[]), nowhere).unwrap();
        assert_eq!(genesis, Path::new("/h"));
    }
}
