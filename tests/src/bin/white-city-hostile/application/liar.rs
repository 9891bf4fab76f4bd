//! Every call of the node, and what the liar makes of it.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use prost::bytes::Bytes;
use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::{
    Event, RequestApplySnapshotChunk, RequestCheckTx, RequestFinalizeBlock, RequestInfo,
    RequestInitChain, RequestLoadSnapshotChunk, RequestOfferSnapshot, RequestPrepareProposal,
    RequestProcessProposal, RequestQuery, ResponseApplySnapshotChunk, ResponseCheckTx,
    ResponseCommit, ResponseFinalizeBlock, ResponseInfo, ResponseInitChain, ResponseListSnapshots,
    ResponseLoadSnapshotChunk, ResponseOfferSnapshot, ResponsePrepareProposal,
    ResponseProcessProposal, ResponseQuery, Snapshot, response_process_proposal::ProposalStatus,
};
use white_city_replica::{
    Replica,
    front::{self, Answer, Board, Source, Taken},
};
use white_city_tests::adversary::{Lie, Tally};
use white_city_wire::{Network, Refusal};

use super::{
    answers::{self, Answers},
    openings::Openings,
    orders::Orders,
    proposals,
};

/// Time that a slow call takes.
const SLOW: Duration = Duration::from_millis(500);
/// Pause between two looks of a stalled call whether it may go on.
const STALL_STEP: Duration = Duration::from_millis(20);

/// An honest replica, with somebody in front of it who isn't.
#[derive(Clone)]
pub struct Liar {
    honest: Replica,
    shared: Arc<Shared>,
}

struct Shared {
    orders: Orders,
    tally: Tally,
    answers: Answers,
    openings: Openings,
    /// What fills its costly proposals.
    costly: OnceLock<Vec<Bytes>>,
    /// Its last dishonest proposal, which it votes for itself.
    own: Mutex<Vec<Bytes>>,
}

impl Liar {
    /// One that takes its orders from a home.
    pub fn new(honest: Replica, home: &Path) -> Self {
        Self {
            honest,
            shared: Arc::new(Shared {
                orders: Orders::new(home),
                tally: Tally::open(home.join("lies")),
                answers: Answers::new(),
                openings: Openings::default(),
                costly: OnceLock::new(),
                own: Mutex::default(),
            }),
        }
    }

    /// The lie for this call, after having wasted the time that it wastes.
    fn lie(&self) -> Option<Lie> {
        let lie = self.shared.orders.now();
        match lie {
            Some(Lie::Slow) => {
                self.lied(Lie::Slow);
                thread::sleep(SLOW);
            }
            Some(Lie::Stall) => {
                self.lied(Lie::Stall);
                while self.shared.orders.now() == Some(Lie::Stall) {
                    thread::sleep(STALL_STEP);
                }
            }
            _ => {}
        }
        lie
    }

    fn lied(&self, lie: Lie) {
        self.shared.tally.count(lie.name());
    }

    fn openings(&self, count: impl Fn(&Network) -> usize) -> Vec<Bytes> {
        let Some(committed) = self.honest.committed() else {
            return Vec::new();
        };
        let state = &committed.state;
        let board_ms = committed.tip.time.millis() - state.paused_ms();
        let openings = &self.shared.openings;
        openings.make(state.network(), board_ms, count(state.network()))
    }

    /// A block full of openings. Nobody remembers what was rejected before it was checked: the same serve each time, and cost it nothing.
    fn costly(&self, max_bytes: i64) -> impl Iterator<Item = Bytes> {
        let that_fit = |network: &Network| Openings::that_fit(network, max_bytes);
        let costly = self.shared.costly.get_or_init(|| self.openings(that_fit));
        costly.iter().cloned()
    }

    fn own(&self) -> MutexGuard<'_, Vec<Bytes>> {
        let own = self.shared.own.lock();
        own.unwrap_or_else(PoisonError::into_inner)
    }

    fn is_own(&self, block: &[Bytes]) -> bool {
        !block.is_empty() && *self.own() == block
    }
}

impl Board for Liar {
    fn answer(&self, path: &str, data: &[u8]) -> Answer {
        match self.lie() {
            Some(lie @ Lie::RandomAnswers) => {
                self.lied(lie);
                self.shared.answers.random()
            }
            Some(lie @ Lie::NoAnswers) => {
                self.lied(lie);
                answers::refused()
            }
            Some(lie @ Lie::OldAnswers) => {
                let present = self.honest.answer(path, data);
                let (answer, old) = self.shared.answers.old(path, data, present);
                if old {
                    self.lied(lie);
                }
                answer
            }
            Some(lie @ Lie::Hide) => {
                let honest = self.honest.answer(path, data);
                let hidden = answers::hidden(data, &honest);
                hidden.inspect(|_| self.lied(lie)).unwrap_or(honest)
            }
            _ => self.honest.answer(path, data),
        }
    }

