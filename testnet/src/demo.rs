//! The whole of it on one machine: replicas, parties, a shared key, a signature
//!
//! Every party is a process of its own that knows nothing but its identity and the network file.
//! The signature is checked by a library that has nothing to do with ours.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::binaries::Binaries;
use crate::{Engine, Error, Options, Testnet};
use white_city_node::Error as NodeError;
use white_city_node::files::{tail, write_atomic};
use white_city_node::params::random_bytes;
use white_city_node::process::{Exit, Program};

/// Longest that one command may take: larger than the sessions' own deadlines.
const STEP: Duration = Duration::from_secs(600);

/// Choices of a caller for the demo.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Number of replicas; ignored by Solo, which has one.
    pub replicas: usize,
    /// Number of parties that share the key, 2 to 64.
    pub parties: usize,
    /// Number of them that sign, 2 to `parties`.
    pub threshold: usize,
    /// Message that they sign.
    pub message: String,
    /// The engine; `None` takes CometBFT where it can be had, and otherwise Solo.
    pub engine: Option<Engine>,
    /// Leave the directory behind.
    pub keep: bool,
}

/// Result of the demo.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The shared public key, in hexadecimal.
    pub public_key: String,
    /// The signature, in hexadecimal.
    pub signature: String,
    /// The engine that ran.
    pub engine: Engine,
    /// Number of replicas that ran.
    pub replicas: usize,
    /// The ceremony receipt of the signing session; gone with the directory unless that is kept.
    pub receipt: PathBuf,
    /// Words for what the receipt proves, as `white-city verify` says them offline.
    pub proven: String,
    /// From the first step to the last.
    pub seconds: f64,
}

impl Outcome {
    /// The result for machines.
    #[must_use]
    pub fn to_json(&self, options: &DemoOptions) -> Value {
        json!({
            "public_key": self.public_key,
            "message_hex": hex::encode(&options.message),
            "signature": self.signature,
            "engine": self.engine,
            "replicas": self.replicas,
            "parties": options.parties,
            "threshold": options.threshold,
            // An outcome exists only if it is.
            "verified": true,
            "receipt": options.keep.then(|| self.receipt.display().to_string()),
            "proven": self.proven,
            "seconds": (self.seconds * 1000.0).round() / 1000.0,
        })
    }
}

