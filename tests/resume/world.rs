//! A board in this process, and parties that are processes of the command line.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use white_city_client::{
    Client, IdentityKey, LocalKey, SessionId, Signer, Trust, genesis, vault, wire::AppState,
};
use white_city_testnet::{Engine, Options, Testnet, binaries::Binaries, default_app_state};
use white_city_tests::tampering::Council;

/// The longest that anything in these tests may take.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Message that is signed.
pub const MESSAGE: &str = "resumed";
const PARTIES: usize = 3;

pub struct World {
    pub net: Testnet,
    pub dir: TempDir,
    cli: PathBuf,
}

/// Starts a board of one validator, and makes three identities with their key files.
pub async fn world() -> World {
    world_with(|_| ()).await
}

/// The same, with other parameters.
pub async fn world_with(change: impl FnOnce(&mut AppState)) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("net"));
    let mut app_state = default_app_state().unwrap();
    let params = &mut app_state.params;
    (params.heartbeat_ms, params.cap_ms) = (100, 2_000);
    change(&mut app_state);
    options.app_state = Some(app_state);
    (options.engine, options.replicas) = (Engine::Solo, 1);
    let net = Testnet::create(&options).await.unwrap();
    net.start_all().await.unwrap();
    let cli = Binaries::find().await.unwrap().cli().unwrap();
    let world = World { net, dir, cli };
    for party in 0..PARTIES {
        LocalKey::create_plain(&world.file(party, "key")).unwrap();
        vault::create_key_file(&world.file(party, "key32")).unwrap();
    }
    let started = async { while world.client().status().await.is_err() {} };
    tokio::time::timeout(PATIENCE, started).await.unwrap();
    world
}

impl World {
    pub fn url(&self) -> String {
        self.net.rpc_urls()[0].clone()
    }

    pub fn file(&self, party: usize, what: &str) -> PathBuf {
        self.dir.path().join(format!("party{party}.{what}"))
    }

    pub fn client(&self) -> Client {
        let builder = Client::builder(self.trust()).replicas([self.url()]);
        builder.signer(self.key(0)).build().unwrap()
    }

    pub fn trust(&self) -> Trust {
        genesis::trust(self.net.dir().join("genesis.json")).unwrap()
    }

    pub fn key(&self, party: usize) -> LocalKey {
        LocalKey::load(&self.file(party, "key"), None).unwrap()
    }

    pub fn identity(&self, party: usize) -> IdentityKey {
        self.key(party).identity()
    }

    /// A command of the command line that talks to the board by way of this address.
    pub fn command(&self, url: &str, args: &[&str]) -> Command {
        self.launched(Command::new(&self.cli), url, args)
    }

    /// The same, where no file can become larger than `bytes`: the system ends whoever writes on.
    pub fn limited(&self, bytes: u64, args: &[&str]) -> Command {
        let mut command = Command::new("prlimit");
        command.arg(format!("--fsize={bytes}")).arg(&self.cli);
        self.launched(command, &self.url(), args)
    }

