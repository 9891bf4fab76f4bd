//! Threshold ECDSA by tss-lib, a library in Go that nobody has changed, over four replicas: a key of three parties, a signature of two,
//! and a party that is killed in each.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::time::{Instant, sleep};
use white_city_client::{
    Client, End, IdentityKey, LocalKey, SessionId, SpecBuilder, wire::hash::sha256,
};
use white_city_testnet::binaries::Binaries;

use super::{
    languages::{has, run},
    process::Party,
};
use crate::{
    module::root,
    world::{Setup, World, world},
};

/// The message that is signed.
const MESSAGE: &[u8] = b"signed in Go";
/// The longest that a round may take, and a session: the parties' arithmetic is heavy.
const LONG: Duration = Duration::from_secs(600);

/// The program, and the folder of the primes that tss-lib publishes for its own tests.
fn build(dir: &Path) -> (PathBuf, PathBuf) {
    let folder = root().join("client/go/tss");
    let program = dir.join("tss");
    run(Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(&folder));
    let list = [
        "list",
        "-m",
        "-f",
        "{{.Dir}}",
        "github.com/bnb-chain/tss-lib/v2",
    ];
    let library = run(Command::new("go").args(list).current_dir(folder));
    let primes = Path::new(library.trim()).join("test/_ecdsa_fixtures");
    (program, primes)
}

async fn open(client: &Client, roster: Vec<IdentityKey>, input: String) -> SessionId {
    let spec = SpecBuilder::new("tss-lib", 1, roster)
        .max_rounds(12)
        .payloads(300_000, 60_000)
        .times(LONG, LONG, LONG)
        .input(input.into_bytes());
    client.open(spec.build().unwrap()).await.unwrap()
}

/// Runs a session to its end, killing the first party and its gateway when it has got so far, and gives what everybody says.
async fn to_the_end(parties: &mut [Party], client: &Client, id: SessionId, kill_in: u32) -> String {
    for party in &mut *parties {
        party.begin(id);
    }
    let until = Instant::now() + LONG;
    let mut observer = client.observe(id).await.unwrap();
    let mut is_killed = false;
    while parties.iter_mut().any(|party| !party.is_done()) {
        assert!(Instant::now() < until, "it doesn't get on");
        observer.sync().await.unwrap();
        if !is_killed && observer.history().open_round() >= kill_in {
            is_killed = true;
            parties[0].kill(false);
            parties[0].kill(true);
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(is_killed, "nobody was killed");
    let said: Vec<String> = parties.iter().map(Party::said).collect();
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    let outcome = sha256(&hex::decode(&said[0]).unwrap());
    assert_eq!(
        observer.wait_end().await.unwrap(),
        End::Finished { outcome }
    );
    let evidence = client.evidence(id).await.unwrap();
    assert!(evidence.culprits.is_empty(), "{:?}", evidence.culprits);
    said[0].clone()
}

/// An unsigned number in DER, of 32 bytes.
fn der_integer(number: &[u8]) -> Vec<u8> {
    let number: Vec<u8> = number
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    let sign = if number[0] >= 0x80 {
        vec![0]
    } else {
        Vec::new()
    };
    let length = u8::try_from(sign.len() + number.len()).unwrap();
    [&[2, length][..], &sign, &number].concat()
}

/// Checks the signature with a verifier that is neither ours nor tss-lib's.
fn assert_signed(dir: &Path, key: &str, signature: &str) {
    // SubjectPublicKeyInfo of a point on secp256k1.
    let head = "3056301006072a8648ce3d020106052b8104000a034200";
    let key = hex::decode(format!("{head}{key}")).unwrap();
    let signature = hex::decode(signature).unwrap();
    let (r, s) = signature.split_at(32);
    let pair = [der_integer(r), der_integer(s)].concat();
    let signature = [&[0x30, u8::try_from(pair.len()).unwrap()][..], &pair].concat();
    for (name, bytes) in [
        ("key.der", &key[..]),
        ("signature", &signature),
        ("message", MESSAGE),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    let verify = [
        "dgst",
        "-sha256",
        "-keyform",
        "DER",
        "-verify",
        "key.der",
        "-signature",
        "signature",
        "message",
    ];
    let said = run(Command::new("openssl").args(verify).current_dir(dir));
    assert_eq!(said.trim(), "Verified OK");
}

fn client(world: &World) -> Client {
    let builder = Client::builder(world.trust()).replicas(world.net.rpc_urls().iter().cloned());
    let opener = LocalKey::from_seed(&[8; 32]).unwrap();
    builder.signer(opener).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tss_lib_makes_a_key_and_signs_over_four_replicas_though_a_party_dies_in_each() {
    if !has(&[("go", "version"), ("openssl", "version")]) {
        return;
    }
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let cli = Binaries::find().await.unwrap().cli().unwrap();
    let (program, primes) = build(dir.path());
    let launch = [program, "keygen".into()].to_vec();
    let mut parties: Vec<Party> = (0..3)
        .map(|number| {
            let mut party = Party::new(dir.path(), number, &cli, &world.net, launch.clone());
            let primes = primes.join(format!("keygen_data_{number}.json"));
            party.more = vec!["share".into(), primes];
            party
        })
        .collect();
    let client = client(&world);
    let roster: Vec<IdentityKey> = parties.iter().map(Party::identity).collect();
    let id = open(&client, roster.clone(), r#"{"threshold":1}"#.into()).await;
    let key = to_the_end(&mut parties, &client, id, 2).await;
    parties.pop().unwrap().end();
    let digest = format!(r#"{{"digest":"{}"}}"#, sha256(MESSAGE));
    let id = open(&client, roster[..2].to_vec(), digest).await;
    for party in &mut parties {
        party.launch[1] = "sign".into();
        party.more.truncate(1);
    }
    // After the second round, which draws from several goroutines at once.
    let signature = to_the_end(&mut parties, &client, id, 4).await;
    assert_signed(dir.path(), &key, &signature);
    for party in parties {
        party.end();
    }
    world.stop().await;
}