    fn take(&self, tx: &[u8], source: Source) -> Result<Taken, Refusal> {
        match self.lie() {
            Some(lie @ Lie::TakeAll) => {
                // What is good is taken as always: only the answer is another one.
                if self.honest.take(tx, source).is_err() {
                    self.lied(lie);
                }
                Ok(Taken::Held)
            }
            Some(lie @ Lie::TakeNone) => {
                self.lied(lie);
                Err(Refusal::NotReady)
            }
            Some(lie @ Lie::Censor) if proposals::is_censored(tx) => {
                self.lied(lie);
                Err(Refusal::NotReady)
            }
            _ => self.honest.take(tx, source),
        }
    }
}

impl Application for Liar {
    fn info(&self, request: RequestInfo) -> ResponseInfo {
        self.honest.info(request)
    }

    fn init_chain(&self, request: RequestInitChain) -> ResponseInitChain {
        self.honest.init_chain(request)
    }

    fn query(&self, request: RequestQuery) -> ResponseQuery {
        front::abci::query(self, &request)
    }

    fn check_tx(&self, request: RequestCheckTx) -> ResponseCheckTx {
        front::abci::check_tx(self, &request)
    }

    fn prepare_proposal(&self, mut request: RequestPrepareProposal) -> ResponsePrepareProposal {
        let lie = self.lie();
        if lie == Some(Lie::Censor) && proposals::censor(&mut request) > 0 {
            self.lied(Lie::Censor);
        }
        if lie == Some(Lie::DearestValid) {
            request.txs = self.openings(Openings::most);
            self.lied(Lie::DearestValid);
        }
        let max_bytes = request.max_tx_bytes;
        let mut proposal = self.honest.prepare_proposal(request);
        if let Some(lie @ (Lie::Costly | Lie::Dearest)) = lie {
            proposal.txs.truncate(1);
            match lie {
                Lie::Costly => {
                    proposal.txs.extend(self.costly(max_bytes));
                    proposal.txs.push(vec![0xff].into());
                }
                _ => {
                    proposal.txs.extend(self.openings(Openings::most));
                    proposals::distort(Lie::WrongRoot, &mut proposal.txs, max_bytes);
                }
            }
            self.lied(lie);
            self.own().clone_from(&proposal.txs);
        } else if let Some(lie) = lie
            && proposals::distort(lie, &mut proposal.txs, max_bytes)
        {
            self.lied(lie);
            self.own().clone_from(&proposal.txs);
        }
        proposal
    }

    fn process_proposal(&self, request: RequestProcessProposal) -> ResponseProcessProposal {
        let status = match self.lie() {
            Some(lie @ Lie::AcceptAll) => {
                self.lied(lie);
                ProposalStatus::Accept
            }
            Some(lie @ Lie::RejectAll) => {
                self.lied(lie);
                ProposalStatus::Reject
            }
            _ if self.is_own(&request.txs) => ProposalStatus::Accept,
            _ => return self.honest.process_proposal(request),
        };
        ResponseProcessProposal {
            status: status.into(),
        }
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        let lie = self.lie();
        let mut response = self.honest.finalize_block(request);
        if let Some(lie @ Lie::WrongAppHash) = lie {
            self.lied(lie);
            let wrong = response
                .app_hash
                .iter()
                .map(|byte| !byte)
                .collect::<Vec<_>>();
            response.app_hash = wrong.into();
        }
        if let Some(lie @ Lie::Hide) = lie {
            let is_opening = |event: &Event| event.attributes.iter().any(|a| a.key == "parties");
            let told = response.events.len();
            response.events.retain(|event| !is_opening(event));
            if response.events.len() < told {
                self.lied(lie);
            }
        }
        response
    }

    fn commit(&self) -> ResponseCommit {
        self.honest.commit()
    }

    fn list_snapshots(&self) -> ResponseListSnapshots {
        let mut list = self.honest.list_snapshots();
        if self.lie() == Some(Lie::ForgedSnapshot)
            && let Some(newest) = list.snapshots.last().cloned()
        {
            list.snapshots.push(Snapshot {
                height: newest.height.saturating_add(1),
                ..newest
            });
        }
        list
    }

    fn load_snapshot_chunk(
        &self,
        mut request: RequestLoadSnapshotChunk,
    ) -> ResponseLoadSnapshotChunk {
        let known = self.honest.list_snapshots().snapshots;
        let lie = self.lie();
        if lie == Some(Lie::ForgedSnapshot) && known.iter().all(|one| one.height != request.height)
        {
            request.height = request.height.saturating_sub(1);
            self.lied(Lie::ForgedSnapshot);
        }
        let mut loaded = self.honest.load_snapshot_chunk(request);
        if lie == Some(Lie::BadChunks) {
            let mut other = loaded.chunk.to_vec();
            other.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
            loaded.chunk = other.into();
            self.lied(Lie::BadChunks);
        }
        loaded
    }

    fn offer_snapshot(&self, request: RequestOfferSnapshot) -> ResponseOfferSnapshot {
        self.honest.offer_snapshot(request)
    }

    fn apply_snapshot_chunk(
        &self,
        request: RequestApplySnapshotChunk,
    ) -> ResponseApplySnapshotChunk {
        self.honest.apply_snapshot_chunk(request)
    }
}
