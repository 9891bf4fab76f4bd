//! CometBFT's calls, in its types.

use bytes::Bytes;
use prost::Message;
use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::{
    Event, EventAttribute, ExecTxResult, Misbehavior, RequestApplySnapshotChunk, RequestCheckTx,
    RequestFinalizeBlock, RequestInfo, RequestInitChain, RequestLoadSnapshotChunk,
    RequestOfferSnapshot, RequestPrepareProposal, RequestProcessProposal, RequestQuery,
    ResponseApplySnapshotChunk, ResponseCheckTx, ResponseCommit, ResponseFinalizeBlock,
    ResponseInfo, ResponseInitChain, ResponseListSnapshots, ResponseLoadSnapshotChunk,
    ResponseOfferSnapshot, ResponsePrepareProposal, ResponseProcessProposal, ResponseQuery,
    response_process_proposal::ProposalStatus,
};
use tendermint_proto::v0_38::types::BlockIdFlag;
use white_city_wire::{
    Hash, IdentityKey,
    limits::PROTOCOL,
    read::{KEY_HINT_BYTES, SESSION_EVENT, Standing},
    seal::BlockTime,
};

use super::{Replica, charter, consensus::Proposed};
use crate::{execution::Executed, front, genesis};

/// A [`Proposed`] of the fields that three kinds of request have by the same names.
macro_rules! proposed {
    ($request:ident, $commit:ident, $hash:expr) => {
        Proposed {
            height: u64::try_from($request.height).unwrap_or(0),
            time: block_time($request.time),
            proposer: address(&$request.proposer_address),
            voters: $request
                .$commit
                .iter()
                .flat_map(|commit| &commit.votes)
                .filter(|vote| vote.block_id_flag == i32::from(BlockIdFlag::Commit))
                .flat_map(|vote| &vote.validator)
                .map(|validator| address(&validator.address))
                .collect(),
            misbehavior: encode_misbehavior(&$request.misbehavior),
            hash: $hash,
            block: $request.txs,
        }
    };
}

impl Application for Replica {
    fn info(&self, _request: RequestInfo) -> ResponseInfo {
        let committed = self.committed();
        let tip = committed.as_ref().map(|c| &c.tip);
        let tip = tip.filter(|tip| tip.height > 0);
        ResponseInfo {
            data: "white-city".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            // Never the program's own: a node that joins is told which rules its peers are under.
            app_version: committed
                .as_ref()
                .map_or(PROTOCOL, |c| c.state.charter().protocol)
                .into(),
            last_block_height: tip.map_or(0, |t| i64::try_from(t.height).unwrap_or(i64::MAX)),
            last_block_app_hash: tip.map_or_else(Bytes::new, |t| hash_bytes(&t.seal.root)),
        }
    }

    /// A genesis can't be refused in an answer: the replica halts.
    fn init_chain(&self, request: RequestInitChain) -> ResponseInitChain {
        let taken = genesis::network(&request)
            .map_err(|error| error.to_string())
            .and_then(|network| self.init(network).map_err(|error| error.to_string()));
        ResponseInitChain {
            app_hash: self
                .or_halt(taken)
                .map_or_else(Bytes::new, |root| hash_bytes(&root)),
            ..Default::default()
        }
    }

    fn query(&self, request: RequestQuery) -> ResponseQuery {
        front::abci::query(self, &request)
    }

    fn check_tx(&self, request: RequestCheckTx) -> ResponseCheckTx {
        front::abci::check_tx(self, &request)
    }

    fn prepare_proposal(&self, request: RequestPrepareProposal) -> ResponsePrepareProposal {
        self.shared.counters.prepared.count();
        let max_bytes = u64::try_from(request.max_tx_bytes).unwrap_or(0);
        let block = self.propose(proposed!(request, local_last_commit, None), max_bytes);
        ResponsePrepareProposal {
            txs: self
                .or_halt(block.map_err(|e| e.to_string()))
                .unwrap_or_default(),
        }
    }

    fn process_proposal(&self, request: RequestProcessProposal) -> ResponseProcessProposal {
        self.shared.counters.processed.count();
        let hash = Hash::from_slice(&request.hash);
        let proposed = proposed!(request, proposed_last_commit, hash);
        let status = match self.or_halt(self.judge(&proposed).map_err(|e| e.to_string())) {
            Some(Ok(())) => ProposalStatus::Accept,
            Some(Err(reason)) => {
                let proposer = hex::encode(proposed.proposer);
                tracing::warn!(height = proposed.height, proposer, %reason, "proposal rejected");
                self.shared.metrics.proposal_rejected(&reason);
                ProposalStatus::Reject
            }
            None => ProposalStatus::Reject,
        };
        ResponseProcessProposal {
            status: status.into(),
        }
    }

