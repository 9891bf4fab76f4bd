//! A thief who has a party's identity, its journals as they were at any moment, and everything that is on the board; not what opens
//! its share.

mod attack;
pub mod journal;

use std::path::Path;

use curve25519_dalek::Scalar;
use white_city_client::{
    SessionId, Signer,
    vault::{self, Unlock},
};
use white_city_eddsa::KeyShare;

use self::attack::{Stolen, scalar};
use crate::world::{MESSAGE, PATIENCE, Step, World, result, run, world};

/// The party whose files are stolen.
const VICTIM: u16 = 0;

/// Runs these parties to the end. Gives the victim's journal as it became, though its owner removes it, and the victim's result.
async fn watched(
    world: &World,
    step: Step,
    id: SessionId,
    parties: &[usize],
) -> (Vec<u8>, serde_json::Value) {
    let (journal, copy) = (world.journal(VICTIM.into(), id), world.file(0, "stolen"));
    let all = parties.iter().map(|party| {
        let args = world.args(step, *party, id);
        run(world.command(
            &world.url(),
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
        ))
    });
    // Another name of the same file: all that is written to it is there, also when its first name is gone.
    let stolen = tokio::time::timeout(PATIENCE, linked(&journal, &copy));
    let (all, stolen) = tokio::join!(futures::future::join_all(all), stolen);
    stolen.unwrap();
    let results: Vec<_> = all.iter().map(result).collect();
    assert!(!journal.exists(), "its owner has removed it");
    let bytes = std::fs::read(&copy).unwrap();
    std::fs::remove_file(&copy).unwrap();
    (bytes, results[0].clone())
}

async fn linked(file: &Path, to: &Path) {
    while std::fs::hard_link(file, to).is_err() {
        tokio::task::yield_now().await;
    }
}

/// The victim's share, which only its key file opens.
fn share(world: &World) -> KeyShare {
    let unlock = Unlock::key_file(&world.file(0, "key32")).unwrap();
    let file = vault::load(&world.file(0, "share"), "eddsa-share", &unlock).unwrap();
    // Version, session, how many, their keys.
    KeyShare::from_bytes(&file[1 + 32 + 2 + 3 * 32..]).unwrap()
}

fn secret(share: &KeyShare) -> Scalar {
    scalar(share.to_bytes().last_chunk().unwrap())
}

/// Secrets that may open the victim's journals: those that a thief can try who has no unlock, and the one that the victim has.
struct Secrets {
    tried: [Vec<u8>; 3],
    right: Vec<u8>,
}

impl Secrets {
    fn of(world: &World) -> Self {
        let storage = world.key(0).storage_key().unwrap();
        let key = std::fs::read(world.file(0, "key32")).unwrap();
        Self {
            tried: [
                storage.to_vec(),
                [&storage[..], &[0; 32]].concat(),
                [&storage[..], &storage[..]].concat(),
            ],
            right: [&storage[..], &key].concat(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_journals_and_board_give_no_share_away() {
    let world = world().await;
    let secrets = Secrets::of(&world);
    let mut found = Vec::new();

    let id = world.open_keygen().await;
    let (journal, made) = watched(&world, Step::Keygen, id, &[0, 1, 2]).await;
    let share = share(&world);
    let wanted = Some(secret(&share));
    let stolen = Stolen::read(world.client(), id, VICTIM, 2).await;
    let moments = journal::moments(&journal);
    let transactions = Step::Keygen.transactions();
    assert_eq!(moments.len(), 1 + 1 + transactions, "begun, seeds, entries");
    let mut opened = 0;
    for (moment, journal) in moments.into_iter().enumerate() {
        for tried in &secrets.tried {
            let loot = journal::open(journal, tried);
            if loot.seeds.is_some() || stolen.share_by_replay(&loot) == wanted {
                found.push(format!("after write {moment} of a key generation"));
            }
        }
        // The thief knows its trade: with the unlock it succeeds.
        let loot = journal::open(journal, &secrets.right);
        opened += usize::from(stolen.share_by_replay(&loot) == wanted);
    }
    assert_eq!(opened, 1 + transactions, "from the seeds on");

    let public_key = made["public_key"].as_str().unwrap();
    let key: [u8; 32] = hex::decode(public_key).unwrap().try_into().unwrap();
    for signers in [&[0, 1][..], &[0, 1, 2]] {
        let what = ["--public-key", public_key, "--message", MESSAGE];
        let preset = [&["--preset", "eddsa-sign"][..], &what].concat();
        let id = world.open(signers, &preset).await;
        let (journal, signed) = watched(&world, Step::Sign, id, signers).await;
        let signature = hex::decode(signed["signature"].as_str().unwrap()).unwrap();
        let signature: [u8; 64] = signature.try_into().unwrap();
        let stolen = Stolen::read(world.client(), id, VICTIM, 4).await;
        let computed = |loot: &journal::Loot| stolen.share_by_nonce(loot, &signature, &key);
        let moments = journal::moments(&journal);
        assert_eq!(moments.len(), 1 + 1 + Step::Sign.transactions());
        for (moment, journal) in moments.into_iter().enumerate() {
            // Here even with the unlock.
            for tried in secrets.tried.iter().chain([&secrets.right]) {
                let loot = journal::open(journal, tried);
                let is_open = loot.seeds.is_some() && *tried != secrets.right;
                if is_open || !loot.plaintexts.is_empty() || computed(&loot) == wanted {
                    found.push(format!(
                        "after write {moment} of a signature of {signers:?}"
                    ));
                }
            }
        }
        // The thief knows its trade: with what journals held once it succeeds, where there are more signers than needed.
        let mut loot = journal::open(&journal, &secrets.right);
        loot.plaintexts = stolen.dealt(&loot, &share);
        assert_eq!(computed(&loot) == wanted, signers.len() > 2, "{signers:?}");
    }
    assert!(found.is_empty(), "{found:#?}");
    world.net.stop().await.unwrap();
}
