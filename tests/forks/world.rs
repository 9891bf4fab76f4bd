//! Two boards of one genesis and one validator's key, and an adversary that carries transactions between them.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use white_city_client::{
    Bitmap, Client, Error, Hash, IdentityKey, LocalKey, Session, SessionId, Signer, Spec,
    SpecBuilder, Trust, genesis,
    wire::{
        FinishHeader, Refusal, SignedTx,
        payload::SessionSeed,
        seal::Seal,
        tx::{Action, Join, Post},
    },
};
use white_city_testnet::{Engine, Options, Testnet, default_app_state, solo::Solo};

/// Pause between looks at a board.
const LOOK: Duration = Duration::from_millis(20);

/// An identity that is the same in every run.
fn key(party: u8) -> IdentityKey {
    local(party).identity()
}

fn local(party: u8) -> LocalKey {
    LocalKey::from_seed(&[party + 1; 32]).unwrap()
}

/// Parties of a session, and its times.
pub struct Setup {
    pub n: u8,
    pub quorum: u16,
    pub corrupt: Vec<u8>,
    /// Time that a round may take, seconds.
    pub round_s: u32,
}

impl Setup {
    /// Six parties, of which the last two are corrupt, and a quorum of five: fork-safe.
    pub fn six() -> Self {
        Self {
            n: 6,
            quorum: 5,
            corrupt: vec![4, 5],
            round_s: 15,
        }
    }
}

/// One of the two boards.
pub struct Board {
    pub name: &'static str,
    trust: Trust,
    url: String,
    solo: Mutex<Option<Solo>>,
    id: SessionId,
    /// Height up to which its blocks were read, and the transactions of them that the other board hasn't taken yet.
    read: tokio::sync::Mutex<(u64, Vec<Vec<u8>>)>,
}

/// The same network twice.
pub struct Forked {
    pub a: Board,
    pub b: Board,
    pub id: SessionId,
    pub spec: Spec,
    /// Parties that sign whatever the adversary wants.
    pub corrupt: Vec<u8>,
    _dir: TempDir,
}

impl Forked {
    pub async fn start(setup: &Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut app_state = default_app_state().unwrap();
        let params = &mut app_state.params;
        (params.heartbeat_ms, params.cap_ms) = (200, 60_000);
        let options = Options {
            engine: Engine::Solo,
            replicas: 1,
            app_state: Some(app_state),
            ..Options::new(dir.path().join("net"))
        };
        let home = Testnet::create(&options).await.unwrap().home(0);
        let start = async || Solo::start_in_memory(&home, 0).await.unwrap();
        let (a, b) = (start().await, start().await);
        let roster: Vec<IdentityKey> = (0..setup.n).map(key).collect();
        let second = Duration::from_secs(1);
        let spec = SpecBuilder::new("white-city/fork", 1, roster)
            .quorum(setup.quorum)
            .corrupt(u16::try_from(setup.corrupt.len()).unwrap())
            .max_rounds(8)
            .payloads(64, 64)
            .times(30 * second, setup.round_s * second, 60 * second);
        let spec = spec.build().unwrap();
        let trust = genesis::trust(dir.path().join("net/genesis.json")).unwrap();
        let client = client(&trust, &[&a.rpc_url()], 0);
        // Before its first block a board answers nothing.
        while client.status().await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
        let id = client.open(spec.clone()).await.unwrap();
        let board = |name, solo: Solo| Board {
            name,
            trust: trust.clone(),
            url: solo.rpc_url(),
            solo: Mutex::new(Some(solo)),
            id,
            read: tokio::sync::Mutex::default(),
        };
        let forked = Self {
            a: board("a", a),
            b: board("b", b),
            id,
            spec,
            corrupt: setup.corrupt.clone(),
            _dir: dir,
        };
        forked.relay_until_open(0).await;
        forked
    }

    /// A client that knows both boards.
    pub fn client_of_both(&self, party: u8) -> Client {
        client(&self.a.trust, &[&self.a.url, &self.b.url], party)
    }

    /// A session of a party that sees what is behind the switch.
    pub async fn session_through(&self, switch: &Switch, party: u8) -> Session {
        let client = client(&self.a.trust, &[&switch.url], party);
        client.session(self.id).await.unwrap()
    }

