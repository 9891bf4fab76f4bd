//! One board in process, whose keys are known, and a receipt of each kind that was made over it.

mod disputes;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use tendermint_rpc::Client as _;
use white_city_client::{
    Client, Error, Hash, IdentityKey, LocalKey, Receipt, Session, SessionId, Signer as _,
    SpecBuilder, Trust,
    read::ReadLeaf,
    receipt::BadReceipt,
    wire::charter::Replica,
    wire::{
        Entry, SignedEntry,
        board::Status,
        signing::signed_bytes,
        tx::{Action, Post},
    },
};
use white_city_testnet::{default_app_state, solo::Solo};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(180);
const VALIDATOR_SEED: [u8; 32] = [77; 32];

/// A genesis, and every receipt that was made, by name.
pub struct Made {
    pub genesis: String,
    pub receipts: BTreeMap<&'static str, Vec<u8>>,
}

/// Makes them once; the board is gone when this returns.
pub fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        // A runtime of its own: tests that need none share this.
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(make())
        });
        thread.join().unwrap()
    })
}

impl Made {
    pub fn trust(&self) -> Trust {
        Trust::genesis_json(self.genesis.as_bytes()).unwrap()
    }

    pub fn receipt(&self, name: &str) -> Receipt {
        Receipt::from_bytes(&self.receipts[name]).unwrap()
    }
}

/// The key with which the board's one validator signs.
pub fn validator() -> SigningKey {
    SigningKey::from_bytes(&VALIDATOR_SEED)
}

/// The key of a party.
pub fn party(index: u16) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(index).unwrap() + 1; 32])
}

fn local(index: u16) -> LocalKey {
    LocalKey::from_seed(&[u8::try_from(index).unwrap() + 1; 32]).unwrap()
}

fn genesis() -> String {
    let mut app_state = default_app_state().unwrap();
    let params = &mut app_state.params;
    (params.random, params.heartbeat_ms, params.cap_ms) = (Hash([9; 32]), 100, 60_000);
    // What has ended is kept for as long as it could be opened.
    params.max_open_ms = 20_000;
    app_state.charter.replicas = vec![Replica {
        validator: Hash(validator().verifying_key().to_bytes()),
        operator: Hash(*local(99).identity().as_bytes()),
    }];
    json!({
        "genesis_time": "2026-01-01T00:00:00Z",
        "chain_id": "white-city-receipts",
        "initial_height": "1",
        "consensus_params": {
            "block": { "max_bytes": "20971520", "max_gas": "-1" },
            "evidence": { "max_age_num_blocks": "1", "max_age_duration": "1", "max_bytes": "1048576" },
            "validator": { "pub_key_types": ["ed25519"] },
        },
        "validators": [{ "address": "", "name": "", "power": "10", "pub_key": {
            "type": "tendermint/PubKeyEd25519",
            "value": STANDARD.encode(validator().verifying_key().as_bytes()),
        } }],
        "app_hash": "",
        "app_state": app_state,
    })
    .to_string()
}

/// A home with this genesis and the validator's key.
fn write_home(home: &Path) {
    let config = home.join("config");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("genesis.json"), genesis()).unwrap();
    let secret = STANDARD.encode(VALIDATOR_SEED);
    let key = json!({ "priv_key": { "type": "tendermint/PrivKeyEd25519", "value": secret } });
    std::fs::write(config.join("priv_validator_key.json"), key.to_string()).unwrap();
}

struct World {
    solo: Solo,
}

impl World {
    fn client(&self, index: u16) -> Client {
        let trust = Trust::genesis_json(genesis().as_bytes()).unwrap();
        Client::builder(trust)
            .replicas([self.solo.rpc_url()])
            .signer(local(index))
            .build()
            .unwrap()
    }

    async fn open(&self, quorum: u16, retention: Duration) -> SessionId {
        let roster: Vec<IdentityKey> = (0..3).map(|index| local(index).identity()).collect();
        let (joining, round) = (Duration::from_secs(30), Duration::from_secs(10));
        let spec = SpecBuilder::new("white-city/receipts", 1, roster)
            .quorum(quorum)
            .corrupt(0)
            .max_rounds(2)
            .payloads(64, 64)
            .times(joining, round, round)
            .retention(retention)
            .build()
            .unwrap();
        self.client(0).open(spec).await.unwrap()
    }

