//! Charters on a running board: every replica is replaced, one a term, while sessions run.

use std::{fs, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use prost::Message as _;
use serde_json::Value;
use tendermint_rpc::Client as _;
use tokio::{task::JoinSet, time::Instant};
use white_city_client::{
    Client, Hash, Receipt, genesis,
    read::SessionRef,
    wire::{
        Charter, NetworkId, Signature, SignedTx,
        approve::{Approve, Word},
        limits::WIRE_VERSION,
        pb::{self, answer::Body, query::Question},
        read::encode_query,
        signing::{Purpose, signed_bytes},
        tx::{Action, bytes_to_sign, charter_from_pb},
    },
};
use white_city_state_machine::new_operators;

use crate::world::{Key, PATIENCE, Setup, World, keys, party, world};

/// The key of a file of the launcher's, or of CometBFT's.
fn private_key(file: &Path) -> SigningKey {
    let text: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let pair = STANDARD.decode(text["priv_key"]["value"].as_str().unwrap());
    SigningKey::from_bytes(&pair.unwrap()[..32].try_into().unwrap())
}

/// What the operators have to say, and the replicas that they say it to.
struct Board<'a> {
    world: &'a World,
    network: NetworkId,
}

impl<'a> Board<'a> {
    fn new(world: &'a World) -> Self {
        let trust = genesis::trust(world.net.dir().join("genesis.json")).unwrap();
        Self {
            world,
            network: trust.network().id,
        }
    }

    fn operator(&self, replica: usize) -> SigningKey {
        let file = format!("operators/replica{replica}.json");
        private_key(&self.world.net.dir().join(file))
    }

    fn validator(&self, replica: usize) -> Hash {
        let file = self
            .world
            .net
            .home(replica)
            .join("config/priv_validator_key.json");
        Hash(private_key(&file).verifying_key().to_bytes())
    }

    /// The charter in force, and the operators' words, as one replica says.
    async fn said(&self, replica: usize) -> (Charter, Vec<pb::Proposal>) {
        let url = self.world.net.rpc_urls()[replica].as_str();
        let rpc = tendermint_rpc::HttpClient::new(url).unwrap();
        let query = encode_query(Question::Charter(pb::CharterQuery {}));
        let answer = rpc.abci_query(Some("/v1".into()), query, None, false).await;
        let answer = pb::Answer::decode(answer.unwrap().value.as_slice()).unwrap();
        assert_eq!(answer.version, WIRE_VERSION);
        let Some(Body::Charter(said)) = answer.body else {
            panic!("another answer");
        };
        (
            charter_from_pb(&said.charter.unwrap()).unwrap(),
            said.proposals,
        )
    }

    /// A charter that may follow the one in force, with a change.
    async fn next(&self, change: impl FnOnce(&mut Charter)) -> Charter {
        let (mut charter, _) = self.said(0).await;
        charter.previous = charter.hash();
        charter.term += 1;
        charter.until_ms = u64::MAX;
        change(&mut charter);
        charter.sort();
        charter
    }

    /// The approval of a charter by the operator of a replica that the charter in force has.
    async fn approval(&self, present: &Charter, by: usize, charter: &Charter) -> SignedTx {
        let key = self.operator(by);
        let mine = Hash(key.verifying_key().to_bytes());
        let position = present.replicas.iter().position(|r| r.operator == mine);
        let operator = u16::try_from(position.unwrap()).unwrap();
        let message = signed_bytes(Purpose::Operate, &self.network, &charter.hash());
        let all: Vec<SigningKey> = (0..self.world.net.replicas())
            .map(|k| self.operator(k))
            .collect();
        let newcomers = new_operators(present, charter).map(|new| {
            let mut all = all.iter();
            let key = all.find(|key| key.verifying_key().to_bytes() == new.0);
            Signature(key.unwrap().sign(&message).to_bytes())
        });
        let (_, words) = self.said(0).await;
        let said = words
            .iter()
            .find(|word| word.operator == u32::from(operator));
        let action = Action::Approve(Approve {
            term: present.term,
            operator,
            sequence: said.map_or(0, |word| word.sequence) + 1,
            word: Word::Charter {
                newcomers: newcomers.collect(),
                charter: Box::new(charter.clone()),
            },
        });
        let bytes = bytes_to_sign(&action, &self.network).unwrap();
        SignedTx::new(action, Signature(key.sign(&bytes).to_bytes())).unwrap()
    }

    /// Hands a transaction to a replica; gives the code of its refusal, 0 for none.
    async fn submit(&self, replica: usize, tx: &SignedTx) -> u32 {
        let url = self.world.net.rpc_urls()[replica].as_str();
        let rpc = tendermint_rpc::HttpClient::new(url).unwrap();
        let answer = rpc.broadcast_tx_sync(tx.encode()).await.unwrap();
        answer.code.value()
    }

