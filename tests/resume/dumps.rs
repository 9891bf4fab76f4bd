//! A party's memory isn't written to a disk when the party dies.

use std::os::unix::process::ExitStatusExt;

use tokio::process::{Child, Command};

use crate::{
    gate::{Gate, When},
    world::{Step, spawn, world},
};

/// Signal that ends a process which has found itself broken: the system keeps its memory, if it may.
const SIGABRT: &str = "-ABRT";

async fn aborted(mut child: Child) -> std::process::ExitStatus {
    let id = child.id().unwrap().to_string();
    let kill = Command::new("kill").args([SIGABRT, &id]).status();
    assert!(kill.await.unwrap().success());
    child.wait().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_crashes_leaves_no_core_dump() {
    let world = world().await;
    let mut other = Command::new("prlimit");
    other.args(["--core=unlimited", "sleep", "1000"]);
    other.current_dir(world.dir.path()).kill_on_drop(true);
    let other = spawn(other);
    // Before it has become what it is to be, it would be another program that dies.
    let name = format!("/proc/{}/comm", other.id().unwrap());
    while std::fs::read_to_string(&name).unwrap() != "sleep\n" {
        tokio::task::yield_now().await;
    }
    if !aborted(other).await.core_dumped() {
        eprintln!("NOT SHOWN: this system keeps no memory of any process that dies");
    }
    let id = world.open_keygen().await;
    let gate = Gate::start(&world.url(), 0, When::BeforeSending).await;
    let mut party = world.party(&gate.url(), Step::Keygen, 0, id);
    let program = party.as_std().get_program().to_owned();
    let args: Vec<_> = party.as_std().get_args().map(ToOwned::to_owned).collect();
    party = Command::new("prlimit");
    party.arg("--core=unlimited").arg(program).args(args);
    party.current_dir(world.dir.path()).kill_on_drop(true);
    let party = spawn(party);
    gate.caught().await;
    let ended = aborted(party).await;
    assert_eq!(ended.signal(), Some(6));
    assert!(!ended.core_dumped());
    world.net.stop().await.unwrap();
}
