//! A company with one host: it has nothing but the programs, and what the others send it

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use white_city_testnet::binaries::Binaries;

use crate::net::{Net, address, said};

/// Longest that anything on these hosts may take.
pub const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);

/// One of the companies.
pub struct Company<'n> {
    net: &'n Net,
    /// Number of its host.
    pub host: usize,
    /// Its node's home.
    pub home: PathBuf,
    programs: PathBuf,
    node: Option<Child>,
}

impl<'n> Company<'n> {
    /// A company with an empty host.
    pub fn new(net: &'n Net, host: usize, dir: &Path, programs: &Binaries) -> Self {
        Self {
            net,
            host,
            home: dir.join(format!("company{host}")),
            programs: programs.node().unwrap(),
            node: None,
        }
    }

    /// The node program on this company's host, with its home.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.net.on(self.host, &self.programs);
        command.arg("--home").arg(&self.home).args(arguments);
        command
    }

    /// Another program on this company's host.
    pub fn on_its_host(&self, program: &str) -> Command {
        self.net.on(self.host, program)
    }

    /// What is served to this company's host at an address, or why it isn't.
    pub fn fetches(&self, url: &str) -> String {
        let fetch = format!(
            "import urllib.request; print(urllib.request.urlopen('{url}', timeout=5).read().decode())"
        );
        let mut command = self.on_its_host("python3");
        said(&command.args(["-c", &fetch]).output().unwrap())
    }

    /// Runs a command to its end; gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes the node.
    pub fn init(&self) {
        let host = address(self.host);
        let name = format!("company{}", self.host);
        self.run(&[
            "init",
            "--name",
            &name,
            "--p2p",
            &format!("{host}:26656"),
            "--rpc-url",
            &format!("http://{host}:26657"),
            "--listen-rpc",
            &format!("{host}:26657"),
            "--direct",
            &format!("{host}:26660"),
        ]);
    }

    /// Hands what this company has to another one.
    pub fn send_to(&self, other: &Self) {
        let file = other.home.with_extension(format!("from{}", self.host));
        fs::write(&file, self.run(&["share"])).unwrap();
        other.run(&["take", file.to_str().unwrap()]);
    }

    /// Sets keys in node.toml.
    pub fn set(&self, lines: &[(&str, &str)]) {
        let path = self.home.join("node.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text: Vec<String> = text
            .lines()
            .map(|line| {
                let key = line.split(" = ").next().unwrap_or_default();
                let set = lines.iter().find(|(name, _)| *name == key);
                set.map_or_else(
                    || line.to_owned(),
                    |(name, value)| format!("{name} = {value}"),
                )
            })
            .collect();
        fs::write(&path, text.join("\n") + "\n").unwrap();
    }

    /// Starts the node.
    pub fn start(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.home.with_extension("log"))
            .unwrap();
        let mut command = self.command(&["start"]);
        command.stderr(log);
        self.node = Some(command.spawn().unwrap());
    }

    /// Ends the node in order; it has to end with 0.
    pub fn stop(&mut self) {
        let mut node = self.node.take().expect("it runs");
        // `ip netns exec` becomes the program that it runs.
        kill(Pid::from_raw(node.id().cast_signed()), Signal::SIGTERM).unwrap();
        let status = node.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Has the host lose its power, and everything that was on it.
    pub fn burn_down(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.kill().unwrap();
            node.wait().unwrap();
        }
        // The guards end what they guard when the node program is gone; nothing of it may write any more.
        wait("the programs to end", || {
            let text = self.home.to_str().unwrap();
            let left = Command::new("pgrep").args(["-f", text]).output().unwrap();
            (!left.status.success())
                .then_some(())
                .ok_or_else(|| said(&left))
        });
        fs::remove_dir_all(&self.home).unwrap();
    }

    /// The node's height, or why it doesn't say.
    pub fn height(&self) -> Result<u64, String> {
        let output = self.command(&["status", "--json"]).output().unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&output.stdout).map_err(|_| said(&output))?;
        json["height"].as_u64().ok_or_else(|| said(&output))
    }

    /// Waits until the node has reached a height; gives where it is.
    pub fn reaches(&self, height: u64) -> u64 {
        wait(
            &format!("company {} to reach {height}: {}", self.host, self.log()),
            || {
                self.height().and_then(|now| match now >= height {
                    true => Ok(now),
                    false => Err(format!("{now}")),
                })
            },
        )
    }

    /// The end of the node program's log.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.home.with_extension("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Company<'_> {
    fn drop(&mut self) {
        if let Some(mut node) = self.node.take() {
            let _ = kill(Pid::from_raw(node.id().cast_signed()), Signal::SIGTERM);
            let _ = node.wait();
        }
    }
}

/// Waits until something is so; the error is what was seen last.
pub fn wait<T>(what: &str, mut check: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match check() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > PATIENCE => panic!("still waiting for {what}: {seen}"),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}