    fn launched(&self, mut command: Command, url: &str, args: &[&str]) -> Command {
        command
            .args(args)
            .arg("--trust")
            .arg(self.net.dir().join("genesis.json"))
            .args(["--replica", url, "--json"])
            .current_dir(self.dir.path())
            .env("WHITE_CITY_HOME", self.dir.path().join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The key of the board's one validator, in one hand with whoever forges.
    pub fn council(&self) -> Council {
        let file = self.net.home(0).join("config/priv_validator_key.json");
        let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let key = STANDARD.decode(file["priv_key"]["value"].as_str().unwrap());
        Council::new([*key.unwrap().first_chunk().unwrap()])
    }

    /// The command line without any argument.
    pub fn program(&self) -> Command {
        Command::new(&self.cli)
    }

    /// Opens a session of these parties.
    pub async fn open(&self, parties: &[usize], preset: &[&str]) -> SessionId {
        self.open_telling(parties, preset).await.0
    }

    /// The same, with what was said of it.
    pub async fn open_telling(&self, parties: &[usize], preset: &[&str]) -> (SessionId, Output) {
        let args = self.open_args(parties, preset);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let opened = run(self.command(&self.url(), &args)).await;
        let id = result(&opened)["session"].as_str().unwrap().to_owned();
        (SessionId::from_hex(&id).unwrap(), opened)
    }

    pub fn open_args(&self, parties: &[usize], preset: &[&str]) -> Vec<String> {
        let mut args = ["session", "open", "--identity", "party0.key"]
            .map(str::to_owned)
            .to_vec();
        for party in parties {
            args.extend(["--party".to_owned(), self.identity(*party).to_string()]);
        }
        args.extend(preset.iter().map(|arg| (*arg).to_owned()));
        args
    }

    pub async fn open_keygen(&self) -> SessionId {
        let preset = ["--preset", "eddsa-keygen", "--threshold", "2"];
        self.open(&[0, 1, 2], &preset).await
    }

    pub async fn open_signing(&self, public_key: &str) -> SessionId {
        let what = ["--public-key", public_key, "--message", MESSAGE];
        let preset = [&["--preset", "eddsa-sign"][..], &what].concat();
        self.open(&[0, 1], &preset).await
    }

    /// Opens a session in which these parties sign with the shares that the session `made`.
    pub async fn open_signing_after(
        &self,
        parties: &[usize],
        public_key: &str,
        message: &str,
        made: SessionId,
    ) -> SessionId {
        let (key, made) = (["--public-key", public_key], made.to_string());
        let what = ["--message", message, "--previous", &made];
        let preset = [&["--preset", "eddsa-sign"][..], &key, &what].concat();
        self.open(parties, &preset).await
    }

    /// Has each of these parties sign with its share, which is in this file.
    pub async fn sign_with(
        &self,
        shares: &[(usize, &str)],
        public_key: &str,
        message: &str,
        made: SessionId,
    ) -> Vec<Output> {
        let parties: Vec<usize> = shares.iter().map(|(party, _)| *party).collect();
        let id = self.open_signing_after(&parties, public_key, message, made);
        let id = id.await.to_string();
        let signing = shares.iter().map(|(party, share)| {
            let (key, key32) = (format!("party{party}.key"), format!("party{party}.key32"));
            let session = ["--session", &id, "--message", message];
            let files = ["--identity", &key, "--key-file", &key32, "--share", share];
            let args = [&["eddsa", "sign"][..], &session, &files].concat();
            run(self.command(&self.url(), &args))
        });
        futures::future::join_all(signing).await
    }

    /// Makes a key of all parties, whose shares are in `party*.share`.
    pub async fn keygen(&self) -> String {
        let id = self.open_keygen().await;
        let all = (0..PARTIES).map(|party| self.party(&self.url(), Step::Keygen, party, id));
        let all = futures::future::join_all(all.map(run)).await;
        let keys = all
            .iter()
            .map(|done| result(done)["public_key"].as_str().unwrap().to_owned());
        let mut keys: Vec<String> = keys.collect();
        keys.dedup();
        assert_eq!(keys.len(), 1);
        keys.remove(0)
    }

    /// Command of a party in a session, by way of this address.
    pub fn party(&self, url: &str, step: Step, party: usize, id: SessionId) -> Command {
        let args = self.args(step, party, id);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.command(url, &args)
    }

    /// The arguments of that, with what the party consents to.
    pub fn args(&self, step: Step, party: usize, id: SessionId) -> Vec<String> {
        let (command, share) = match step {
            Step::Keygen => ("keygen", "--out"),
            Step::Sign => ("sign", "--share"),
        };
        let file = |what: &str| format!("party{party}.{what}");
        let id = id.to_string();
        let args = [
            "eddsa",
            command,
            "--session",
            &id,
            "--identity",
            &file("key"),
        ]
        .map(str::to_owned);
        let files = [share, &file("share"), "--key-file", &file("key32")].map(str::to_owned);
        let consent = match step {
            Step::Keygen => self.roster_args(),
            Step::Sign => ["--message", MESSAGE].map(str::to_owned).into(),
        };
        [&args[..], &files, &consent].concat()
    }

    /// Command of a party that joins without its rounds, but for saying yes.
    pub fn join(&self, url: &str, party: usize, id: SessionId, more: &[&str]) -> Command {
        let (id, file) = (id.to_string(), |what: &str| format!("party{party}.{what}"));
        let (key, unlock) = (file("key"), file("key32"));
        let join = [
            "session",
            "join",
            &id,
            "--identity",
            &key,
            "--key-file",
            &unlock,
        ];
        self.command(url, &[&join[..], more].concat())
    }

    /// Arguments that say yes to a key of all parties, of whom two can sign.
    pub fn roster_args(&self) -> Vec<String> {
        let mut args = ["--threshold", "2"].map(str::to_owned).to_vec();
        for party in 0..PARTIES {
            args.extend(["--party".to_owned(), self.identity(party).to_string()]);
        }
        args
    }

    /// Check that nothing speaks against anybody.
    pub async fn assert_nobody_is_blamed(&self, id: SessionId) {
        let evidence = self.client().evidence(id).await.unwrap();
        assert!(evidence.culprits.is_empty(), "{:?}", evidence.culprits);
    }

    pub fn journal(&self, party: usize, id: SessionId) -> PathBuf {
        self.file(party, "key.journals").join(id.to_string())
    }
}

/// Protocol that a party runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Keygen,
    Sign,
}

impl Step {
    /// Number of transactions that one party sends: its join, its posts, its finish.
    pub const fn transactions(self) -> usize {
        match self {
            Self::Keygen => 4,
            Self::Sign => 6,
        }
    }
}

pub fn spawn(mut command: Command) -> Child {
    command.spawn().unwrap()
}

/// Runs to the end.
pub async fn run(mut command: Command) -> Output {
    let output = command.output();
    tokio::time::timeout(PATIENCE, output)
        .await
        .unwrap()
        .unwrap()
}

/// The result of a command that has succeeded.
pub fn result(done: &Output) -> Value {
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{}\n{out}\n{err}", done.status);
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

/// Checks a signature with a verifier that isn't ours.
pub fn assert_signed(result: &Value, public_key: &str) {
    assert_signs(result, public_key, MESSAGE.as_bytes());
}

/// The same, of this message.
pub fn assert_signs(result: &Value, public_key: &str, message: &[u8]) {
    let bytes = |what: &str| hex::decode(result[what].as_str().unwrap()).unwrap();
    assert_eq!(result["public_key"], public_key);
    let key: [u8; 32] = bytes("public_key").try_into().unwrap();
    let key = VerifyingKey::from_bytes(&key).unwrap();
    let signature = Signature::from_slice(&bytes("signature")).unwrap();
    key.verify_strict(message, &signature).unwrap();
}

/// Removes what an earlier run of the same party has made.
pub fn remove(path: &Path) {
    if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
}
