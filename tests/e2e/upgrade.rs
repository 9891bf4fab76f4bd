//! The board moves to the next number of its rules: programs are replaced one at a time, one operator is late, sessions run meanwhile.
//!
//! Replacing a program is a file here: the replicas are `white-city-replica-faulty`, which know one number more where it is.

use std::{sync::atomic::AtomicBool, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use white_city_client::{
    Client, Error, Session, SessionId,
    read::SessionRef,
    receipt::BadReceipt,
    trust::NewerRules,
    wire::{
        Charter,
        protocol::{Known, NEXT},
    },
};
use white_city_testnet::{Error as TestnetError, NodeError, RunState, binaries::Binaries};

use crate::{
    charters::{Board, ceremony, sessions},
    crash::faulty_replica,
    world::{Key, PATIENCE, Setup, World, finish, join, keys, party, round, world},
};

/// What all programs of users know.
const OLD: u32 = NEXT - 1;

async fn setup() -> Setup {
    Setup {
        heartbeat_ms: Some(500),
        replica_program: Some(tokio::task::spawn_blocking(faulty_replica).await.unwrap()),
        known: Known::WITH_NEXT,
        ..Setup::default()
    }
}

/// Puts a program into a replica's place that knows the next number. It takes effect with its next start.
fn replace_program(world: &World, replica: usize) {
    std::fs::write(world.net.home(replica).join("app/next"), "").unwrap();
}

/// What a replica's node says at this path of its RPC.
async fn ask(world: &World, replica: usize, path: &str) -> Value {
    let url = format!("{}/{path}", world.net.rpc_urls()[replica]);
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["result"].clone()
}

/// The number of the rules in the header of a height, which the validators sign.
async fn header_number(world: &World, replica: usize, height: u64) -> u64 {
    let commit = ask(world, replica, &format!("commit?height={height}")).await;
    let number = &commit["signed_header"]["header"]["version"]["app"];
    number.as_str().unwrap().parse().unwrap()
}

/// The number that a replica tells its node, which is that of the block after the last one.
async fn told(world: &World, replica: usize) -> String {
    let info = ask(world, replica, "abci_info").await;
    info["response"]["app_version"].as_str().unwrap().to_owned()
}

/// The number of the rules that a session was opened under.
async fn opened_under(client: &Client, id: SessionId) -> u32 {
    let summary = client.summary(SessionRef::Id(id)).await.unwrap();
    summary.leaf().unwrap().protocol
}

/// Waits until the charter of this term is in force at a replica, and gives the height that enacted it.
async fn enacted_at(world: &World, replica: usize, term: u32) -> u64 {
    let url = world.net.rpc_urls()[replica].clone();
    let client = world.client_of([url], &keys(1)[0]);
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok(now) = client.charter().await
            && now.charter.term == term
        {
            return now.term_height;
        }
        assert!(Instant::now() < until, "never enacted at {replica}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A charter with the next number.
async fn with_next(board: &Board<'_>) -> Charter {
    board.next(|charter| charter.protocol += 1).await
}

/// Has these operators approve the next number.
async fn move_on(world: &World, by: &[usize]) -> u32 {
    let board = Board::new(world);
    let next = with_next(&board).await;
    board.approve(by, &[], &next).await;
    next.term
}

/// What `doctor` says at a replica's home, and its exit code.
async fn doctor(world: &World, replica: usize) -> (Vec<String>, Option<i32>) {
    let program = Binaries::find().await.unwrap().node().unwrap();
    let mut command = tokio::process::Command::new(program);
    command.arg("--home").arg(world.net.home(replica));
    let output = command.arg("doctor").output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines().map(str::to_owned).collect();
    (lines, output.status.code())
}

/// The lines of `doctor` at a replica's home, once it has this exit code.
async fn doctor_finds(world: &World, replica: usize, expected: i32) -> Vec<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let (said, code) = doctor(world, replica).await;
        if code == Some(expected) {
            return said;
        }
        // A peer may not have answered yet.
        assert!(Instant::now() < until, "{code:?}: {said:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A node is fine as long as nobody asks for more than the programs know, and then says who would stop.
async fn doctor_says_who_would_stop(world: &World, board: &Board<'_>) -> Charter {
    doctor_finds(world, 0, 0).await;
    let next = with_next(board).await;
    board.approve(&[0], &[], &next).await;
    let said = doctor_finds(world, 0, 4).await;
    for (start, parts) in [
        (
            "ok   rules: ",
            [
                format!("protocol {OLD} is in force"),
                format!("1 of the 3 operators who have to approve a charter with protocol {NEXT}"),
            ],
        ),
        (
            "ok   rules: ",
            [
                "the replica that runs".into(),
                format!("protocols {OLD} to {NEXT}"),
            ],
        ),
        (
            "ok   replica1: rules: ",
            ["its replica".into(), format!("protocols {OLD} to {NEXT}")],
        ),
        (
            "BAD  replica3: rules: ",
            [
                format!("knows protocol {OLD},"),
                format!("it stops at the first block under protocol {NEXT}"),
            ],
        ),
    ] {
        let is = |line: &&String| {
            line.starts_with(start) && parts.iter().all(|part| line.contains(part))
        };
        assert!(
            said.iter().any(|line| is(&line)),
            "{start} {parts:?}: {said:?}"
        );
    }
    next
}

/// Waits until a replica's program has ended for good, and gives what it and the launcher say.
async fn halted(world: &World, replica: usize) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        if let RunState::Halted(diagnosis) = world.net.snapshot(replica).unwrap().state {
            return diagnosis;
        }
        assert!(Instant::now() < until, "{replica} goes on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn says_what_to_do(diagnosis: &str, enacted: u64) {
    for part in [
        "exit code 4".to_owned(),
        format!(
            "block {} of the board is under protocol {NEXT}",
            enacted + 1
        ),
        format!("knows none after {OLD}"),
        format!("All blocks up to {enacted} are stored"),
        format!("install a program that knows protocol {NEXT}"),
    ] {
        assert!(diagnosis.contains(&part), "{part}: {diagnosis}");
    }
}

/// A session under way: two parties that have joined and gone through one round.
async fn begun(world: &World, keys: &[Key]) -> Vec<Session> {
    let id = world.open(keys, |spec| spec).await;
    let mut parties = Vec::new();
    for key in keys {
        parties.push(world.session(key, id).await);
    }
    let (one, two) = parties.split_at_mut(1);
    let first = async |session: &mut Session| {
        join(session).await.unwrap();
        round(session, 1).await.unwrap();
    };
    tokio::join!(first(&mut one[0]), first(&mut two[0]));
    parties
}

/// Its second round and its end.
async fn ended(mut parties: Vec<Session>) {
    let (one, two) = parties.split_at_mut(1);
    let rest = async |session: &mut Session| {
        round(session, 2).await.unwrap();
        finish(session).await.unwrap()
    };
    let (one, two) = tokio::join!(rest(&mut one[0]), rest(&mut two[0]));
    assert_eq!(one, two);
}

/// The board as a program of a user sees it, which doesn't know the next number.
async fn a_client_of_before_says_that_it_is_old(world: &World, key: &Key) {
    let old = Client::builder(world.trust())
        .replicas(world.net.rpc_urls().iter().cloned())
        .signer(key.local())
        .build()
        .unwrap();
    let refused = old.status().await.unwrap_err();
    let Error::NewerRules(NewerRules {
        protocol, known, ..
    }) = refused
    else {
        panic!("{refused}");
    };
    assert_eq!((protocol, known), (u64::from(NEXT), OLD));
    assert!(refused.to_string().contains("a newer program is needed"));
    assert!(old.lies().is_empty(), "nobody is called a liar for it");
}

/// It fetches all of it, through both numbers; with a program of before it comes as far as that one knows.
async fn a_replica_that_has_nothing_comes_as_far_as_it_knows(world: &World, enacted: u64) {
    world.net.kill(2).await.unwrap();
    world.net.wipe(2).await.unwrap();
    std::fs::remove_file(world.net.home(2).join("app/next")).unwrap();
    world.net.start(2).await.unwrap();
    says_what_to_do(&halted(world, 2).await, enacted);
    replace_program(world, 2);
    world.net.start(2).await.unwrap();
    let height = world.net.height(0).await.unwrap();
    world.net.wait_height(2, height, PATIENCE).await.unwrap();
    world.agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_moves_to_the_next_rules_while_sessions_run_and_one_operator_is_late() {
    let Some(world) = world(setup().await).await else {
        return;
    };
    let (three, two) = (keys(3), keys(5)[3..].to_vec());
    let client = world.client(&three[0]);
    let before = ceremony(&world, &three).await;
    let under_way = begun(&world, &two).await;
    let id = under_way[0].id();
    let enough = AtomicBool::new(false);
    let moved = async {
        // Programs are replaced one after the other, long before anything changes.
        for replica in 0..3 {
            world.net.end(replica).await.unwrap();
            replace_program(&world, replica);
            world.net.start(replica).await.unwrap();
            world.net.wait_ready(PATIENCE).await.unwrap();
            assert_eq!(told(&world, replica).await, OLD.to_string());
        }
        let board = Board::new(&world);
        let next = doctor_says_who_would_stop(&world, &board).await;
        board.approve(&[1, 2], &[], &next).await;
        let enacted = enacted_at(&world, 0, next.term).await;
        // The late one has stored the block, and says what to do.
        says_what_to_do(&halted(&world, 3).await, enacted);
        // The others have gone on.
        world
            .net
            .wait_height(0, enacted + 5, PATIENCE)
            .await
            .unwrap();
        enough.store(true, std::sync::atomic::Ordering::SeqCst);
        enacted
    };
    let (count, enacted) = tokio::join!(sessions(&world, &enough), moved);
    println!("{count} sessions, one after the other, while the board moved on at {enacted}");
    // What was under way goes on among three replicas, by the layouts that it was opened under.
    ended(under_way).await;
    assert_eq!(opened_under(&client, id).await, OLD);
    let after = ceremony(&world, &three).await;
    let opened = after.anchored_session().unwrap();
    assert_eq!(opened_under(&client, opened).await, NEXT);
    // The enacting block is of the old number, the next one of the new.
    for (height, number) in [(enacted, OLD), (enacted + 1, NEXT)] {
        assert_eq!(header_number(&world, 0, height).await, u64::from(number));
    }
    assert_eq!(told(&world, 0).await, NEXT.to_string());
    // The late one doesn't start there, until its program is replaced.
    let refused = world.net.start(3).await;
    let Err(TestnetError::Node(NodeError::Halted { diagnosis, .. })) = refused else {
        panic!("{refused:?}");
    };
    says_what_to_do(&diagnosis, enacted);
    replace_program(&world, 3);
    world.net.start(3).await.unwrap();
    world.agree().await;
    assert_eq!(header_number(&world, 3, enacted).await, u64::from(OLD));
    assert_eq!(told(&world, 3).await, NEXT.to_string());
    // Programs of users say that they are too old, and go on believing what they could check before.
    a_client_of_before_says_that_it_is_old(&world, &three[0]).await;
    before.verify(&world.trust()).unwrap();
    let refused = after.verify(&world.trust());
    assert!(
        matches!(&refused, Err(BadReceipt::Rules(newer)) if newer.known == OLD),
        "{refused:?}"
    );
    for receipt in [&before, &after] {
        receipt.verify(client.trust()).unwrap();
    }
    a_replica_that_has_nothing_comes_as_far_as_it_knows(&world, enacted).await;
    world.stop().await;
}

/// Each dies twice: at a step of the block that enacts the next number, and at one of the first block by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_die_around_the_enactment_come_back_to_the_same_root() {
    let Some(world) = world(setup().await).await else {
        return;
    };
    let two = keys(2);
    let faults = [
        "finalized last\nfinalize first\n",
        "commit last\nfinalized first\n",
        "committed last\ncommit first\n",
        "committed last\ncommitted first\n",
    ];
    for (replica, fault) in faults.iter().enumerate() {
        world.net.end(replica).await.unwrap();
        replace_program(&world, replica);
        std::fs::write(world.net.home(replica).join("app/fault"), fault).unwrap();
        world.net.start(replica).await.unwrap();
        world.net.wait_ready(PATIENCE).await.unwrap();
    }
    let under_way = begun(&world, &two).await;
    let term = move_on(&world, &[0, 1, 2]).await;
    let until = Instant::now() + PATIENCE;
    for replica in 0..4 {
        let fault = world.net.home(replica).join("app/fault");
        while fault.exists() {
            assert!(Instant::now() < until, "{replica} doesn't die");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let enacted = enacted_at(&world, 0, term).await;
    ended(under_way).await;
    world.agree().await;
    // The roots after the enacting block and the one after it are in the headers after them.
    for height in [enacted + 1, enacted + 2] {
        let root = world.net.app_hash_at(0, height).await.unwrap();
        for replica in 1..4 {
            let other = world.net.app_hash_at(replica, height).await.unwrap();
            assert_eq!(other, root, "replica {replica} at {height}");
        }
    }
    let id = world.open(&two, |spec| spec).await;
    let (one, other) = (
        world.session(&two[0], id).await,
        world.session(&two[1], id).await,
    );
    let (one, other) = tokio::join!(party(one, 2), party(other, 2));
    assert_eq!(one.unwrap(), other.unwrap());
    world.stop().await;
}
