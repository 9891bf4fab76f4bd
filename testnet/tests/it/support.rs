//! Helpers of several tests

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use white_city_testnet::{Application, Error, NodeError, Options, Testnet, binaries::Binaries};

/// The launcher.
pub const LAUNCHER: &str = env!("CARGO_BIN_EXE_white-city-testnet");

/// Options that need neither the replica nor a build of this workspace.
pub fn options(dir: &Path) -> Options {
    Options {
        application: Application::Kvstore,
        ..Options::new(dir)
    }
}

/// Opens a network that this process has let go: until a program that another test starts has begun, it has the lock's file, too.
pub async fn opened(options: &Options) -> Result<Testnet, Error> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match Testnet::open(options).await {
            Err(Error::Node(NodeError::Locked { .. })) if Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            other => return other,
        }
    }
}

/// Waits for a condition; panics with `what` when it doesn't come true.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The letter of a process's state; `None` where there is none.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim().chars().next()
}

/// Whether a process runs. One that ended and was not waited for yet does not.
pub fn runs(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Whether a process was stopped and not told to go on.
pub fn is_frozen(pid: u32) -> bool {
    state(pid) == Some('T')
}

/// Sends a signal to a process that this test started.
pub fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// Whether CometBFT can be had here. Where it can't, says so loudly, and fails if
/// `WHITE_CITY_REQUIRE_COMETBFT=1`. Afterwards the programs are built, too: no launcher that a test waits for has to do that.
pub fn cometbft(test: &str) -> bool {
    let building = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Binaries::find())
    };
    // A thread of its own: some tests are tasks of a runtime.
    std::thread::spawn(building).join().unwrap().unwrap();
    let output = Command::new(LAUNCHER).arg("cometbft").output().unwrap();
    if output.status.success() {
        return true;
    }
    let reason = String::from_utf8_lossy(&output.stderr).into_owned();
    let required = std::env::var("WHITE_CITY_REQUIRE_COMETBFT").is_ok_and(|value| value == "1");
    assert!(!required, "CometBFT is required and can't be had: {reason}");
    eprintln!("NOT RUN: {test}: CometBFT can't be had here: {reason}");
    false
}

/// A process that ends with the test that started it, also when the test fails.
pub struct Started(pub Child);

impl Deref for Started {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Started {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has usually ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
