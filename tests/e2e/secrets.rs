//! Nothing that a session writes holds a secret: no log, no journal, no board, no block.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;
use white_city_client::{
    LocalKey, SessionId, Signer,
    vault::{self, Unlock},
};
use white_city_testnet::binaries::Binaries;

use crate::world::{PATIENCE, Setup, World, world};

const PARTIES: usize = 3;

/// A secret that nobody may find, and the one file where it belongs.
struct Known {
    what: String,
    secret: Vec<u8>,
    home: PathBuf,
}

struct Stage<'a> {
    world: &'a World,
    dir: &'a Path,
    cli: PathBuf,
}

impl Stage<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Runs a command as loudly as it can; all that it says is kept in files. Gives the last line of its results.
    async fn run(&self, name: &str, args: &[&str]) -> serde_json::Value {
        let file = |what: &str| fs::File::create(self.file(&format!("{name}.{what}"))).unwrap();
        let network = self.world.net.dir().join("network.json");
        let mut command = Command::new(&self.cli);
        command
            .args(args)
            .args(["--json", "--network"])
            .arg(network)
            .env("RUST_LOG", "trace")
            .current_dir(self.dir)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"));
        let status = tokio::time::timeout(PATIENCE, command.status()).await;
        let status = status.unwrap().unwrap();
        let out = fs::read_to_string(self.file(&format!("{name}.out"))).unwrap();
        assert!(status.success(), "{name}: {out}");
        serde_json::from_str(out.lines().last().unwrap()).unwrap()
    }

    fn keys(&self, parties: usize) -> Vec<String> {
        let key = |party| LocalKey::load(&self.file(&format!("party{party}.key")), None).unwrap();
        let keys = (0..parties).map(|party| key(party).identity().to_string());
        keys.collect()
    }

    async fn open(&self, name: &str, parties: usize, preset: &[&str]) -> String {
        let keys = self.keys(parties);
        let mut args = vec!["session", "open", "--identity", "party0.key"];
        keys.iter()
            .for_each(|key| args.extend(["--party", key.as_str()]));
        args.extend(preset);
        let opened = self.run(name, &args).await;
        opened["session"].as_str().unwrap().to_owned()
    }

    async fn eddsa(
        &self,
        (command, share): (&str, &str),
        expected: &[&str],
        session: &str,
        party: usize,
    ) -> serde_json::Value {
        let file = |what: &str| format!("party{party}.{what}");
        let (key, key32, out) = (file("key"), file("key32"), file("share"));
        let args = [
            "eddsa",
            command,
            "--identity",
            &key,
            "--session",
            session,
            share,
            &out,
            "--key-file",
            &key32,
        ];
        let args = [&args[..], expected].concat();
        self.run(&format!("{command}{party}"), &args).await
    }

    /// Makes a key of all parties; gives its public key.
    async fn keygen(&self) -> String {
        let preset = ["--preset", "eddsa-keygen", "--threshold", "2"];
        let session = self.open("open-keygen", PARTIES, &preset).await;
        let keys = self.keys(PARTIES);
        let mut roster = vec!["--threshold", "2"];
        keys.iter().for_each(|key| roster.extend(["--party", key]));
        let made = ("keygen", "--out");
        let made = (0..PARTIES).map(|party| self.eddsa(made, &roster, &session, party));
        let made = futures::future::join_all(made).await;
        made[0]["public_key"].as_str().unwrap().to_owned()
    }

    /// All that is known to be secret, with the share that each party got.
    fn known(&self) -> Vec<Known> {
        let mut known = Vec::new();
        for party in 0..PARTIES {
            let [key, key32, share] =
                ["key", "key32", "share"].map(|what| self.file(&format!("party{party}.{what}")));
            let text = fs::read_to_string(&key).unwrap();
            let identity = text
                .lines()
                .last()
                .unwrap()
                .strip_prefix("secret ")
                .unwrap();
            let unlock = Unlock::key_file(&key32).unwrap();
            let share = vault::load(&share, "eddsa-share", &unlock).unwrap();
            // A share's last bytes are its scalar.
            let scalar = share.last_chunk::<32>().unwrap().to_vec();
            for (what, secret, home) in [
                ("identity", hex::decode(identity).unwrap(), &key),
                ("key file", fs::read(&key32).unwrap(), &key32),
                ("share", scalar, &key32),
            ] {
                known.push(Known {
                    what: format!("{what} of party {party}"),
                    secret,
                    home: home.clone(),
                });
            }
        }
        known
    }
}

