//! A board of four replicas under CometBFT: its blocks, as a replica serves them, are a trace of the specification.

use std::time::Duration;

use tendermint::block::CommitSig;
use tendermint_rpc::Client as _;
use white_city_client::{Hash, LocalKey, Said, Session, Signer as _};
use white_city_state_machine::BlockContext;
use white_city_tests::board::{Board, Candidate, Executed};
use white_city_wire::seal::{BlockTime, Seal};

use crate::{
    bad_sender, charters,
    program::{folder, is_possible, text},
    recording::{Recording, check},
    world::{PATIENCE, Setup, World, all_ends, join, keys, post, world},
};

/// Three parties, two rounds, and the same outcome.
async fn finished(world: &World) {
    let keys = keys(3);
    let id = world.open(&keys, |spec| spec).await;
    let ends = all_ends(world, &keys, id, 2).await;
    assert!(
        ends.iter().all(|end| end.is_ok() && *end == ends[0]),
        "{ends:?}"
    );
}

/// Joins, and posts in round 1, unless it is the last one of three.
async fn comes(session: &mut Session) {
    join(session).await.unwrap();
    if session.index() < 2 {
        post(session, 1).await.unwrap();
    }
}

/// One of three sleeps in round 1; then another one leaves.
async fn absent_and_left(world: &World) {
    let keys = keys(3);
    let times = [60, 8, 8].map(Duration::from_secs);
    let id = world
        .open(&keys, |spec| {
            spec.quorum(2)
                .corrupt(0)
                .times(times[0], times[1], times[2])
        })
        .await;
    let mut sessions = Vec::new();
    for key in &keys {
        sessions.push(world.session(key, id).await);
    }
    futures::future::join_all(sessions.iter_mut().map(comes)).await;
    for session in &mut sessions[..2] {
        session.inbox(1).await.unwrap();
    }
    sessions[0].abort(9, None, Hash::ZERO).await.unwrap();
    sessions[1].wait_end().await.unwrap();
}

/// A payload that can't be opened, a complaint about it, and its answer.
async fn disputed(world: &World) {
    let keys = keys(3);
    let [bad, mut one, mut two] = bad_sender::joined(world, &keys).await;
    let unreadable = bad_sender::posts(world, &keys[0], &bad).await;
    let posted = tokio::join!(post(&mut one, 1), post(&mut two, 1));
    assert_eq!(posted, (Ok(()), Ok(())));
    one.inbox(1).await.unwrap_err();
    one.complain(1, 0).await.unwrap();
    bad_sender::reveals(world, &keys[0], &unreadable, 1).await;
    one.wait_end().await.unwrap();
}

/// Reads every block of the board, and executes it: each has the root that its seal names.
async fn each_block(world: &World, mut each: impl FnMut(&Executed)) {
    let network = world.client(&keys(1)[0]).network().clone();
    let last = world.net.height(1).await.unwrap();
    let rpc = bad_sender::rpc(world);
    let mut board = Board::new(network.into());
    for height in 1..=last {
        let height = u32::try_from(height).unwrap();
        let block = rpc.block(height).await.unwrap().block;
        let (seal, txs) = block.data.split_first().unwrap();
        let seal = Seal::decode(seal).unwrap();
        let time = block.header.time;
        let votes = block.last_commit.iter().flat_map(|of| &of.signatures);
        let voted: Vec<[u8; 20]> = votes.filter_map(voter).collect();
        let context = BlockContext {
            height: height.into(),
            time: BlockTime {
                seconds: time.unix_timestamp(),
                nanos: u32::try_from(time.unix_timestamp_nanos().rem_euclid(1_000_000_000))
                    .unwrap(),
            },
            parent_hash: seal.parent_hash,
            parent_time: seal.parent_time,
            proposer: block.header.proposer_address.as_bytes().try_into().unwrap(),
            voted: board.state.charter().positions_of(&voted),
        };
        let candidates = txs.iter().cloned().map(Candidate::Bytes).collect();
        let executed = board.run(context, candidates);
        assert_eq!(executed.after.root(), seal.root, "block {height}");
        each(&executed);
    }
}

/// The address of a validator that has voted for a block.
fn voter(vote: &CommitSig) -> Option<[u8; 20]> {
    match vote {
        CommitSig::BlockIdFlagCommit {
            validator_address, ..
        } => validator_address.as_bytes().try_into().ok(),
        CommitSig::BlockIdFlagAbsent | CommitSig::BlockIdFlagNil { .. } => None,
    }
}

/// One operator takes back what it has approved, and then the others have its replica leave.
async fn one_replica_less(world: &World) {
    let reader = world.client(&keys(1)[0]);
    let key = |replica| LocalKey::load(&world.net.operator_key(replica), None).unwrap();
    let operator = |replica| reader.with_signer(key(replica));
    let mut next = reader.charter().await.unwrap().into_value().charter;
    next.previous = next.hash();
    next.term += 1;
    next.until_ms = u64::MAX;
    let mut less = next.clone();
    let first = Hash(*key(0).identity().as_bytes());
    less.replicas.retain(|replica| replica.operator != first);
    next.anyone_max_live = 1;
    let leaver = operator(0);
    assert_eq!(leaver.approve(next, vec![]).await, Ok(Said::Stands));
    assert_eq!(leaver.withdraw().await, Ok(Said::Stands));
    for replica in 1..4 {
        operator(replica)
            .approve(less.clone(), vec![])
            .await
            .unwrap();
    }
    let enacted = reader.charter().await.unwrap().into_value();
    assert_eq!((enacted.charter.term, enacted.era), (1, 1));
    // The new validators sign from the second block on.
    while reader.status().await.unwrap().height() < enacted.term_height + 4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_board_under_cometbft_does_is_a_trace_of_the_specification() {
    if !is_possible() {
        return;
    }
    let setup = Setup {
        heartbeat_ms: Some(500),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let all = async {
        tokio::join!(finished(&world), absent_and_left(&world), disputed(&world));
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    world.agree().await;
    let mut recording = Recording::new(world.client(&keys(1)[0]).network());
    each_block(&world, |executed| recording.block(executed)).await;
    world.stop().await;
    let mut endings = recording.endings();
    endings.sort();
    println!("{:#?}", recording.outcomes());
    assert_eq!(endings, ["BadPayload", "Left", "NoCause"]);
    check(&folder("board"), &text(), &[recording]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_do_on_a_board_under_cometbft_is_a_trace_of_the_specification() {
    if !is_possible() {
        return;
    }
    let setup = Setup {
        heartbeat_ms: Some(500),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    tokio::time::timeout(PATIENCE, one_replica_less(&world))
        .await
        .unwrap();
    let mut recording = charters::Recording::new(world.client(&keys(1)[0]).network());
    each_block(&world, |executed| recording.block(executed)).await;
    world.stop().await;
    println!("{:#?}", recording.outcomes());
    assert_eq!(recording.outcomes()["Taken"], 5);
    assert_eq!(recording.enacted, [1, 1]);
    let text = charters::charter_text();
    charters::check(&folder("board-charters"), &text, &[recording]).unwrap();
}