/// Runs the demo; tells each step as it is done, and gives up when `interrupt` completes. The
/// network has ended when this returns.
///
/// # Errors
/// [`NodeError::Tooling`] if CometBFT was asked for and can't be had; [`Error::Demo`] names the step
/// that failed, or says that the signature is not valid; [`Error::Refused`] if interrupted.
pub async fn run(
    options: &DemoOptions,
    tell: &mut (dyn FnMut(&str) + Send),
    interrupt: impl Future<Output = &'static str>,
) -> Result<Outcome, Error> {
    check("parties", options.parties, 2..=64)?;
    check("threshold", options.threshold, 2..=options.parties)?;
    tokio::pin!(interrupt);
    let interrupted = |signal| Error::Refused(format!("ended by {signal}"));
    let temporary = tempfile::Builder::new()
        .prefix("white-city-demo-")
        .tempdir()
        .map_err(Error::io("create directory in", &std::env::temp_dir()))?;
    let start = Instant::now();
    let testnet = tokio::select! {
        testnet = network(options, temporary.path(), tell) => testnet?,
        signal = &mut interrupt => return Err(interrupted(signal)),
    };
    let dir = temporary.path().to_owned();
    if options.keep {
        tell(&format!(
            "everything is kept in {}",
            temporary.keep().display()
        ));
    }
    let played = async {
        testnet.start_all().await?;
        Stage::new(&testnet, &dir, start, tell)
            .await?
            .play(options)
            .await
    };
    let result = tokio::select! {
        result = played => result,
        signal = interrupt => Err(interrupted(signal)),
    };
    let (engine, replicas) = (testnet.engine(), testnet.replicas());
    testnet.stop().await?;
    let played = result?;
    Ok(Outcome {
        public_key: played.public_key,
        signature: played.signature,
        engine,
        replicas,
        receipt: played.receipt,
        proven: played.proven,
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn check(
    what: &'static str,
    got: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<(), Error> {
    if range.contains(&got) {
        return Ok(());
    }
    let expected = format!("{} to {}", range.start(), range.end());
    Err(Error::Node(NodeError::Option {
        what,
        got: got.to_string(),
        expected,
    }))
}

/// A network, on the engine that was asked for or the best that can be had.
async fn network(
    options: &DemoOptions,
    dir: &Path,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Testnet, Error> {
    let mut network = Options::new(dir.join("network"));
    network.replicas = options.replicas;
    network.engine = options.engine.unwrap_or(Engine::Cometbft);
    if network.engine == Engine::Solo {
        network.replicas = 1;
    }
    match Testnet::create(&network).await {
        Err(Error::Node(NodeError::Tooling(reason))) if options.engine.is_none() => {
            tell(&format!("CometBFT can't be had here: {reason}"));
            tell("going on with Solo: one process, one key, no fault is tolerated");
            (network.engine, network.replicas) = (Engine::Solo, 1);
            Testnet::create(&network).await
        }
        other => other,
    }
}

/// Results of the parties.
struct Played {
    public_key: String,
    signature: String,
    receipt: PathBuf,
    proven: String,
}

struct Stage<'a> {
    guard: PathBuf,
    cli: PathBuf,
    network: PathBuf,
    genesis: PathBuf,
    dir: PathBuf,
    passphrase: PathBuf,
    start: Instant,
    tell: &'a mut (dyn FnMut(&str) + Send),
}

impl<'a> Stage<'a> {
    async fn new(
        testnet: &Testnet,
        dir: &Path,
        start: Instant,
        tell: &'a mut (dyn FnMut(&str) + Send),
    ) -> Result<Self, Error> {
        let binaries = Binaries::find().await?;
        let passphrase = dir.join("passphrase");
        let secret = Zeroizing::new(random_bytes::<16>()?);
        write_atomic(
            &passphrase,
            Zeroizing::new(hex::encode(secret.as_slice())).as_bytes(),
        )?;
        let mut stage = Self {
            guard: binaries.guard()?,
            cli: binaries.cli()?,
            network: testnet.network_file().to_owned(),
            genesis: testnet.dir().join("genesis.json"),
            dir: dir.to_owned(),
            passphrase,
            start,
            tell,
        };
        stage.step(&match testnet.engine() {
            Engine::Cometbft => format!(
                "{} replicas agree by CometBFT {}",
                testnet.replicas(),
                white_city_node::cometbft::VERSION
            ),
            Engine::Solo => "one process runs the board alone: no fault is tolerated".into(),
        });
        Ok(stage)
    }

    fn step(&mut self, text: &str) {
        (self.tell)(&format!(
            "{:7.2} s  {text}",
            self.start.elapsed().as_secs_f64()
        ));
    }

    /// From identities to a checked signature, and a receipt of how it came about.
    async fn play(&mut self, options: &DemoOptions) -> Result<Played, Error> {
        let keys = self.identities(options.parties).await?;
        self.step(&format!("{} identities made", keys.len()));
        let threshold = options.threshold.to_string();
        let preset = ["--preset", "eddsa-keygen", "--threshold", &threshold];
        let session = self.open("keygen", &keys, &preset).await?;
        self.step(&format!("session to make a key opened: {session}"));
        let mut expected = vec!["--threshold".into(), threshold];
        for key in &keys {
            expected.extend(["--party".into(), key.clone()]);
        }
        let keygen = ("keygen", expected);
        let results = self.parties(keygen, &session, options.parties).await?;
        let public_key = agreed("keygen", &results, "public_key")?;
        self.step(&format!(
            "{} parties share a key, {} of them can sign: {public_key}",
            options.parties, options.threshold
        ));
        let signers = keys.get(..options.threshold).unwrap_or(&keys);
        // In one word: a message may begin with a hyphen.
        let message = format!("--message={}", options.message);
        let preset = [
            "--preset",
            "eddsa-sign",
            &message,
            "--public-key",
            &public_key,
        ];
        let session = self.open("sign", signers, &preset).await?;
        self.step(&format!("session to sign opened: {session}"));
        let sign = (
            "sign",
            vec![message, "--public-key".into(), public_key.clone()],
        );
        let results = self.parties(sign, &session, signers.len()).await?;
        let signature = agreed("sign", &results, "signature")?;
        self.step(&format!("{} of them signed: {signature}", signers.len()));
        verify(&public_key, options.message.as_bytes(), &signature)?;
        self.step("the signature is valid (checked by another library)");
        let (receipt, proven) = self.receipt(&session).await?;
        Ok(Played {
            public_key,
            signature,
            receipt,
            proven,
        })
    }

    /// Writes the ceremony receipt of a session, and has it checked by a process that knows the genesis and no replica.
    async fn receipt(&mut self, session: &str) -> Result<(PathBuf, String), Error> {
        let file = self.dir.join("ceremony.receipt");
        let path = file.display().to_string();
        let written = self
            .cli("receipt", &["session", "receipt", session, "--out", &path])
            .await?;
        let bytes = written.get("bytes").and_then(Value::as_u64).unwrap_or(0);
        self.step(&format!("ceremony receipt of {bytes} bytes in {path}"));
        let args = ["--trust".into(), self.genesis.clone().into_os_string()];
        let args = args
            .into_iter()
            .chain(["verify".into(), file.clone().into()]);
        let result = finish("verify", self.offline("verify", args.collect())).await?;
        let proven = text("verify", &result, "text")?;
        self.step("the receipt verifies offline, from the genesis alone:");
        for line in proven.lines() {
            (self.tell)(&format!("              {line}"));
        }
        Ok((file, proven))
    }

    fn identity(&self, index: usize) -> PathBuf {
        self.dir.join(format!("identity{index}"))
    }

    async fn identities(&self, count: usize) -> Result<Vec<String>, Error> {
        let passphrase = self.passphrase.display().to_string();
        let mut keys = Vec::new();
        for index in 0..count {
            let name = format!("identity {index}");
            let file = self.identity(index).display().to_string();
            let mut args = vec!["identity", "new", "--out", &file];
            args.extend(["--passphrase-file", &passphrase]);
            let result = self.cli(&name, &args).await?;
            keys.push(text(&name, &result, "public_key")?);
        }
        Ok(keys)
    }

    async fn open(&self, name: &str, roster: &[String], preset: &[&str]) -> Result<String, Error> {
        let identity = self.identity(0).display().to_string();
        let passphrase = self.passphrase.display().to_string();
        let mut args = vec!["session", "open", "--identity", &identity];
        args.extend(["--passphrase-file", &passphrase]);
        for key in roster {
            args.extend(["--party", key]);
        }
        args.extend(preset);
        let name = format!("open {name}");
        text(&name, &self.cli(&name, &args).await?, "session")
    }

    /// Runs the first `count` parties side by side, each of which says what it consents to.
    async fn parties(
        &self,
        (command, expected): (&str, Vec<String>),
        session: &str,
        count: usize,
    ) -> Result<Vec<Value>, Error> {
        let mut running = tokio::task::JoinSet::new();
        for index in 0..count {
            let name = format!("{command} {index}");
            let share = if command == "keygen" {
                "--out"
            } else {
                "--share"
            };
            let args = [
                "eddsa".into(),
                command.into(),
                "--identity".into(),
                self.identity(index).into_os_string(),
                "--session".into(),
                session.into(),
                share.into(),
                self.dir.join(format!("share{index}")).into_os_string(),
                "--passphrase-file".into(),
                self.passphrase.clone().into_os_string(),
            ];
            let expected = expected.iter().map(Into::into);
            let args = args.into_iter().chain(expected).collect();
            let program = self.program(&name, args);
            running.spawn(async move { (index, finish(&name, program).await) });
        }
        let mut results = Vec::new();
        while let Some(joined) = running.join_next().await {
            let (index, result) = joined.map_err(|error| failed(command, error.to_string()))?;
            results.push((index, result?));
        }
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    async fn cli(&self, name: &str, args: &[&str]) -> Result<Value, Error> {
        let args = args.iter().map(Into::into).collect();
        finish(name, self.program(name, args)).await
    }

    fn program(&self, name: &str, args: Vec<std::ffi::OsString>) -> Program {
        let network = ["--network".into(), self.network.clone().into()];
        self.offline(name, network.into_iter().chain(args).collect())
    }

    /// A command that isn't told where any replica is.
    fn offline(&self, name: &str, args: Vec<std::ffi::OsString>) -> Program {
        let file = name.replace(' ', "-");
        let mut all = vec!["--json".into()];
        all.extend(args);
        Program {
            guard: self.guard.clone(),
            program: self.cli.clone(),
            args: all,
            env: Vec::new(),
            dir: Some(self.dir.clone()),
            stdout: Some(self.dir.join(format!("{file}.out"))),
            stderr: self.dir.join(format!("{file}.err")),
        }
    }
}

/// Runs a command to its end; the result is the last line of its output.
async fn finish(name: &str, program: Program) -> Result<Value, Error> {
    let mut process = program.start().await?;
    let output = program.stdout.clone().unwrap_or_default();
    let Ok(exit) = tokio::time::timeout(STEP, process.wait()).await else {
        process.end().await;
        return Err(failed(name, format!("took more than {} s", STEP.as_secs())));
    };
    let last = tail(&output, 1);
    if exit != Exit::Code(0) {
        return Err(failed(
            name,
            format!("{exit}\n{last}\n{}", tail(&program.stderr, 10)),
        ));
    }
    serde_json::from_str(&last).map_err(|error| failed(name, format!("{error} in {last:?}")))
}

fn failed(step: &str, reason: String) -> Error {
    Error::Demo {
        step: step.into(),
        reason,
    }
}

fn text(step: &str, result: &Value, key: &str) -> Result<String, Error> {
    let text = result.get(key).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| failed(step, format!("expected {key} in {result}")))
}

/// The value that all parties say, which must be the same.
fn agreed(step: &str, results: &[Value], key: &str) -> Result<String, Error> {
    let first = text(step, results.first().unwrap_or(&Value::Null), key)?;
    for result in results {
        let other = text(step, result, key)?;
        if other != first {
            return Err(failed(
                step,
                format!("parties differ in {key}: {first} and {other}"),
            ));
        }
    }
    Ok(first)
}

fn verify(public_key: &str, message: &[u8], signature: &str) -> Result<(), Error> {
    let step = "check of the signature";
    let bytes = |text: &str| hex::decode(text).map_err(|error| failed(step, error.to_string()));
    let key =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, bytes(public_key)?);
    key.verify(message, &bytes(signature)?)
        .map_err(|_| failed(step, format!("{signature} is not valid under {public_key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032, section 7.1, test 2
    const KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    #[test]
    fn only_a_valid_signature_over_this_message_passes() {
        assert!(verify(KEY, &[0x72], SIGNATURE).is_ok());
        assert!(verify(KEY, &[0x73], SIGNATURE).is_err());
        assert!(verify(KEY, &[0x72], &SIGNATURE.replace("92a0", "92a1")).is_err());
        assert!(verify(KEY, &[0x72], "zz").is_err());
    }

    #[test]
    fn parties_that_differ_are_not_an_outcome() {
        let same = [json!({"k": "a"}), json!({"k": "a"})];
        assert_eq!(agreed("s", &same, "k").unwrap(), "a");
        assert!(agreed("s", &[json!({"k": "a"}), json!({"k": "b"})], "k").is_err());
        assert!(agreed("s", &[json!({"k": "a"}), json!({})], "k").is_err());
        assert!(agreed("s", &[], "k").is_err());
    }
}