/// Each place where one of the secrets is, as bytes, in hexadecimal or in base64.
fn found(folder: &Path, known: &[Known], searched: &mut u64) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(found(&path, known, searched));
            continue;
        }
        // Sockets can't be read.
        let Ok(bytes) = fs::read(&path) else { continue };
        *searched += bytes.len() as u64;
        for known in known.iter().filter(|known| known.home != path) {
            for form in forms(&known.secret) {
                if contains(&bytes, &form) {
                    all.push(format!("{} in {}", known.what, path.display()));
                }
            }
        }
    }
    all
}

fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    let list: Vec<String> = secret.iter().map(u8::to_string).collect();
    // In base64 a secret has another form at each of three places; the middle of each is always the same.
    let shifted = (0..3_usize).map(|shift| {
        let text = STANDARD_NO_PAD.encode([&vec![0; shift], secret].concat());
        text.as_bytes()[4..40].to_vec()
    });
    [
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
        list.join(", ").into_bytes(),
    ]
    .into_iter()
    .chain(shifted)
    .collect()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let (first, rest) = wanted.split_first().unwrap();
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if bytes[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

#[test]
fn the_search_finds_a_secret_in_each_of_its_forms() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let secret: Vec<u8> = (100..132).collect();
    let any = |bytes: &[u8]| forms(&secret).iter().any(|form| contains(bytes, form));
    for shift in 0..5 {
        let around = [&vec![7; shift], &secret[..], &[9; 4]].concat();
        assert!(any(&around) && any(STANDARD.encode(&around).as_bytes()));
        assert!(any(hex::encode(&around).as_bytes()) && any(format!("{around:?}").as_bytes()));
    }
    assert!(!any(&[7; 200]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_a_ceremony_has_written() {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let cli = Binaries::find().await.unwrap().cli().unwrap();
    let stage = Stage {
        world: &world,
        dir: dir.path(),
        cli,
    };
    for party in 0..PARTIES {
        LocalKey::create_plain(&stage.file(&format!("party{party}.key"))).unwrap();
        vault::create_key_file(&stage.file(&format!("party{party}.key32"))).unwrap();
    }
    let key = &stage.keygen().await;
    let preset = [
        "--preset",
        "eddsa-sign",
        "--public-key",
        key,
        "--message",
        "hello",
    ];
    let signing = stage.open("open-signing", 2, &preset).await;
    // A journal that stays: of a session that this party has joined and won't finish.
    let left = stage.open("open-left", 2, &preset).await;
    let join = ["session", "join", &left, "--identity", "party0.key"];
    let join = [&join[..], &["--key-file", "party0.key32", "--yes"]].concat();
    stage.run("join-left", &join).await;
    let journal = stage.file("party0.key.journals").join(&left);
    assert!(journal.metadata().unwrap().len() > 300);
    let message = ["--message", "hello"];
    let signed = ("sign", "--share");
    let signed = (0..2).map(|party| stage.eddsa(signed, &message, &signing, party));
    let signed = futures::future::join_all(signed).await;
    assert_eq!(signed[0]["signature"], signed[1]["signature"]);
    let id = SessionId::from_hex(&signing).unwrap();
    assert!(
        !stage
            .file("party1.key.journals")
            .join(id.to_string())
            .exists()
    );

    let known = stage.known();
    assert_eq!(known.len(), 3 * PARTIES);
    let mut searched = 0;
    let mut all = found(dir.path(), &known, &mut searched);
    all.extend(found(world.net.dir(), &known, &mut searched));
    assert!(all.is_empty(), "{all:#?}");
    let logs = fs::metadata(stage.file("sign0.err")).unwrap().len();
    assert!(logs > 1_000 && searched > 100_000, "{logs} {searched}");
    // The search itself works: where a secret belongs it is found.
    let elsewhere: Vec<Known> = known
        .into_iter()
        .map(|known| Known {
            home: PathBuf::new(),
            ..known
        })
        .collect();
    let there = found(dir.path(), &elsewhere, &mut searched);
    assert_eq!(there.len(), 2 * PARTIES, "{there:#?}");
    world.stop().await;
}
