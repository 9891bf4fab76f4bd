//! A board in process, its parties, and proxies in front of it.

use std::{net::SocketAddr, time::Duration};

use tempfile::TempDir;
use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Client, IdentityKey, LocalKey, Session, SessionId, Signer, SpecBuilder, Trust, genesis,
    wire::{
        AppState, SignedTx,
        pb::{self, query::Question},
        read::{QUERY_PATH, decode_answer, encode_query},
        tx::{Action, Post},
    },
};
use white_city_testnet::{Engine, Options, Testnet, default_app_state};
use white_city_tests::tampering::Proxy;

/// The longest that anything in these tests may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Time that a client of these tests waits for an answer.
const QUESTION: Duration = Duration::from_secs(5);

pub struct World {
    net: Testnet,
    _dir: TempDir,
}

/// Starts a board of one validator.
pub async fn world() -> World {
    world_with(|_| ()).await
}

/// As [`world`], with other parameters.
pub async fn world_with(change: impl FnOnce(&mut AppState)) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("net"));
    let mut app_state = default_app_state().unwrap();
    let params = &mut app_state.params;
    (params.heartbeat_ms, params.cap_ms) = (100, 2_000);
    // What has ended is kept for as long as it could be opened.
    params.max_open_ms = 20_000;
    change(&mut app_state);
    options.app_state = Some(app_state);
    (options.engine, options.replicas) = (Engine::Solo, 1);
    let net = Testnet::create(&options).await.unwrap();
    net.start_all().await.unwrap();
    let world = World { net, _dir: dir };
    until("the first block", async || {
        world.client(0).status().await.is_ok()
    })
    .await;
    world
}

/// The identity with this number.
pub fn key(number: u8) -> LocalKey {
    LocalKey::from_seed(&[number + 1; 32]).unwrap()
}

/// A spec over the first `n` identities.
pub fn spec(n: u8) -> SpecBuilder {
    let roster: Vec<IdentityKey> = (0..n).map(|number| key(number).identity()).collect();
    SpecBuilder::new("white-city/test", 1, roster)
        .max_rounds(8)
        .payloads(64, 64)
}

impl World {
    pub fn url(&self) -> String {
        self.net.rpc_urls()[0].clone()
    }

    pub fn trust(&self) -> Trust {
        genesis::trust(self.net.dir().join("genesis.json")).unwrap()
    }

    /// An honest proxy, which can be told otherwise.
    pub async fn proxy(&self) -> Proxy {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Proxy::start(&self.url(), anywhere, 1).await.unwrap()
    }

    /// A client of the board itself.
    pub fn client(&self, party: u8) -> Client {
        self.client_of(&[self.url()], party)
    }

    /// A client of these replicas.
    pub fn client_of(&self, urls: &[String], party: u8) -> Client {
        let urls = urls.iter().cloned();
        let builder = Client::builder(self.trust())
            .replicas(urls)
            .signer(key(party));
        builder.timeout(QUESTION).build().unwrap()
    }

    /// A client of these replicas that would wait for an answer longer than any of these tests.
    pub fn patient(&self, urls: &[String]) -> Client {
        let urls = urls.iter().cloned();
        let builder = Client::builder(self.trust()).replicas(urls).signer(key(0));
        builder.timeout(5 * PATIENCE).build().unwrap()
    }

    pub async fn open(&self, spec: SpecBuilder) -> SessionId {
        self.client(0).open(spec.build().unwrap()).await.unwrap()
    }

    /// The sessions of all `n` parties, which have joined.
    pub async fn joined(&self, id: SessionId, n: u8) -> Vec<Session> {
        let mut sessions = Vec::new();
        for party in 0..n {
            let mut session = self.client(party).session(id).await.unwrap();
            session.join().await.unwrap();
            sessions.push(session);
        }
        for session in &mut sessions {
            session.wait_ready().await.unwrap();
        }
        sessions
    }

    pub fn rpc(&self) -> HttpClient {
        let url = self.url().parse().unwrap();
        HttpClient::builder(url)
            .compat_mode(CompatMode::V0_38)
            .build()
            .unwrap()
    }

    /// The board's answer, as it is.
    pub async fn ask(&self, question: Question) -> pb::Answer {
        let query = encode_query(question);
        let path = Some(QUERY_PATH.to_owned());
        let answer = self
            .rpc()
            .abci_query(path, query, None, false)
            .await
            .unwrap();
        assert!(answer.code.is_ok(), "{}", answer.log);
        decode_answer(&answer.value[..]).unwrap()
    }

    /// Signs and sends a second post for a slot; the board takes it as evidence.
    pub async fn equivocate(&self, session: &Session, party: u8) {
        let place = (session.index(), session.n());
        let (round, transcript) = (
            session.history().open_round(),
            session.history().transcript(),
        );
        let other = Post::new(
            session.id(),
            round,
            place,
            transcript,
            b"other".to_vec(),
            vec![],
        );
        let action = Action::Post(other);
        let network = self.trust().network().id;
        let signature = key(party).sign(&action, &network).await.unwrap();
        let tx = SignedTx::new(action, signature).unwrap().encode();
        let refused = self.rpc().broadcast_tx_sync(tx).await.unwrap();
        assert_ne!(refused.code.value(), 0);
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// One round of these parties: a broadcast, and a payload for every other member.
pub async fn post(sessions: &mut [Session], round: u32) {
    for session in sessions {
        let me = session.index();
        let members: Vec<u16> = session.history().members().iter().collect();
        let others = members.into_iter().filter(|to| *to != me);
        let p2p = others
            .map(|to| (to, format!("{round} {me} {to}").into_bytes().into()))
            .collect();
        let broadcast = format!("round {round} from {me}").into_bytes();
        session.post(round, broadcast, p2p).await.unwrap();
    }
}

/// Waits until a round has closed for all of them.
pub async fn closed(sessions: &mut [Session], round: u32) {
    for session in sessions {
        session.wait_round_closed(round).await.unwrap();
    }
}