    /// Has these approve a charter, as soon as they may, and waits until it is in force everywhere.
    async fn enact(&self, by: &[usize], charter: &Charter) {
        let (present, _) = self.said(0).await;
        for operator in by {
            let until = Instant::now() + PATIENCE;
            loop {
                let tx = self.approval(&present, *operator, charter).await;
                match self.submit(0, &tx).await {
                    0 | 64 => break,
                    // A newcomer has to be seen to vote first.
                    165 => assert!(Instant::now() < until, "never acceptable"),
                    code => panic!("refused: {code}"),
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let until = Instant::now() + PATIENCE;
        for replica in 0..self.world.net.replicas() {
            while self.said(replica).await.0.term < charter.term {
                assert!(Instant::now() < until, "never enacted by {replica}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Sessions of three parties, one after the other, until it is told that it is enough.
async fn sessions(world: &World, enough: &std::sync::atomic::AtomicBool) -> usize {
    let keys = keys(3);
    let mut count = 0;
    while !enough.load(std::sync::atomic::Ordering::SeqCst) {
        let id = world.open(&keys, |spec| spec).await;
        let mut running = JoinSet::new();
        for key in &keys {
            running.spawn(party(world.session(key, id).await, 2));
        }
        let ends = running.join_all().await;
        assert!(
            ends.iter().all(|end| end.is_ok() && *end == ends[0]),
            "{ends:?}"
        );
        count += 1;
    }
    count
}

/// A session that has ended, with its receipt.
async fn ceremony(world: &World, keys: &[Key]) -> Receipt {
    let id = world.open(keys, |spec| spec).await;
    let mut running = JoinSet::new();
    for key in keys {
        running.spawn(party(world.session(key, id).await, 1));
    }
    assert!(running.join_all().await.iter().all(Result::is_ok));
    let watcher = world.client(&keys[0]).observe(id).await.unwrap();
    watcher.ceremony_receipt().await.unwrap()
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
    // Who sleeps through all of it, and what was proven before.
    let sleeper: Client = world.client(&three[0]);
    let before = sleeper.status().await.unwrap().height();
    let receipt = ceremony(&world, &three).await;
    let enough = std::sync::atomic::AtomicBool::new(false);
    let replaced = async {
        for old in 0..4 {
            let (gone, new) = (board.validator(old), board.validator(old + 4));
            let operator = board.operator(old + 4).verifying_key().to_bytes();
            let charter = board
                .next(|charter| {
                    let place = charter.replicas.iter_mut().find(|r| r.validator == gone);
                    let replica = place.unwrap();
                    (replica.validator, replica.operator) = (new, Hash(operator));
                })
                .await;
            // Those whose replicas stay, and whose came.
            let by: Vec<usize> = (0..4).map(|k| if k < old { k + 4 } else { k }).collect();
            board.enact(&by[1..], &charter).await;
        }
        enough.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (count, ()) = tokio::join!(sessions(&world, &enough), replaced);
    assert!(count > 0, "no session ran");
    println!("{count} sessions, one after the other, while four replicas were replaced");
    // Only newcomers vote any more.
    for old in 0..4 {
        world.net.kill(old).await.unwrap();
    }
    let (charter, _) = board.said(4).await;
    assert_eq!(charter.term, 4);
    let newcomers: Vec<String> = world.net.rpc_urls()[4..].to_vec();
    let late = world.client_of(newcomers.iter().cloned(), &three[1]);
    assert!(late.status().await.unwrap().height() > before);
    assert_eq!(late.trust().newest_era(), 4);
    // Whoever slept walks the links by itself, and an old receipt is what it was.
    assert!(sleeper.status().await.unwrap().height() > before);
    assert_eq!(sleeper.trust().newest_era(), 4);
    let genesis = genesis::trust(world.net.dir().join("genesis.json")).unwrap();
    receipt.verify(&genesis).unwrap();
    receipt.verify(late.trust()).unwrap();
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
    // And sessions go on among the newcomers.
    let roster = keys(3);
    let opener = world.client_of(newcomers.iter().cloned(), &roster[0]);
    let id = world.open_by(&opener, &roster, |spec| spec).await;
    let mut running = JoinSet::new();
    for key in &roster {
        let client = world.client_of(newcomers.iter().cloned(), key);
        running.spawn(party(client.session(id).await.unwrap(), 2));
    }
    assert!(running.join_all().await.iter().all(Result::is_ok));
    world.stop().await;
}