    async fn sessions(&self, id: SessionId) -> [Session; 3] {
        [
            self.client(0).session(id).await.unwrap(),
            self.client(1).session(id).await.unwrap(),
            self.client(2).session(id).await.unwrap(),
        ]
    }
}

async fn make() -> Made {
    let dir = tempfile::tempdir().unwrap();
    write_home(dir.path());
    let world = World {
        solo: Solo::start_in_memory(dir.path(), 0).await.unwrap(),
    };
    // Before its first block the board answers nothing.
    let start = Instant::now();
    while world.client(0).status().await.is_err() {
        assert!(start.elapsed() < PATIENCE, "no block is made");
        tokio::task::yield_now().await;
    }
    let (finished, mut receipts) = finished(&world).await;
    receipts.extend(aborted(&world).await);
    receipts.extend(late(&world).await);
    receipts.extend(declined(&world).await);
    receipts.extend(disputes::disputed(&world).await);
    // Time passes meanwhile until it is erased.
    renew_erased(&world, &finished, &mut receipts).await;
    receipts.insert("fork of headers", fork(dir.path()).await.to_bytes());
    world.solo.stop().await.unwrap();
    Made {
        genesis: genesis(),
        receipts,
    }
}

type Receipts = BTreeMap<&'static str, Vec<u8>>;

/// Three join, one is absent from round 1 on, the two others finish in round 2, and one of them had signed two entries.
async fn finished(world: &World) -> (Session, Receipts) {
    let id = world.open(2, Duration::from_secs(40)).await;
    let [mut a, mut b, mut c] = world.sessions(id).await;
    for session in [&mut a, &mut b, &mut c] {
        session.join().await.unwrap();
    }
    let mut receipts = Receipts::new();
    let mut keep = |name, receipt: Result<Receipt, Error>| {
        receipts.insert(name, receipt.unwrap().to_bytes());
    };
    for session in [&mut a, &mut b, &mut c] {
        session.wait_ready().await.unwrap();
    }
    a.post(1, b"hello".to_vec(), vec![(1, b"for one".to_vec().into())])
        .await
        .unwrap();
    keep("submission of an open round", a.submission_receipt(1).await);
    b.post(1, Vec::new(), Vec::new()).await.unwrap();
    a.inbox(1).await.unwrap();
    b.inbox(1).await.unwrap();
    keep("submission", a.submission_receipt(1).await);
    a.finish(Hash([5; 32])).await.unwrap();
    b.finish(Hash([5; 32])).await.unwrap();
    a.wait_end().await.unwrap();
    // Evidence is taken after the end, too.
    equivocate(world, &a).await;
    keep("ceremony", a.ceremony_receipt().await);
    keep("end", a.end_receipt().await);
    keep("submission of a join", a.submission_receipt(0).await);
    keep(
        "submission of a finish",
        a.submission_receipt_of(2, 0).await,
    );
    keep("absence", a.absence_receipt(1, 2).await);
    keep("equivocation", a.equivocation_receipt(1).await);
    assert!(a.absence_receipt(1, 0).await.is_err(), "its slot is filled");
    (a, receipts)
}

