//! A party: a gateway and a program that asks it, as processes that can be killed at any moment, and come back.

use std::{
    fs::File,
    io::Read,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use white_city_client::{IdentityKey, LocalKey, SessionId, Signer};
use white_city_testnet::Testnet;

use crate::world::PATIENCE;

/// Program of a party, and the arguments in front of its own.
pub type Launch = Vec<PathBuf>;

pub struct Party {
    dir: PathBuf,
    cli: PathBuf,
    network: PathBuf,
    pub launch: Launch,
    /// Arguments behind its own.
    pub more: Launch,
    gateway: Child,
    program: Option<(SessionId, Child)>,
}

impl Party {
    pub fn new(dir: &Path, number: usize, cli: &Path, net: &Testnet, launch: Launch) -> Self {
        let dir = dir.join(format!("party{number}"));
        std::fs::create_dir(&dir).unwrap();
        LocalKey::create_plain(&dir.join("key")).unwrap();
        let network = net.network_file().to_owned();
        Self {
            gateway: gateway(&dir, cli, &network),
            cli: cli.to_owned(),
            network,
            dir,
            launch,
            more: Vec::new(),
            program: None,
        }
    }

    pub fn identity(&self) -> IdentityKey {
        LocalKey::load(&self.dir.join("key"), None)
            .unwrap()
            .identity()
    }

    /// Starts its program.
    pub fn begin(&mut self, id: SessionId) {
        let mut command = Command::new(&self.launch[0]);
        command
            .args(&self.launch[1..])
            .args(["unix:socket", "token", &id.to_string()])
            .args(&self.more)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(File::create(self.dir.join("said")).unwrap())
            .stderr(File::create(self.dir.join("errors")).unwrap());
        self.program = Some((id, command.spawn().unwrap()));
    }

    /// Kills its gateway, or its program, as the system does it when memory is short, and starts that again;
    /// not a program that has said all. Whether something died.
    pub fn kill(&mut self, the_gateway: bool) -> bool {
        if the_gateway {
            kill(&mut self.gateway);
            self.gateway = gateway(&self.dir, &self.cli, &self.network);
            return true;
        }
        if self.said().is_empty()
            && let Some((id, mut program)) = self.program.take()
        {
            kill(&mut program);
            if self.said().is_empty() {
                self.begin(id);
            }
            return true;
        }
        false
    }

    /// Whether its program has ended well.
    pub fn is_done(&mut self) -> bool {
        let Some((_, program)) = self.program.as_mut() else {
            // It was killed when it had said all.
            return true;
        };
        match program.try_wait().unwrap() {
            Some(status) => {
                assert!(
                    status.success(),
                    "{:?}: {}",
                    self.launch,
                    self.read("errors")
                );
                true
            }
            None => false,
        }
    }

    /// The line that its program has said.
    pub fn said(&self) -> String {
        self.read("said").trim().to_owned()
    }

    fn read(&self, name: &str) -> String {
        let mut text = String::new();
        let mut file = File::open(self.dir.join(name)).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    /// Ends the gateway as a service manager does it.
    pub fn end(mut self) {
        // One that has just been started again isn't there yet.
        let until = Instant::now() + PATIENCE;
        while UnixStream::connect(self.dir.join("socket")).is_err() {
            assert!(Instant::now() < until, "{}", self.read("log"));
            sleep(Duration::from_millis(20));
        }
        let pid = nix::unistd::Pid::from_raw(self.gateway.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = self.gateway.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.read("log"));
        assert!(!self.dir.join("socket").exists(), "nothing is left behind");
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        kill(&mut self.gateway);
        if let Some((_, program)) = &mut self.program {
            kill(program);
        }
    }
}

/// It may have ended already.
fn kill(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

fn gateway(dir: &Path, cli: &Path, network: &Path) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join("log"));
    Command::new(cli)
        .args(["gateway", "--identity", "key", "--listen", "unix:socket"])
        .args(["--token-file", "token", "--network"])
        .arg(network)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.unwrap())
        .spawn()
        .unwrap()
}