    /// A committed block can't be refused: if it is invalid here, the replica halts.
    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        self.shared.counters.finalized.count();
        let hash = Hash::from_slice(&request.hash);
        let proposed = proposed!(request, decided_last_commit, hash);
        let present = self.committed();
        let decided = self.or_halt(self.decide(&proposed).map_err(|e| e.to_string()));
        decided.map_or_else(ResponseFinalizeBlock::default, |(executed, root)| {
            let next = executed.ended.state.charter();
            let sessions = present.as_ref().map_or(0, |c| c.state.sessions().len());
            let present = present.as_ref().map_or(next, |c| c.state.charter());
            ResponseFinalizeBlock {
                validator_updates: charter::validator_updates(present, next),
                consensus_param_updates: charter::version_update(present, next),
                events: events(&executed, sessions),
                // The engine wants a result for each item, and takes the seal for a transaction, too.
                tx_results: vec![ExecTxResult::default(); proposed.block.len()],
                app_hash: hash_bytes(&root),
            }
        })
    }

    fn commit(&self) -> ResponseCommit {
        self.shared.counters.committed.count();
        let stored = self.store_decided().map_err(|error| error.to_string());
        let tip = self.or_halt(stored);
        let retain_height = tip.map_or(0, |tip| self.retain_height(&tip));
        ResponseCommit {
            retain_height: i64::try_from(retain_height).unwrap_or(0),
        }
    }

    fn list_snapshots(&self) -> ResponseListSnapshots {
        self.list()
    }

    fn load_snapshot_chunk(&self, request: RequestLoadSnapshotChunk) -> ResponseLoadSnapshotChunk {
        self.load_chunk(&request)
    }

    fn offer_snapshot(&self, request: RequestOfferSnapshot) -> ResponseOfferSnapshot {
        self.offer(request)
    }

    fn apply_snapshot_chunk(
        &self,
        request: RequestApplySnapshotChunk,
    ) -> ResponseApplySnapshotChunk {
        self.apply_chunk(request)
    }
}

impl Replica {
    /// Halts the replica on an error that no answer can carry.
    fn or_halt<T>(&self, result: Result<T, String>) -> Option<T> {
        result.map_err(|diagnosis| self.halt().halt(diagnosis)).ok()
    }
}

/// One event for each session that the block has changed, for those who subscribe; of those from the number `opened` on it has the
/// beginnings of their parties' keys. All but the id is in one attribute, and so are these: the engine puts each of them into JSON,
/// slowly, for each subscriber, and twice.
fn events(executed: &Executed, opened: u64) -> Vec<Event> {
    let sessions = executed.ended.state.sessions();
    let changed = executed
        .ended
        .sessions
        .iter()
        .filter_map(|number| sessions.get(*number));
    changed
        .map(|session| {
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let filled = session.filled().map_or(0, |filled| filled.count());
            let standing = Standing {
                culprits: count(session.culprits().len()),
                filled: filled.into(),
                left: count(session.leavers()),
                number: session.number,
                open_round: session.leaf.open_round,
                status: session.status().number(),
            };
            // Numbers always are JSON; without them the event would say that something has changed.
            let standing = serde_json::to_string(&standing).unwrap_or_default();
            let mut attributes = vec![
                attribute("id", session.id().to_string()),
                attribute("standing", standing),
            ];
            if u64::from(session.number) >= opened {
                attributes.push(attribute("parties", key_hints(session.roster())));
            }
            Event {
                r#type: SESSION_EVENT.into(),
                attributes,
            }
        })
        .collect()
}

fn key_hints(roster: &[IdentityKey]) -> String {
    let hints = roster.iter().map(|key| key.as_bytes().iter());
    let hints = hints.flat_map(|bytes| bytes.take(KEY_HINT_BYTES).copied());
    hex::encode(hints.collect::<Vec<u8>>())
}

fn attribute(key: &str, value: String) -> EventAttribute {
    EventAttribute {
        key: key.into(),
        value,
        index: false,
    }
}

fn block_time(time: Option<tendermint_proto::google::protobuf::Timestamp>) -> BlockTime {
    time.map_or_else(BlockTime::default, |time| BlockTime {
        seconds: time.seconds,
        nanos: u32::try_from(time.nanos).unwrap_or(0),
    })
}

fn address(bytes: &[u8]) -> [u8; 20] {
    bytes.try_into().unwrap_or([0; 20])
}

fn encode_misbehavior(misbehavior: &[Misbehavior]) -> Vec<u8> {
    misbehavior
        .iter()
        .flat_map(Message::encode_length_delimited_to_vec)
        .collect()
}

fn hash_bytes(hash: &Hash) -> Bytes {
    Bytes::copy_from_slice(&hash.0)
}
