//! A validator whose votes carry another time.

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

use tendermint::{Time, block::CommitSig};
use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use tokio::task::JoinSet;
use white_city_client::{End, wire::board::Cause};
use white_city_tests::adversary::{Clock, Tally};

use crate::{
    HOSTILE, a_session_finishes, program,
    world::{Key, PATIENCE, Setup, World, join, keys, unstarted},
};

/// Time that a round has.
const ROUND: Duration = Duration::from_secs(6);
/// A deadline that passes may take this part of, and this many times, what a round has; likewise board time beside the time that
/// passed here.
const TOLERANCE: (f64, f64) = (0.5, 2.0);
/// Most deadlines that pass beside one clock: where the machine is busy it may be the one that is late.
const DEADLINES_MAX: usize = 3;

/// A signer, ended with this value.
struct Signer(Child);

impl Signer {
    fn start(world: &World, clock: Clock) -> Self {
        let mut command = Command::new(program());
        command
            .arg("signer")
            .arg("--home")
            .arg(world.net.home(HOSTILE))
            .arg("--socket")
            .arg(world.net.signer_socket(HOSTILE))
            .args(["--clock", clock.name()]);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to tell then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Time that passed until a round's deadline ended a session: here, and in board time.
struct Passed {
    here: Duration,
    board_ms: u64,
}

/// Everybody joins and nobody posts.
async fn a_deadline_passes(world: &World, keys: &[Key]) -> Passed {
    let joining = Duration::from_secs(60);
    let id = world
        .open(keys, |spec| spec.times(joining, ROUND, ROUND))
        .await;
    let mut running = JoinSet::new();
    for key in keys {
        let mut session = world.session(key, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            session
        });
    }
    let mut sessions = running.join_all().await;
    let client = world.client(&keys[0]);
    let (began, began_ms) = (Instant::now(), client.status().await.unwrap().board_ms());
    let end = tokio::time::timeout(PATIENCE, sessions[0].wait_end()).await;
    let End::Aborted(record) = end.unwrap().unwrap() else {
        panic!("nobody posted");
    };
    assert_eq!(record.record.cause, Cause::TooFew);
    Passed {
        here: began.elapsed(),
        board_ms: client.status().await.unwrap().board_ms() - began_ms,
    }
}

/// A deadline passes here and in board time as it should beside a clock.
async fn a_deadline_takes_its_time(world: &World, keys: &[Key], clock: Clock) {
    let mut seen = Vec::new();
    while seen.len() < DEADLINES_MAX {
        let passed = a_deadline_passes(world, keys).await;
        let here = passed.here.as_secs_f64();
        let ratios = [
            here / ROUND.as_secs_f64(),
            passed.board_ms as f64 / 1_000.0 / here,
        ];
        println!(
            "{}: a deadline beside a round's time {:.2}, board time beside time here {:.2}",
            clock.name(),
            ratios[0],
            ratios[1]
        );
        let tolerable = TOLERANCE.0..=TOLERANCE.1;
        if ratios.iter().all(|ratio| tolerable.contains(ratio)) {
            return;
        }
        seen.push(ratios);
    }
    panic!("{}: {seen:?}", clock.name());
}

/// Distance of the hostile validator's vote from its block's time, in the latest commit that has its vote.
async fn strayed(world: &World) -> Option<Duration> {
    let rpc = |k: usize| {
        HttpClient::builder(world.net.rpc_urls()[k].parse().unwrap())
            .compat_mode(CompatMode::V0_38)
            .build()
            .unwrap()
    };
    let hostile = rpc(HOSTILE).status().await.unwrap().validator_info.address;
    let honest = rpc(1);
    let top = honest
        .latest_commit()
        .await
        .unwrap()
        .signed_header
        .header
        .height;
    // Three of four votes are enough for a commit: its own is not in every one.
    for height in (1..=top.value()).rev().take(20) {
        let height = u32::try_from(height).unwrap();
        let signed = honest.commit(height).await.unwrap().signed_header;
        let vote = signed
            .commit
            .signatures
            .iter()
            .find(|vote| vote.validator_address() == Some(hostile));
        if let Some(time) = vote.and_then(time) {
            let apart = signed.header.time.duration_since(time);
            return Some(
                apart
                    .or_else(|_| time.duration_since(signed.header.time))
                    .unwrap(),
            );
        }
    }
    None
}

/// The time of a vote for a block.
fn time(vote: &CommitSig) -> Option<Time> {
    match vote {
        CommitSig::BlockIdFlagCommit { timestamp, .. } => Some(*timestamp),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_stay_honest_beside_a_validator_with_a_hostile_clock() {
    let setup = Setup {
        // So that no block of a busy machine counts as an outage, in which board time stands still.
        heartbeat_ms: Some(1_000),
        remote_signers: vec![HOSTILE],
        ..Setup::default()
    };
    let Some(world) = unstarted(setup).await else {
        return;
    };
    let keys = keys(3);
    let mut signer = Signer::start(&world, Clock::Honest);
    world.net.start_all().await.unwrap();
    a_deadline_takes_its_time(&world, &keys, Clock::Honest).await;
    assert!(Tally::read(&world.net.home(HOSTILE).join("votes")).is_empty());
    for clock in [Clock::HourAgo, Clock::HourAhead, Clock::HardlyMoving] {
        drop(signer);
        signer = Signer::start(&world, clock);
        a_session_finishes(&world, &keys).await;
        a_deadline_takes_its_time(&world, &keys, clock).await;
        let votes = Tally::read(&world.net.home(HOSTILE).join("votes"));
        assert!(votes[clock.name()] > 0);
        // The votes were not only signed but counted.
        let strayed = strayed(&world).await.expect("a commit with its vote");
        println!(
            "{}: a counted vote is {strayed:?} from its block",
            clock.name()
        );
        assert!(
            strayed > Duration::from_secs(1),
            "{}: {strayed:?}",
            clock.name()
        );
    }
    world.agree().await;
    drop(signer);
    world.stop().await;
}
