//! From a request to the application's answer.

use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::{
    Request, Response, ResponseException, request::Value, response,
};

/// Asks the application. A request of an unknown kind is answered with an exception.
pub fn dispatch(application: &impl Application, request: Request) -> Response {
    use response::Value as Answer;
    let answer = match request.value {
        Some(Value::Echo(request)) => Answer::Echo(application.echo(request)),
        Some(Value::Flush(_)) => Answer::Flush(application.flush()),
        Some(Value::Info(request)) => Answer::Info(application.info(request)),
        Some(Value::InitChain(request)) => Answer::InitChain(application.init_chain(request)),
        Some(Value::Query(request)) => Answer::Query(application.query(request)),
        Some(Value::CheckTx(request)) => Answer::CheckTx(application.check_tx(request)),
        Some(Value::Commit(_)) => Answer::Commit(application.commit()),
        Some(Value::ListSnapshots(_)) => Answer::ListSnapshots(application.list_snapshots()),
        Some(Value::OfferSnapshot(request)) => {
            Answer::OfferSnapshot(application.offer_snapshot(request))
        }
        Some(Value::LoadSnapshotChunk(request)) => {
            Answer::LoadSnapshotChunk(application.load_snapshot_chunk(request))
        }
        Some(Value::ApplySnapshotChunk(request)) => {
            Answer::ApplySnapshotChunk(application.apply_snapshot_chunk(request))
        }
        Some(Value::PrepareProposal(request)) => {
            Answer::PrepareProposal(application.prepare_proposal(request))
        }
        Some(Value::ProcessProposal(request)) => {
            Answer::ProcessProposal(application.process_proposal(request))
        }
        Some(Value::ExtendVote(request)) => Answer::ExtendVote(application.extend_vote(request)),
        Some(Value::VerifyVoteExtension(request)) => {
            Answer::VerifyVoteExtension(application.verify_vote_extension(request))
        }
        Some(Value::FinalizeBlock(request)) => {
            Answer::FinalizeBlock(application.finalize_block(request))
        }
        None => Answer::Exception(ResponseException {
            error: "a request of a kind that this application doesn't know".into(),
        }),
    };
    Response {
        value: Some(answer),
    }
}
