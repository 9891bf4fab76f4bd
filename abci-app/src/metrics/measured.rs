//! An application, measured from outside: how long its engine's calls take, and what they say of blocks.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use tendermint_abci::Application;
use tendermint_proto::v0_38::{
    abci::{
        CommitInfo, RequestApplySnapshotChunk, RequestCheckTx, RequestEcho, RequestExtendVote,
        RequestFinalizeBlock, RequestInfo, RequestInitChain, RequestLoadSnapshotChunk,
        RequestOfferSnapshot, RequestPrepareProposal, RequestProcessProposal, RequestQuery,
        RequestVerifyVoteExtension, ResponseApplySnapshotChunk, ResponseCheckTx, ResponseCommit,
        ResponseEcho, ResponseExtendVote, ResponseFinalizeBlock, ResponseFlush, ResponseInfo,
        ResponseInitChain, ResponseListSnapshots, ResponseLoadSnapshotChunk, ResponseOfferSnapshot,
        ResponsePrepareProposal, ResponseProcessProposal, ResponseQuery,
        ResponseVerifyVoteExtension,
    },
    types::BlockIdFlag,
};
use white_city_wire::seal::BlockTime;

use super::Metrics;

/// An application that is measured.
#[derive(Clone)]
pub struct Measured<A> {
    application: A,
    metrics: Arc<Metrics>,
}

impl<A: Application> Measured<A> {
    /// The application, whose numbers go to `metrics`.
    #[must_use]
    pub const fn new(application: A, metrics: Arc<Metrics>) -> Self {
        Self {
            application,
            metrics,
        }
    }

    fn timed<T>(&self, call: &'static str, made: impl FnOnce(&A) -> T) -> T {
        let began = Instant::now();
        let answer = made(&self.application);
        self.metrics.call(call, began.elapsed());
        answer
    }

    fn note_decided(&self, request: &RequestFinalizeBlock) {
        let progress = &self.metrics.progress;
        let own = progress.own();
        let votes = request.decided_last_commit.as_ref();
        let lacks_own = own
            .zip(votes)
            .is_some_and(|(own, votes)| lacks(votes, &own));
        self.metrics.block(&request.proposer_address, lacks_own);
        if let (Ok(height), Some(time)) = (u64::try_from(request.height), request.time) {
            let time = BlockTime {
                seconds: time.seconds,
                nanos: u32::try_from(time.nanos).unwrap_or(0),
            };
            progress.decided(height, time, SystemTime::now());
        }
    }

    fn note_judged(&self, height: i64) {
        self.metrics
            .progress
            .judged(u64::try_from(height).unwrap_or(0));
    }
}

/// Whether a validator was to vote for the block before, and its vote isn't there.
fn lacks(commit: &CommitInfo, own: &[u8; 20]) -> bool {
    commit.votes.iter().any(|vote| {
        let voter = vote.validator.as_ref();
        voter.is_some_and(|voter| voter.address == own.as_slice())
            && vote.block_id_flag != i32::from(BlockIdFlag::Commit)
    })
}

impl<A: Application> Application for Measured<A> {
    fn prepare_proposal(&self, request: RequestPrepareProposal) -> ResponsePrepareProposal {
        self.note_judged(request.height);
        self.timed("prepare_proposal", |a| a.prepare_proposal(request))
    }

    fn process_proposal(&self, request: RequestProcessProposal) -> ResponseProcessProposal {
        self.note_judged(request.height);
        self.timed("process_proposal", |a| a.process_proposal(request))
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        self.note_decided(&request);
        self.timed("finalize_block", |a| a.finalize_block(request))
    }

    fn commit(&self) -> ResponseCommit {
        let answer = self.timed("commit", A::commit);
        self.metrics.progress.stored();
        answer
    }

    fn echo(&self, request: RequestEcho) -> ResponseEcho {
        self.application.echo(request)
    }

    fn info(&self, request: RequestInfo) -> ResponseInfo {
        self.application.info(request)
    }

    fn init_chain(&self, request: RequestInitChain) -> ResponseInitChain {
        self.application.init_chain(request)
    }

    fn query(&self, request: RequestQuery) -> ResponseQuery {
        self.application.query(request)
    }

    fn check_tx(&self, request: RequestCheckTx) -> ResponseCheckTx {
        self.application.check_tx(request)
    }

    fn flush(&self) -> ResponseFlush {
        self.application.flush()
    }

    fn list_snapshots(&self) -> ResponseListSnapshots {
        self.application.list_snapshots()
    }

    fn offer_snapshot(&self, request: RequestOfferSnapshot) -> ResponseOfferSnapshot {
        self.application.offer_snapshot(request)
    }

    fn load_snapshot_chunk(&self, request: RequestLoadSnapshotChunk) -> ResponseLoadSnapshotChunk {
        self.application.load_snapshot_chunk(request)
    }

    fn apply_snapshot_chunk(
        &self,
        request: RequestApplySnapshotChunk,
    ) -> ResponseApplySnapshotChunk {
        self.application.apply_snapshot_chunk(request)
    }

    fn extend_vote(&self, request: RequestExtendVote) -> ResponseExtendVote {
        self.application.extend_vote(request)
    }

    fn verify_vote_extension(
        &self,
        request: RequestVerifyVoteExtension,
    ) -> ResponseVerifyVoteExtension {
        self.application.verify_vote_extension(request)
    }
}
