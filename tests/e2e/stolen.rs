//! A validator's key is stolen: whoever has it votes an hour ahead, and its replica lies, until the operators have voted it out, and after.

use std::{
    fs,
    process::{Child, Command},
    sync::atomic::{AtomicBool, Ordering},
};

use white_city_tests::adversary::{Clock, Lie, Tally};

use crate::{
    charters::{Board, ends_well, key_of, sessions},
    resized::all_vote,
    world::{Setup, World, unstarted},
};

/// The replica whose key is stolen, and the one that comes in its place.
const STOLEN: usize = 0;
const NEXT: usize = 4;

/// The thief's signer, ended with this value.
struct Thief(Child);

impl Thief {
    fn start(world: &World) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_white-city-hostile"));
        command
            .arg("signer")
            .arg("--home")
            .arg(world.net.home(STOLEN))
            .arg("--socket")
            .arg(world.net.signer_socket(STOLEN))
            .args(["--clock", Clock::HourAhead.name()]);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Thief {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to tell then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_key_whose_clock_is_an_hour_off_is_voted_out_while_it_lies() {
    let Some(world) = unstarted(Setup {
        heartbeat_ms: Some(500),
        remote_signers: vec![STOLEN],
        replica_program: Some(env!("CARGO_BIN_EXE_white-city-hostile").into()),
        spares: 1,
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let thief = Thief::start(&world);
    world.net.start_all().await.unwrap();
    let lie = Lie::WrongRoot;
    fs::write(world.net.home(STOLEN).join("app/hostile"), lie.name()).unwrap();
    let board = Board::new(&world);
    let began_ms = board.reader.status().await.unwrap().board_ms();
    let began = std::time::Instant::now();
    let gone = board.validator(STOLEN);
    let enough = AtomicBool::new(false);
    let voted_out = async {
        let newcomer = board.operator(NEXT);
        let (validator, operator) = (board.validator(NEXT), key_of(&newcomer));
        let charter = board
            .next(|charter| {
                let mut all = charter.replicas.iter_mut();
                let place = all.find(|one| one.validator == gone).unwrap();
                (place.validator, place.operator) = (validator, operator);
            })
            .await;
        let honest = [1, 2, 3, NEXT];
        board
            .enact_at(&honest, &honest[..3], &[newcomer], &charter)
            .await;
        all_vote(&board.reader).await;
        enough.store(true, Ordering::SeqCst);
    };
    let (count, ()) = tokio::join!(sessions(&world, &enough), voted_out);
    println!("{count} sessions, one after the other, beside the thief");
    assert!(count > 0);
    let votes = Tally::read(&world.net.home(STOLEN).join("votes"));
    assert!(votes[Clock::HourAhead.name()] > 0);
    let lies = Tally::read(&world.net.home(STOLEN).join("app/lies"));
    assert!(lies.get(lie.name()).is_some_and(|times| *times > 0));
    let now = board.reader.charter().await.unwrap().into_value().charter;
    assert!(now.replicas.iter().all(|one| one.validator != gone));
    // The board's time has never followed the thief's.
    let passed_ms = board.reader.status().await.unwrap().board_ms() - began_ms;
    assert!(u128::from(passed_ms) < 3 * began.elapsed().as_millis());
    ends_well(&world, &world.net.rpc_urls()[1..]).await;
    drop(thief);
    world.stop().await;
}
