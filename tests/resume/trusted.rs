//! Trust files of the command line, and journals that know more than the board shows.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
};

use prost::Message;
use serde_json::Value;
use tokio::process::Command;
use white_city_client::{
    Client, Error, Signer, genesis,
    trust::{Mark, TrustFile, trust_file_checksum},
    trust_file,
    wire::pb,
};
use white_city_tests::{forger::Forger, tampering::Council};

use crate::{
    refused::two,
    thief::journal::rewritten,
    world::{World, result, run, world},
};

/// Exit codes.
const USAGE: i32 = 2;
const BEHIND: i32 = 3;
const UNTRUE: i32 = 7;
const UNRENEWED: i32 = 10;
/// Signal that ends a process which writes past its limit.
const SIGXFSZ: i32 = 25;
/// A height that no board here reaches.
const FAR: u64 = 1 << 36;

/// A command that is told nothing of the network but these arguments.
async fn bare(world: &World, args: &[&str]) -> std::process::Output {
    let mut command: Command = world.program();
    command
        .args(args)
        .arg("--json")
        .current_dir(world.dir.path());
    run(command).await
}

async fn cli(world: &World, args: &[&str]) -> std::process::Output {
    run(world.command(&world.url(), args)).await
}

/// The last line of a command's output, which ends with this code.
fn last(done: &std::process::Output, code: i32) -> Value {
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert_eq!(done.status.code(), Some(code), "{out}\n{err}");
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

fn height(file: &Path) -> u64 {
    trust_file::read(file)
        .unwrap()
        .mark()
        .map_or(0, Mark::height)
}

/// The file beside an identity.
fn own(world: &World) -> PathBuf {
    let network = world.trust().network().id.to_string();
    world.file(0, "key.trust").join(network)
}

/// A file of whoever has the validator's key: a state of this height and era, to which a link leads if it isn't the first.
fn forged(world: &World, height: u64, era: u32) -> TrustFile {
    let genesis = fs::read(world.net.dir().join("genesis.json")).unwrap();
    let network = world.trust().network().clone();
    let forger = Forger::of(world.council(), network);
    let (old, new) = (world.council(), Council::new([[66; 32]]));
    let by = if era == 0 { &old } else { &new };
    let links = (era > 0).then(|| forger.link(height - 5, (&old, 1), &new));
    let era_height = if era == 0 { 0 } else { height - 6 };
    let state = Forger::state(forger.root_in(era, era_height));
    let (signed_header, state) = forger.mark(height, (by, 1), &state);
    let message = pb::TrustFile {
        version: 1,
        genesis,
        links: links.into_iter().collect(),
        signed_header,
        state: Some(state),
        addresses: vec![world.url()],
    }
    .encode_to_vec();
    let sum = trust_file_checksum(&message);
    TrustFile::from_bytes(&[&message[..], &sum.0].concat()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partys_trust_file_is_made_beside_its_identity_and_every_command_takes_it_forward() {
    let world = world().await;
    let own = own(&world);
    world.open_keygen().await;
    let first = height(&own);
    assert!(first > 0);
    let id = world.open_keygen().await;
    let second = height(&own);
    assert!(second > first, "{second} after {first}");
    // A command that fails has learned all the same, and who has no identity keeps nothing.
    let before: Vec<_> = world.dir.path().read_dir().unwrap().collect();
    let decline = [
        "session",
        "abort",
        &id.to_string(),
        "--identity",
        "party0.key",
    ];
    assert!(!cli(&world, &decline).await.status.success());
    assert!(height(&own) >= second);
    result(&cli(&world, &["session", "list"]).await);
    let after: Vec<_> = world.dir.path().read_dir().unwrap().collect();
    assert_eq!(before.len(), after.len(), "{after:?}");

    // For somebody else: with the addresses, so that it is all that is needed.
    let exported = result(&cli(&world, &["board", "trust", "export", "--out", "for-bob"]).await);
    assert_eq!(exported["addresses"][0], world.url());
    assert_eq!(exported["era"], 0);
    let file = world.dir.path().join("for-bob");
    let given = height(&file);
    assert_eq!(exported["height"], given);
    let shown = result(&bare(&world, &["board", "trust", "show", "for-bob"]).await);
    assert_eq!(shown, exported);
    let listed = result(&bare(&world, &["session", "list", "--trust", "for-bob"]).await);
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    assert!(height(&file) >= given);
    let wanting = bare(&world, &["session", "list", "--trust", "party0.key"]).await;
    last(&wanting, USAGE);
    // A directory that can't be written to costs a warning.
    let nowhere = world.dir.path().join("party0.key.trust");
    fs::rename(&nowhere, world.dir.path().join("elsewhere")).unwrap();
    fs::write(&nowhere, "not a folder").unwrap();
    let done = cli(&world, &["session", "show", "0"]).await;
    result(&done);
    let done = world.open_telling(&[0, 1], &["--protocol", "test"]).await.1;
    result(&done);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("isn't kept"), "{said}");
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_dies_while_it_writes_a_trust_file_leaves_the_old_one_whole() {
    let world = world().await;
    let export = ["board", "trust", "export", "--out", "kept"];
    result(&cli(&world, &export).await);
    let file = world.dir.path().join("kept");
    let size = file.metadata().unwrap().len();
    let steps = 8;
    for step in 0..steps {
        let (bytes, before) = (fs::read(&file).unwrap(), height(&file));
        // Until there is something new to be written.
        let mut died = run(world.limited(size * step / steps, &export)).await;
        while died.status.success() {
            died = run(world.limited(size * step / steps, &export)).await;
        }
        assert_eq!(died.status.signal(), Some(SIGXFSZ), "{died:?}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
        result(&cli(&world, &export).await);
        assert!(height(&file) >= before);
    }
    // And one that never was isn't there in part.
    let new = ["board", "trust", "export", "--out", "new"];
    let died = run(world.limited(size / 2, &new)).await;
    assert_eq!(died.status.signal(), Some(SIGXFSZ), "{died:?}");
    assert!(!world.dir.path().join("new").exists());
    result(&cli(&world, &new).await);
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_behind_a_trust_file_or_contradicts_it_is_refused_by_name() {
    let world = world().await;
    let save = |file: &TrustFile, name: &str| {
        fs::write(world.dir.path().join(name), file.to_bytes().unwrap()).unwrap();
    };
    // Somebody who has the validator's key has shown this party another board before.
    save(&forged(&world, FAR, 0), "ahead");
    let refused = bare(&world, &["session", "list", "--trust", "ahead"]).await;
    let said = last(&refused, BEHIND);
    assert!(said["error"].as_str().unwrap().contains("behind"), "{said}");
    // What lies beside the identity counts as much.
    world.open_keygen().await;
    let kept = own(&world);
    fs::write(&kept, forged(&world, FAR, 0).to_bytes().unwrap()).unwrap();
    let args = world.open_args(&[0, 1], &["--protocol", "test"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    last(&cli(&world, &args).await, BEHIND);
    fs::write(&kept, b"damaged").unwrap();
    last(&cli(&world, &args).await, UNTRUE);
    fs::remove_file(&kept).unwrap();
    result(&cli(&world, &args).await);

    // Two files of two histories.
    for (name, era) in [("one", 0), ("two", 1)] {
        save(&forged(&world, 50, era), name);
    }
    let show = ["board", "trust", "show", "two", "--trust", "one"];
    let said = last(&bare(&world, &show).await, UNTRUE);
    assert!(
        said["error"].as_str().unwrap().contains("two histories"),
        "{said}"
    );
    let other = TrustFile::new(&world.trust(), None, ["http://a"]).unwrap();
    save(&other, "fine");
    let show = ["board", "trust", "show", "fine", "--trust", "one"];
    result(&bare(&world, &show).await);
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_of_an_older_era_than_a_trust_file_knows_is_unrenewed() {
    let world = world().await;
    let id = world.open_keygen().await.to_string();
    let decline = ["session", "decline", &id, "--identity", "party1.key"];
    result(&cli(&world, &decline).await);
    let receipt = [
        "session",
        "receipt",
        &id,
        "--kind",
        "end",
        "--out",
        "end.receipt",
    ];
    result(&cli(&world, &receipt).await);
    let verify = ["verify", "end.receipt"];
    let verified = result(&cli(&world, &verify).await);
    assert_eq!(
        (&verified["min_era"], &verified["unrenewed"]),
        (&0.into(), &false.into())
    );
    assert_eq!(verified["certified"][0]["era"], 0);
    assert_eq!(verified["certified"][0]["term"], 0);
    let wanting = |era: &'static str| [verify[0], verify[1], "--min-era", era];
    assert_eq!(result(&cli(&world, &wanting("0")).await)["verified"], true);
    let said = last(&cli(&world, &wanting("1")).await, UNRENEWED);
    assert_eq!(
        (&said["verified"], &said["unrenewed"]),
        (&true.into(), &true.into())
    );
    assert_eq!(said["exit_code"], UNRENEWED);

    let save = |era: u32| {
        let file = forged(&world, FAR, era).to_bytes().unwrap();
        fs::write(world.dir.path().join("trust"), file).unwrap();
    };
    let trusting = ["verify", "end.receipt", "--trust", "trust"];
    save(0);
    assert_eq!(result(&bare(&world, &trusting).await)["unrenewed"], false);
    save(1);
    let said = last(&bare(&world, &trusting).await, UNRENEWED);
    assert_eq!(said["min_era"], 1);
    // Unless that is said to be good enough.
    let enough = [&trusting[..], &["--min-era", "0"]].concat();
    assert_eq!(result(&bare(&world, &enough).await)["unrenewed"], false);
    world.net.stop().await.unwrap();
}

/// An entry as a journal has it.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(uint32, tag = "1")]
    round: u32,
    #[prost(bytes = "vec", tag = "2")]
    tx: Vec<u8>,
    #[prost(uint64, tag = "4")]
    height: u64,
    #[prost(bytes = "vec", optional, tag = "5")]
    anchor: Option<Vec<u8>>,
    #[prost(uint32, tag = "6")]
    era: u32,
    #[prost(bytes = "vec", tag = "7")]
    link: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(bytes = "vec", optional, tag = "1")]
    seeds: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    entry: Option<Entry>,
}

/// A party signs for what the replicas have shown it, and they take the board back afterwards: to before a height, or before an era.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_knows_the_height_and_the_era_that_its_party_has_signed_in() {
    let world = world().await;
    let (id, first, second) = two(&world).await;
    drop((first, second));
    let path = world.file(0, "journal");
    let journal = fs::read(&path).unwrap();
    let secret = world.key(0).storage_key().unwrap();
    let genesis = genesis::trust(world.net.dir().join("genesis.json")).unwrap();
    let client = Client::builder(genesis).replicas([world.url()]);
    let client = client.signer(world.key(0)).build().unwrap();
    let resumed = async |change: &(dyn Fn(&mut Entry) + Sync)| {
        let written = rewritten(&journal, &*secret, |record| {
            let mut record = Record::decode(record).unwrap();
            record.entry.as_mut().map(change);
            record.encode_to_vec()
        });
        fs::write(&path, written).unwrap();
        client.resume(id, &path).await.err()
    };
    assert_eq!(resumed(&|_| {}).await, None);
    let behind = resumed(&|entry| entry.height = FAR).await;
    assert!(
        matches!(behind, Some(Error::Behind { expected, .. }) if expected == FAR),
        "{behind:?}"
    );
    let other = resumed(&|entry| (entry.era, entry.link) = (1, vec![9; 32])).await;
    let Some(Error::Fork(fork)) = other else {
        panic!("{other:?}");
    };
    assert!(fork.what.contains("era 1"), "{fork}");
    assert_eq!(
        resumed(&|_| {}).await,
        None,
        "and it goes on with the true one"
    );
    world.net.stop().await.unwrap();
}