/// Once the session that has finished is erased, what was made before can be renewed.
async fn renew_erased(world: &World, a: &Session, receipts: &mut Receipts) {
    let client = world.client(0);
    let start = Instant::now();
    let leaf = ReadLeaf(a.id().into());
    while client.read(&leaf, 0).await.unwrap().leaf.status != Status::Erased {
        assert!(start.elapsed() < PATIENCE, "never erased");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(a.ceremony_receipt().await.unwrap_err(), Error::Erased);
    let renewed = [
        ("ceremony", "renewed ceremony"),
        ("end", "renewed end"),
        ("absence", "renewed absence"),
        ("submission", "renewed submission"),
    ];
    for (name, renewed) in renewed {
        let receipt = Receipt::from_bytes(&receipts[name]).unwrap();
        let receipt = client.renew(receipt).await.unwrap();
        receipts.insert(renewed, receipt.to_bytes());
    }
    let open = Receipt::from_bytes(&receipts["submission of an open round"]).unwrap();
    assert!(matches!(client.renew(open).await, Err(Error::Receipt(_))));
}

/// A second post of party 1 for round 1, which the board takes as evidence.
async fn equivocate(world: &World, session: &Session) {
    let history = session.history();
    let network = world.client(0).network().id;
    let first = history.round(1).unwrap().entries[1].clone();
    let before = history.transcript_before(1).unwrap();
    let second = Post::new(
        session.id(),
        1,
        (1, 3),
        before,
        b"other".to_vec(),
        Vec::new(),
    );
    let entry = Entry::Post(second.header);
    let bytes = signed_bytes(entry.purpose(), &network, &entry.digest());
    let second = SignedEntry {
        signature: white_city_client::Signature(party(1).sign(&bytes).to_bytes()),
        entry,
    };
    let mut pair = [first, second];
    pair.sort_by_key(|signed| signed.entry.digest());
    let none = white_city_client::Signature([0; 64]);
    let tx = white_city_client::wire::SignedTx::new(Action::Evidence(pair), none).unwrap();
    let rpc = tendermint_rpc::HttpClient::new(world.solo.rpc_url().as_str()).unwrap();
    let reply = rpc.broadcast_tx_sync(tx.encode()).await.unwrap();
    assert!(reply.code.is_ok(), "{}", reply.log);
    let start = Instant::now();
    while world
        .client(0)
        .evidence(session.id())
        .await
        .unwrap()
        .culprits
        .is_empty()
    {
        assert!(start.elapsed() < PATIENCE, "the evidence isn't taken");
        tokio::task::yield_now().await;
    }
}

/// All are needed; one leaves by name in round 1.
async fn aborted(world: &World) -> Receipts {
    let id = world.open(3, Duration::from_secs(600)).await;
    let [mut a, mut b, mut c] = world.sessions(id).await;
    for session in [&mut a, &mut b, &mut c] {
        session.join().await.unwrap();
    }
    c.wait_ready().await.unwrap();
    a.wait_ready().await.unwrap();
    c.abort(7, Some(1), Hash([3; 32])).await.unwrap();
    a.wait_end().await.unwrap();
    let early = a.absence_receipt(1, 1).await;
    assert!(
        matches!(early, Err(Error::Receipt(BadReceipt::NotLate(_)))),
        "it had ten minutes"
    );
    BTreeMap::from([
        (
            "ceremony of an abort",
            a.ceremony_receipt().await.unwrap().to_bytes(),
        ),
        ("end by abort", a.end_receipt().await.unwrap().to_bytes()),
    ])
}

/// Two are needed, and two are late in round 1.
async fn late(world: &World) -> Receipts {
    let id = world.open(2, Duration::from_secs(30)).await;
    let [mut a, mut b, mut c] = world.sessions(id).await;
    for session in [&mut a, &mut b, &mut c] {
        session.join().await.unwrap();
    }
    a.wait_ready().await.unwrap();
    a.post(1, Vec::new(), Vec::new()).await.unwrap();
    a.wait_end().await.unwrap();
    let filled = a.absence_receipt(1, 0).await;
    assert!(filled.is_err(), "its slot is filled");
    let absence = a.absence_receipt(1, 1).await.unwrap();
    BTreeMap::from([("absence at the end", absence.to_bytes())])
}

/// One declines while joining, so that it never runs.
async fn declined(world: &World) -> Receipts {
    let id = world.open(3, Duration::from_secs(600)).await;
    let [mut a, b, mut c] = world.sessions(id).await;
    a.join().await.unwrap();
    drop(b);
    c.decline(1).await.unwrap();
    a.wait_end().await.unwrap();
    let ceremony = a.ceremony_receipt().await.unwrap();
    BTreeMap::from([("ceremony that never ran", ceremony.to_bytes())])
}

/// Two boards of one genesis make different blocks of one height.
async fn fork(home: &Path) -> Receipt {
    let boards = [
        Solo::start_in_memory(home, 0).await.unwrap(),
        Solo::start_in_memory(home, 0).await.unwrap(),
    ];
    let trust = Trust::genesis_json(genesis().as_bytes()).unwrap();
    let client = Client::builder(trust.clone())
        .replicas(boards.iter().map(Solo::rpc_url))
        .build()
        .unwrap();
    let start = Instant::now();
    let fork = loop {
        assert!(start.elapsed() < PATIENCE, "no fork was noticed");
        match client.status().await {
            Err(Error::Fork(fork)) => break fork,
            _ => tokio::task::yield_now().await,
        }
    };
    for board in boards {
        board.stop().await.unwrap();
    }
    fork.receipt(&trust).unwrap()
}
