//! Charters on a running board: every replica is replaced, one a term, while sessions run.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};
use white_city_client::{
    Client, Error, Hash, LocalKey, Receipt, Said, Signature, Signer as _, genesis,
    read::SessionRef, trust_file, wire::Charter,
};

use crate::world::{Key, PATIENCE, Setup, World, all_ends, keys, party, world};

/// What the operators have to say, and the replicas that they say it to.
pub struct Board<'a> {
    world: &'a World,
    pub reader: Client,
}

impl<'a> Board<'a> {
    pub fn new(world: &'a World) -> Self {
        let reader = world.client(&keys(1)[0]);
        Self { world, reader }
    }

    pub fn operator(&self, replica: usize) -> LocalKey {
        LocalKey::load(&self.world.net.operator_key(replica), None).unwrap()
    }

    pub fn validator(&self, replica: usize) -> Hash {
        let home = self.world.net.home(replica);
        let text = std::fs::read(home.join("config/priv_validator_key.json")).unwrap();
        let text: Value = serde_json::from_slice(&text).unwrap();
        let key = STANDARD.decode(text["pub_key"]["value"].as_str().unwrap());
        Hash(key.unwrap().try_into().unwrap())
    }

    /// A charter that may follow the one in force, with a change.
    pub async fn next(&self, change: impl FnOnce(&mut Charter)) -> Charter {
        let mut charter = self.reader.charter().await.unwrap().into_value().charter;
        charter.previous = charter.hash();
        charter.term += 1;
        charter.until_ms = u64::MAX;
        change(&mut charter);
        charter.sort();
        charter
    }

    async fn is_in_force(&self, charter: &Charter) -> bool {
        let present = self.reader.charter().await.unwrap().into_value();
        present.charter == *charter
    }

    /// Has these approve a charter, as soon as they may, and waits until it is in force everywhere.
    pub async fn enact(&self, by: &[usize], newcomers: &[LocalKey], charter: &Charter) {
        let all: Vec<usize> = (0..self.world.net.replicas()).collect();
        self.enact_at(&all, by, newcomers, charter).await;
    }