    /// Carries what honest parties write from each board to the other, until this round is open on both.
    pub async fn relay_until_open(&self, round: u32) {
        while !(self.a.has_open(round).await && self.b.has_open(round).await) {
            self.relay().await;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// As [`Self::relay_until_open`], but on one of them may be enough: the other one's session has ended.
    pub async fn relay_until_over_or_open(&self, round: u32) {
        for board in [&self.a, &self.b] {
            while !(board.has_open(round).await || board.has_ended().await) {
                self.relay().await;
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    async fn relay(&self) {
        for (from, to) in [(&self.a, &self.b), (&self.b, &self.a)] {
            let mut read = from.read.lock().await;
            let (height, txs) = &mut *read;
            from.read_blocks(height, txs).await;
            txs.retain(|tx| !self.is_corrupt(tx));
            let mut left = Vec::new();
            for tx in txs.drain(..) {
                if !to.submit(&tx).await {
                    left.push(tx);
                }
            }
            *txs = left;
        }
    }

    fn is_corrupt(&self, tx: &[u8]) -> bool {
        let index = match SignedTx::decode(tx).unwrap().unverified_action() {
            Action::Join(join) => join.index,
            Action::Post(post) => post.header.index,
            Action::Finish(finish) => finish.index,
            _ => return false,
        };
        self.corrupt.iter().any(|party| u16::from(*party) == index)
    }

    /// A corrupt party's join, which is the same on both boards.
    pub async fn join(&self, party: u8) -> Vec<u8> {
        let seed = SessionSeed::new([party; 32]);
        let public = seed.encryption_key(self.spec.kem, &self.id, party.into());
        let join = Join {
            session: self.id,
            index: party.into(),
            key: public.unwrap(),
        };
        self.signed(party, Action::Join(join)).await
    }

    /// A corrupt party's post.
    pub async fn post(&self, party: u8, round: u32, transcript: Hash, word: &str) -> Vec<u8> {
        let place = (u16::from(party), self.spec.parties());
        let post = Post::new(self.id, round, place, transcript, word.into(), Vec::new());
        self.signed(party, Action::Post(post)).await
    }

    /// A corrupt party's finish, with the outcome that honest parties would have in this history.
    pub async fn finish(&self, party: u8, round: u32, transcript: Hash) -> Vec<u8> {
        let finish = FinishHeader {
            session: self.id,
            round,
            index: party.into(),
            transcript,
            outcome: transcript,
        };
        self.signed(party, Action::Finish(finish)).await
    }

    /// Anything under a party's signature.
    pub async fn signed(&self, party: u8, action: Action) -> Vec<u8> {
        let network = &self.a.trust.network().id;
        let signature = local(party).sign(&action, network).await.unwrap();
        SignedTx::new(action, signature).unwrap().encode()
    }

    pub async fn stop(self) {
        self.a.stop().await;
        self.b.stop().await;
    }
}

/// Stands between a party and the boards, and shows it one of them.
pub struct Switch {
    url: String,
    target: Arc<Mutex<(u64, String)>>,
}

impl Switch {
    pub async fn start(board: &Board) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = Arc::new(Mutex::new((0, board.address())));
        let shared = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (turn, address) = shared.lock().unwrap().clone();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(address).await else {
                        return;
                    };
                    let turned = async {
                        while shared.lock().unwrap().0 == turn {
                            tokio::time::sleep(LOOK).await;
                        }
                    };
                    // A connection to the board that isn't shown any more ends.
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        () = turned => {}
                    }
                });
            }
        });
        Self { url, target }
    }

    pub fn turn_to(&self, board: &Board) {
        let mut target = self.target.lock().unwrap();
        *target = (target.0 + 1, board.address());
    }
}

fn client(trust: &Trust, urls: &[&str], party: u8) -> Client {
    Client::builder(trust.clone())
        .replicas(urls.iter().copied())
        .signer(local(party))
        .build()
        .unwrap()
}

impl Board {
    /// Sessions of honest parties that know this board only.
    pub async fn sessions(&self, parties: &[u8]) -> Vec<Session> {
        let mut sessions = Vec::new();
        for party in parties {
            let client = client(&self.trust, &[&self.url], *party);
            sessions.push(client.session(self.id).await.unwrap());
        }
        sessions
    }

    /// A session with a journal, of a party that knows this board only.
    pub async fn resumed(&self, party: u8, journal: &Path) -> Result<Session, Error> {
        let client = client(&self.trust, &[&self.url], party);
        client.resume(self.id, journal).await
    }

    pub async fn transcript(&self, id: SessionId) -> Hash {
        let state = client(&self.trust, &[&self.url], 0).state(id).await;
        state.unwrap().leaf.transcript
    }

    pub async fn filled(&self, id: SessionId) -> Bitmap {
        let state = client(&self.trust, &[&self.url], 0).state(id).await;
        state.unwrap().filled()
    }

    fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    async fn has_open(&self, round: u32) -> bool {
        match client(&self.trust, &[&self.url], 0).state(self.id).await {
            Ok(state) => state.leaf.open_round >= round,
            Err(Error::UnknownSession(_) | Error::Unreachable(_) | Error::Behind { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn has_ended(&self) -> bool {
        let state = client(&self.trust, &[&self.url], 0).state(self.id).await;
        !state.unwrap().leaf.status.is_live()
    }

    /// Transactions in the blocks after `height`, without the seals.
    async fn read_blocks(&self, height: &mut u64, txs: &mut Vec<Vec<u8>>) {
        loop {
            let next = json!({ "height": (*height + 1).to_string() });
            let block = self.call("block", next).await;
            let Some(items) = block["result"]["block"]["data"]["txs"].as_array() else {
                return;
            };
            *height += 1;
            let items = items.iter().map(|item| item.as_str().unwrap());
            let items = items.map(|item| STANDARD.decode(item).unwrap());
            txs.extend(items.filter(|tx| !Seal::is_seal(tx)));
        }
    }

    /// Whether it took the transaction, or has it already.
    pub async fn submit(&self, tx: &[u8]) -> bool {
        let tx = json!({ "tx": STANDARD.encode(tx) });
        let answer = self.call("broadcast_tx_sync", tx).await;
        let code = answer["result"]["code"].as_u64().unwrap_or(1);
        code == 0 || Refusal::is_stored(u32::try_from(code).unwrap())
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = reqwest::Client::new()
            .post(&self.url)
            .body(body.to_string())
            .send();
        serde_json::from_slice(&answer.await.unwrap().bytes().await.unwrap()).unwrap()
    }

    pub async fn stop(&self) {
        let solo = self.solo.lock().unwrap().take();
        if let Some(solo) = solo {
            solo.stop().await.unwrap();
        }
    }
}
