//! A replica whose blocks a test makes.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver},
};

use prost::bytes::Bytes;
use white_city_replica::{
    Config, Halt, Replica, Store,
    app::{Fatal, Proposed},
    halt::Stop,
};
use white_city_state_machine::BlockContext;
use white_city_tests::{
    network::{rules, storable},
    party::Party,
    scene::{of_kem, spec},
};
use white_city_wire::{
    AppState, Hash, Kem, Network, SessionId,
    hash::sha256,
    seal::BlockTime,
    tx::{Action, Join, Open, Post},
};

pub struct Chain {
    pub replica: Replica,
    pub network: Network,
    pub stops: Receiver<Stop>,
    pub height: u64,
}

/// The configuration of a replica whose proposals don't wait: nothing comes while a test makes a block.
pub fn naive() -> Config {
    Config {
        proposal_wait_ms: 0,
        ..Config::default()
    }
}

/// Hash of the block at a height, as the simulator names it.
pub fn block_hash(height: u64) -> Hash {
    sha256(&height.to_be_bytes())
}

pub fn proposed(context: &BlockContext, block: Vec<Bytes>) -> Proposed {
    Proposed {
        height: context.height,
        time: context.time,
        proposer: context.proposer,
        voters: Vec::new(),
        misbehavior: Vec::new(),
        hash: Some(block_hash(context.height)),
        block,
    }
}

/// Opens a replica over a store on disk, or in memory.
pub fn replica(store: Option<&Path>, config: &Config) -> (Replica, Receiver<Stop>) {
    replica_on(
        store.map_or_else(Store::in_memory, Store::open).unwrap(),
        config,
    )
}

/// Opens a replica over this store.
pub fn replica_on(store: Store, config: &Config) -> (Replica, Receiver<Stop>) {
    let (sender, stops) = mpsc::channel();
    (
        Replica::new(config, store, Halt::new(sender)).unwrap(),
        stops,
    )
}

impl Chain {
    pub fn new(config: &Config) -> Self {
        Self::with_openers(config, &[])
    }

    /// A chain whose genesis lists openers, with their quotas.
    pub fn with_openers(config: &Config, openers: &[(&Party, u32, u64)]) -> Self {
        Self::on(config, rules(openers), Store::in_memory().unwrap())
    }

    /// A chain over this store.
    pub fn on(config: &Config, rules: AppState, store: Store) -> Self {
        let network = white_city_tests::network::network(1, storable(rules));
        let (sender, stops) = mpsc::channel();
        let replica = Replica::new(config, store, Halt::new(sender)).unwrap();
        replica.init(Network::clone(&network)).unwrap();
        Self {
            replica,
            network: Network::clone(&network),
            stops,
            height: 0,
        }
    }

    pub fn context(&self) -> BlockContext {
        BlockContext {
            height: self.height + 1,
            time: BlockTime {
                seconds: 1_000_000 + i64::try_from(self.height / 20).unwrap(),
                nanos: u32::try_from(self.height % 20).unwrap() * 50_000_000,
            },
            parent_hash: Hash::ZERO,
            parent_time: BlockTime::default(),
            proposer: self.network.charter.replicas[0].address(),
            voted: [0; 32],
        }
    }

    /// Proposes a block of `txs` with room for `max_bytes`.
    pub fn propose(&self, txs: &[Vec<u8>], max_bytes: u64) -> Vec<Bytes> {
        let candidates = txs.iter().cloned().map(Bytes::from).collect();
        self.replica
            .propose(proposed(&self.context(), candidates), max_bytes)
            .unwrap()
    }

    /// Decides and stores a block.
    pub fn decide(&mut self, block: Vec<Bytes>) -> Result<(), Fatal> {
        let block = proposed(&self.context(), block);
        self.replica.decide(&block)?;
        self.replica.store_decided()?;
        self.height += 1;
        Ok(())
    }

