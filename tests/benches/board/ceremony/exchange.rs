//! Exchange of messages between parties: over a session, or in this process with nothing in between.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::Barrier;
use white_city_client::{End, Hash, Session, wire::hash::sha256};
use white_city_eddsa::{Outgoing, run::Heard};

/// One party's way to the others.
pub trait Exchange: Send + 'static {
    fn index(&self) -> u16;
    fn n(&self) -> u16;
    /// The id that the protocol binds its messages to.
    fn id(&self) -> [u8; 32];
    /// Gives what was said, and waits for what everybody said.
    fn exchange(&mut self, outgoing: Outgoing) -> impl Future<Output = Heard> + Send;
    /// Ends with an outcome that all have.
    fn agree(self, outcome: &[u8]) -> impl Future<Output = ()> + Send;
}

/// Over a session that is ready.
pub struct OnBoard {
    session: Session,
    round: u32,
}

impl OnBoard {
    pub const fn new(session: Session) -> Self {
        Self { session, round: 0 }
    }
}

impl Exchange for OnBoard {
    fn index(&self) -> u16 {
        self.session.index()
    }

    fn n(&self) -> u16 {
        self.session.n()
    }

    fn id(&self) -> [u8; 32] {
        self.session.id().0
    }

    async fn exchange(&mut self, outgoing: Outgoing) -> Heard {
        self.round += 1;
        let p2p = outgoing.p2p.into_iter().collect();
        let posting = self.session.post(self.round, outgoing.broadcast, p2p);
        posting.await.unwrap();
        let inbox = self.session.inbox(self.round).await.unwrap();
        Heard {
            posted: inbox.posted.into_iter().collect(),
            broadcasts: inbox.broadcasts,
            p2p: inbox.p2p,
        }
    }

    async fn agree(mut self, outcome: &[u8]) {
        let outcome: Hash = sha256(outcome);
        self.session.finish(outcome).await.unwrap();
        let end = self.session.wait_end().await.unwrap();
        assert_eq!(end, End::Finished { outcome });
    }
}

/// In this process.
pub struct InMemory {
    index: u16,
    n: u16,
    common: Arc<Common>,
}

struct Common {
    barrier: Barrier,
    said: Mutex<BTreeMap<u16, Outgoing>>,
}

impl InMemory {
    /// All `n` of them.
    pub fn parties(n: u16) -> Vec<Self> {
        let common = Arc::new(Common {
            barrier: Barrier::new(n.into()),
            said: Mutex::default(),
        });
        let party = |index| Self {
            index,
            n,
            common: Arc::clone(&common),
        };
        (0..n).map(party).collect()
    }
}

impl Exchange for InMemory {
    fn index(&self) -> u16 {
        self.index
    }

    fn n(&self) -> u16 {
        self.n
    }

    fn id(&self) -> [u8; 32] {
        [7; 32]
    }

    async fn exchange(&mut self, outgoing: Outgoing) -> Heard {
        self.common
            .said
            .lock()
            .unwrap()
            .insert(self.index, outgoing);
        self.common.barrier.wait().await;
        let incoming = {
            let said = self.common.said.lock().unwrap();
            let p2p = said.iter().filter_map(|(from, said)| {
                let words = said.p2p.get(&self.index)?;
                Some((*from, words.clone()))
            });
            let broadcasts = said
                .iter()
                .map(|(from, said)| (*from, said.broadcast.clone()));
            Heard {
                posted: said.keys().copied().collect(),
                broadcasts: broadcasts.collect(),
                p2p: p2p.collect(),
            }
        };
        // Nobody says anything more before all have heard.
        self.common.barrier.wait().await;
        incoming
    }

    async fn agree(self, _outcome: &[u8]) {}
}