    /// The same, where only these replicas run.
    pub async fn enact_at(
        &self,
        running: &[usize],
        by: &[usize],
        newcomers: &[LocalKey],
        charter: &Charter,
    ) {
        self.approve(by, newcomers, charter).await;
        let until = Instant::now() + PATIENCE;
        for replica in running {
            let url = &self.world.net.rpc_urls()[*replica];
            let replica = self.world.client_of([url.clone()], &keys(1)[0]);
            // A newcomer's has no state until it has restored one.
            let is_enacted = async || {
                let now = replica.charter().await;
                now.is_ok_and(|now| now.charter.term >= charter.term)
            };
            while !is_enacted().await {
                assert!(Instant::now() < until, "never enacted by {url}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Has these approve a charter, as soon as they may.
    pub async fn approve(&self, by: &[usize], newcomers: &[LocalKey], charter: &Charter) {
        let network = self.reader.network().id;
        let present = self.reader.charter().await.unwrap().into_value().charter;
        let new = charter.operators_new_to(&present);
        let key = |operator: &Hash| newcomers.iter().find(|key| key_of(key) == *operator);
        let accepted = new.map(|operator| key(operator).unwrap().accepts(charter, &network));
        let accepted: Vec<Signature> = accepted.collect();
        let until = Instant::now() + PATIENCE;
        for operator in by {
            let client = self.reader.with_signer(self.operator(*operator));
            loop {
                match client.approve(charter.clone(), accepted.clone()).await {
                    Ok(_) => break,
                    // A newcomer has to be seen to vote first.
                    Err(Error::Refused { code: 165, .. }) => {}
                    // What was said before may have been enacted meanwhile.
                    Err(Error::Usage { .. }) if self.is_in_force(charter).await => break,
                    // Replicas may be busy: to say it again changes nothing.
                    Err(Error::Unreachable(_) | Error::Behind { .. }) => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    Err(other) => panic!("refused: {other}"),
                }
                assert!(Instant::now() < until, "never approved by {operator}");
            }
        }
    }
}

/// The public key of an operator.
pub fn key_of(operator: &LocalKey) -> Hash {
    Hash(*operator.identity().as_bytes())
}

/// Sessions of three parties, one after the other, until it is told that it is enough.
pub async fn sessions(world: &World, enough: &std::sync::atomic::AtomicBool) -> usize {
    let keys = keys(3);
    let mut count = 0;
    while !enough.load(std::sync::atomic::Ordering::SeqCst) {
        let id = world.open(&keys, |spec| spec).await;
        let ends = all_ends(world, &keys, id, 2).await;
        assert!(
            ends.iter().all(|end| end.is_ok() && *end == ends[0]),
            "{ends:?}"
        );
        count += 1;
    }
    count
}

/// A session that has ended, with its receipt.
pub async fn ceremony(world: &World, keys: &[Key]) -> Receipt {
    let id = world.open(keys, |spec| spec).await;
    let ends = all_ends(world, keys, id, 1).await;
    assert!(ends.iter().all(Result::is_ok));
    let watcher = world.client(&keys[0]).observe(id).await.unwrap();
    watcher.ceremony_receipt().await.unwrap()
}

/// Two machines with one operator's key, one of which was set up from a backup, know nothing of each other: of what they say at once one
/// stands, and nothing that stands is replaced in passing.
async fn one_word_of_two_machines_stands(board: &Board<'_>) {
    let machine = || {
        let client = board.world.client(&keys(1)[0]);
        client.with_signer(board.operator(0))
    };
    let one = board.next(|charter| charter.anyone_max_live = 1).await;
    let other = board.next(|charter| charter.anyone_max_live = 2).await;
    let (first, second) = (machine(), machine());
    let said = tokio::join!(
        first.approve(one.clone(), vec![]),
        second.approve(other.clone(), vec![])
    );
    let (standing, refused) = match said {
        (Ok(Said::Stands), Err(refused)) => (one.hash(), refused),
        (Err(refused), Ok(Said::Stands)) => (other.hash(), refused),
        both => panic!("{both:?}"),
    };
    assert_eq!(refused, Error::OtherCharter { standing });
    let third = board.next(|charter| charter.anyone_max_live = 3).await;
    let refused = machine().approve(third, vec![]).await.unwrap_err();
    assert_eq!(refused, Error::OtherCharter { standing });
    let words = machine().charter().await.unwrap().into_value().words;
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!((words[0].sequence, words[0].charter_hash), (1, standing));
}

async fn a_word_is_taken_back(board: &Board<'_>) {
    let first = board.reader.with_signer(board.operator(0));
    assert_eq!(first.withdraw().await, Ok(Said::Stands));
    let words = first.charter().await.unwrap().into_value().words;
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!((words[0].sequence, words[0].charter_hash), (2, Hash::ZERO));
}

/// A session among the replicas at these addresses.
pub async fn ends_well(world: &World, urls: &[String]) {
    let roster = keys(3);
    let client = |key: &Key| world.client_of(urls.iter().cloned(), key);
    let id = world
        .open_by(&client(&roster[0]), &roster, |spec| spec)
        .await;
    let mut running = JoinSet::new();
    for key in &roster {
        running.spawn(party(client(key).session(id).await.unwrap(), 2));
    }
    assert!(running.join_all().await.iter().all(Result::is_ok));
}

/// Replaces the first four replicas by the next four, one a term.
async fn replace_all(board: &Board<'_>) {
    for old in 0..4 {
        let (gone, new) = (board.validator(old), board.validator(old + 4));
        let newcomer = board.operator(old + 4);
        let charter = board
            .next(|charter| {
                let place = charter.replicas.iter_mut().find(|r| r.validator == gone);
                let replica = place.unwrap();
                (replica.validator, replica.operator) = (new, key_of(&newcomer));
            })
            .await;
        // Those whose replicas stay, and whose came.
        let by: Vec<usize> = (0..4).map(|k| if k < old { k + 4 } else { k }).collect();
        board.enact(&by[1..], &[newcomer], &charter).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_replica_is_replaced_one_a_term_while_sessions_run() {
    let Some(world) = world(Setup {
        heartbeat_ms: Some(1_000),
        spares: 4,
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let board = Board::new(&world);
    let three = keys(3);
    one_word_of_two_machines_stands(&board).await;
    a_word_is_taken_back(&board).await;
    // Who sleeps through all of it, and what was proven before.
    let sleeper: Client = world.client(&three[0]);
    let before = sleeper.status().await.unwrap().height();
    let receipt = ceremony(&world, &three).await;
    let kept = world.net.dir().join("sleeper.trust");
    assert_eq!(sleeper.keep_trust(&kept).unwrap().trust().newest_era(), 0);
    let enough = std::sync::atomic::AtomicBool::new(false);
    let replaced = async {
        replace_all(&board).await;
        enough.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (count, ()) = tokio::join!(sessions(&world, &enough), replaced);
    assert!(count > 0, "no session ran");
    println!("{count} sessions, one after the other, while four replicas were replaced");
    // Only newcomers vote any more.
    for old in 0..4 {
        world.net.kill(old).await.unwrap();
    }
    let newcomers: Vec<String> = world.net.rpc_urls()[4..].to_vec();
    let late = world.client_of(newcomers.iter().cloned(), &three[1]);
    assert!(late.status().await.unwrap().height() > before);
    assert_eq!(late.charter().await.unwrap().charter.term, 4);
    assert_eq!(late.trust().newest_era(), 4);
    // Whoever slept walks the links by itself, and an old receipt is what it was.
    assert!(sleeper.status().await.unwrap().height() > before);
    assert_eq!(sleeper.trust().newest_era(), 4);
    let genesis = genesis::trust(world.net.dir().join("genesis.json")).unwrap();
    receipt.verify(&genesis).unwrap();
    let old = receipt.verify(late.trust()).unwrap();
    assert!(!old.is_unrenewed(old.certified[0].era) && old.is_unrenewed(4));
    // What it had kept goes forward, and whoever begins with that knows today's validators without asking for any link.
    let file = trust_file::read(&kept).unwrap();
    let awake = Client::from_trust_file(&file).replicas(newcomers.iter().cloned());
    let awake = awake.build().unwrap();
    assert!(awake.status().await.unwrap().height() > before);
    assert_eq!(awake.keep_trust(&kept).unwrap().trust().newest_era(), 4);
    assert_eq!(trust_file::read(&kept).unwrap().trust().confirmed_era(), 4);
    let id = receipt.anchored_session().unwrap();
    assert!(
        late.summary(SessionRef::Id(id))
            .await
            .unwrap()
            .terminal
            .is_some()
    );
    let renewed = late.renew(receipt).await.unwrap();
    let proven = renewed.verify(&genesis).unwrap();
    assert_eq!(proven.certified[0].era, 4, "the links come with it");
    assert_eq!(
        (proven.certified[0].term, proven.is_unrenewed(4)),
        (Some(4), false)
    );
    // And sessions go on among the newcomers.
    ends_well(&world, &newcomers).await;
    world.stop().await;
}