    /// Proposes and decides a block that holds all of `txs`.
    pub fn block(&mut self, txs: &[Vec<u8>]) {
        let block = self.propose(txs, 1 << 20);
        assert_eq!(block.len(), txs.len() + 1, "the seal and every transaction");
        self.decide(block).unwrap();
    }

    pub fn tx(&self, party: &Party, action: Action) -> Vec<u8> {
        party.tx(action, &self.network.id).encode()
    }

    pub fn open(&self, parties: &[Party], nonce: u8) -> (SessionId, Vec<u8>) {
        self.open_with(parties, [nonce; 32])
    }

    pub fn open_with(&self, parties: &[Party], nonce: [u8; 32]) -> (SessionId, Vec<u8>) {
        self.open_of(Kem::X25519, parties, nonce)
    }

    /// An opening of a session with encryption keys of this kind.
    pub fn open_of(&self, kem: Kem, parties: &[Party], nonce: [u8; 32]) -> (SessionId, Vec<u8>) {
        let mut spec = spec(parties, u16::try_from(parties.len() / 2 + 1).unwrap());
        of_kem(kem)(&mut spec);
        let open = Open {
            spec,
            opener: *parties[0].key(),
            nonce,
            open_by_ms: 1_000_000_000 + 5_000,
            stamp: 0,
        };
        let id = open.session_id(&self.network.id);
        (id, self.tx(&parties[0], Action::Open(open)))
    }

    /// A session in round 1.
    pub fn running(&mut self, parties: &[Party]) -> SessionId {
        self.running_of(Kem::X25519, parties)
    }

    /// The same with encryption keys of this kind.
    pub fn running_of(&mut self, kem: Kem, parties: &[Party]) -> SessionId {
        let (session, open) = self.open_of(kem, parties, [1; 32]);
        self.block(&[open]);
        let joins = self.joins(parties, session);
        for join in &joins {
            self.replica.check_tx(join).unwrap();
        }
        self.block(&joins);
        session
    }

    /// The joins of all parties.
    pub fn joins(&self, parties: &[Party], session: SessionId) -> Vec<Vec<u8>> {
        let committed = self.replica.committed().unwrap();
        let session_of = committed.state.session(&session).ok();
        let body = session_of.and_then(|session| session.body.as_ref());
        let kem = body.map_or(Kem::X25519, |body| body.spec.kem);
        (0_u16..)
            .zip(parties)
            .map(|(index, party)| {
                let key = party.encryption_key_of(kem, 0);
                self.tx(
                    party,
                    Action::Join(Join {
                        session,
                        index,
                        key,
                    }),
                )
            })
            .collect()
    }

    pub fn post(&self, parties: &[Party], session: SessionId, index: u16, words: &[u8]) -> Vec<u8> {
        let post = self.post_action(parties, session, index, words);
        self.tx(&parties[usize::from(index)], post)
    }

    /// A post with `bytes` for each other party. Nobody opens them.
    pub fn post_to_all(
        &self,
        parties: &[Party],
        session: SessionId,
        index: u16,
        bytes: usize,
    ) -> Vec<u8> {
        let n = u16::try_from(parties.len()).unwrap();
        let committed = self.replica.committed().unwrap();
        let transcript = committed.state.session(&session).unwrap().leaf.transcript;
        let others = (0..n).filter(|to| *to != index);
        let p2p = others.map(|to| (to, vec![7; bytes])).collect();
        let post = Post::new(session, 1, (index, n), transcript, vec![], p2p);
        self.tx(&parties[usize::from(index)], Action::Post(post))
    }

    pub fn post_action(
        &self,
        parties: &[Party],
        session: SessionId,
        index: u16,
        words: &[u8],
    ) -> Action {
        let n = u16::try_from(parties.len()).unwrap();
        let committed = self.replica.committed().unwrap();
        let transcript = committed.state.session(&session).unwrap().leaf.transcript;
        let place = (index, n);
        Action::Post(Post::new(
            session,
            1,
            place,
            transcript,
            words.to_vec(),
            vec![],
        ))
    }
}
