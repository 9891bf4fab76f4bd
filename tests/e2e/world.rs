//! A network of four replicas, and parties that run a simple protocol over it.

use std::time::Duration;

use tempfile::TempDir;
use tokio::{
    sync::{Mutex, MutexGuard},
    task::JoinSet,
};
use white_city_client::{
    Client, End, Error, Hash, IdentityKey, LocalKey, Session, SessionId, Signer, SpecBuilder,
    Trust, genesis,
    wire::{charter::OpenerQuota, hash::sha256, protocol::Known},
};
use white_city_testnet::{
    Error as TestnetError, NodeError, Options, Profile, Testnet, default_app_state,
};

/// Two networks at once would be too much for a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The longest that anything in these tests may take.
pub const PATIENCE: Duration = Duration::from_secs(180);

pub struct World {
    pub net: Testnet,
    /// Numbers of the rules that this world's clients know.
    pub known: Known,
    /// Removed with the world.
    _dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Changes of a test to the usual options.
#[derive(Default)]
pub struct Setup {
    pub heartbeat_ms: Option<u32>,
    pub replica_program: Option<std::path::PathBuf>,
    /// Replicas that a signer of the test's signs for.
    pub remote_signers: Vec<usize>,
    /// Lines for every replica's `replica.toml`.
    pub replica_config: &'static str,
    /// Homes in memory instead of on disk.
    pub tmpfs: bool,
    /// Number of replicas; four if it is none.
    pub replicas: Option<usize>,
    /// Number of further homes, whose replicas aren't among the genesis' validators.
    pub spares: usize,
    /// Time that every byte between two replicas takes.
    pub link_delay: Duration,
    /// Times that replicas wait for one another; what fits the delay if it is none.
    pub profile: Option<Profile>,
    /// Time that a node may stay at its height while the others go on, until it is restarted; the launcher's own if it is none.
    pub stands_still: Option<Duration>,
    /// Blocks from one snapshot of the state to the next, and blocks that nodes keep; the launcher's own if it is none.
    pub blocks: Option<(u64, u64)>,
    /// Leading zero bits of the stamps that strangers' openings need.
    pub stamp_bits: u8,
    /// Numbers of the rules that its clients know.
    pub known: Known,
    /// An identity that may open as many sessions as it likes.
    pub opener: Option<Key>,
}

/// Starts four replicas; `None`, loudly, where CometBFT can't be had.
pub async fn world(setup: Setup) -> Option<World> {
    let world = unstarted(setup).await?;
    world.net.start_all().await.unwrap();
    Some(world)
}

/// The same before its start.
pub async fn unstarted(setup: Setup) -> Option<World> {
    let turn = ONE_AT_A_TIME.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("net"));
    let mut app_state = default_app_state().unwrap();
    if let Some(heartbeat_ms) = setup.heartbeat_ms {
        app_state.params.heartbeat_ms = heartbeat_ms;
        app_state.params.cap_ms = heartbeat_ms * 4;
    }
    let charter = &mut app_state.charter;
    charter.stamp_bits = setup.stamp_bits;
    charter.openers.extend(setup.opener.map(|key| OpenerQuota {
        key: Hash(*key.identity().as_bytes()),
        max_live: u32::MAX,
        max_bytes: charter.max_board_bytes / 2,
    }));
    options.app_state = Some(app_state);
    options.replica_program = setup.replica_program;
    options.remote_signers = setup.remote_signers;
    options.tmpfs = setup.tmpfs;
    options.replicas = setup.replicas.unwrap_or(options.replicas);
    options.spares = setup.spares;
    options.link_delay = setup.link_delay;
    options.profile = setup.profile;
    options.stands_still = setup.stands_still.unwrap_or(options.stands_still);
    if let Some((snapshot, keep)) = setup.blocks {
        (options.snapshot_blocks, options.keep_blocks) = (snapshot, keep);
    }
    let net = match Testnet::create(&options).await {
        Ok(net) => net,
        Err(TestnetError::Node(NodeError::Tooling(why))) => {
            assert!(
                std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
                "CometBFT is required here: {why}"
            );
            eprintln!("NOT RUN: this test needs CometBFT: {why}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    for k in 0..net.replicas() {
        let file = net.home(k).join("app/replica.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + setup.replica_config).unwrap();
    }
    Some(World {
        known: setup.known,
        net,
        _dir: dir,
        _turn: turn,
    })
}

impl World {
    pub fn client(&self, key: &Key) -> Client {
        self.client_of(self.net.rpc_urls().iter().cloned(), key)
    }

    /// The trust of a program of a user.
    pub fn trust(&self) -> Trust {
        genesis::trust(self.net.dir().join("genesis.json")).unwrap()
    }

    /// A client of these addresses.
    pub fn client_of(&self, urls: impl IntoIterator<Item = String>, key: &Key) -> Client {
        Client::builder(self.trust().knowing(self.known))
            .replicas(urls)
            .signer(key.local())
            .build()
            .unwrap()
    }

    /// Opens a session of `keys`, by the first of them.
    pub async fn open(
        &self,
        keys: &[Key],
        change: impl FnOnce(SpecBuilder) -> SpecBuilder,
    ) -> SessionId {
        self.open_by(&self.client(&keys[0]), keys, change).await
    }

    /// Opens a session of `keys`.
    pub async fn open_by(
        &self,
        client: &Client,
        keys: &[Key],
        change: impl FnOnce(SpecBuilder) -> SpecBuilder,
    ) -> SessionId {
        let roster: Vec<IdentityKey> = keys.iter().map(|key| key.identity()).collect();
        let times = (
            Duration::from_secs(120),
            Duration::from_secs(60),
            Duration::from_secs(60),
        );
        let spec = SpecBuilder::new("white-city/test", 1, roster)
            .max_rounds(16)
            .payloads(64, 64)
            .times(times.0, times.1, times.2);
        let spec = change(spec).build().unwrap();
        client.open(spec).await.unwrap()
    }

    pub async fn session(&self, key: &Key, id: SessionId) -> Session {
        self.client(key).session(id).await.unwrap()
    }

    /// Waits until every replica has the same root at one height past the present one.
    pub async fn agree(&self) {
        let mut height = 0;
        for k in 0..self.net.replicas() {
            // A replica that has just come back doesn't answer at once.
            height = height.max(self.net.wait_height(k, 1, PATIENCE).await.unwrap());
        }
        for k in 0..self.net.replicas() {
            self.net.wait_height(k, height + 1, PATIENCE).await.unwrap();
        }
        let root = self.net.app_hash_at(0, height + 1).await.unwrap();
        for k in 1..self.net.replicas() {
            assert_eq!(
                self.net.app_hash_at(k, height + 1).await.unwrap(),
                root,
                "replica {k}"
            );
        }
    }

    pub async fn stop(self) {
        self.net.stop().await.unwrap();
    }
}

/// An identity that is the same in every run.
#[derive(Debug, Clone, Copy)]
pub struct Key(u16);

impl Key {
    pub fn identity(&self) -> IdentityKey {
        self.local().identity()
    }

    pub fn local(&self) -> LocalKey {
        let seed = self.0.to_be_bytes().repeat(16);
        LocalKey::from_seed(&seed.try_into().unwrap()).unwrap()
    }
}

pub fn keys(count: u16) -> Vec<Key> {
    (1..=count).map(Key).collect()
}

/// Joins and waits for the others.
pub async fn join(session: &mut Session) -> Result<(), Error> {
    session.join().await?;
    session.wait_ready().await
}

/// Posts something for everybody, and something for each other member.
pub async fn post(session: &mut Session, number: u32) -> Result<(), Error> {
    let me = session.index();
    let members: Vec<u16> = session.history().members().iter().collect();
    let p2p = members.iter().filter(|to| **to != me);
    let p2p = p2p.map(|to| (*to, word(number, me, *to).into())).collect();
    session.post(number, word(number, me, me), p2p).await
}

/// One round, and all of it arrives.
pub async fn round(session: &mut Session, number: u32) -> Result<(), Error> {
    let me = session.index();
    post(session, number).await?;
    let inbox = session.inbox(number).await?;
    assert!(!inbox.broadcasts.is_empty());
    for (from, broadcast) in &inbox.broadcasts {
        assert_eq!(*broadcast, word(number, *from, *from));
        if *from != me {
            assert_eq!(inbox.p2p[from].as_slice(), word(number, *from, me));
        }
    }
    Ok(())
}

fn word(round: u32, from: u16, to: u16) -> Vec<u8> {
    format!("round {round} from {from} to {to}").into_bytes()
}

/// Finishes with the outcome that everybody computes, and waits for the end.
pub async fn finish(session: &mut Session) -> Result<End, Error> {
    let outcome = outcome(session);
    session.finish(outcome).await?;
    session.wait_end().await
}

pub fn outcome(session: &Session) -> Hash {
    sha256(&session.history().transcript().0)
}

/// A whole party: joins, `rounds` rounds, finish.
pub async fn party(mut session: Session, rounds: u32) -> Result<End, Error> {
    join(&mut session).await?;
    for number in 1..=rounds {
        round(&mut session, number).await?;
    }
    finish(&mut session).await
}

/// Runs all parties of a session, so many rounds each, and gives their ends in no particular order.
pub async fn all_ends(
    world: &World,
    keys: &[Key],
    id: SessionId,
    rounds: u32,
) -> Vec<Result<End, Error>> {
    let mut running = JoinSet::new();
    for key in keys {
        running.spawn(party(world.session(key, id).await, rounds));
    }
    running.join_all().await
}
