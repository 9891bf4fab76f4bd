//! The gateway: what it answers, described as it is, and whom it doesn't answer.

mod attacked;
mod complaining;
mod described;
mod documented;
mod killed;
mod schema;

use std::path::PathBuf;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};

use crate::world::{PATIENCE, World, spawn};

/// A gateway of one of the parties, which listens at a port that the system has chosen.
pub struct Gateway {
    process: Child,
    /// Kept, so that it can say its last word.
    lines: Lines<BufReader<ChildStdout>>,
    pub url: String,
    pub token: String,
    pub http: Client,
}

impl Gateway {
    pub async fn start(world: &World, party: usize, more: &[&str]) -> Self {
        let key = format!("party{party}.key");
        let token = format!("party{party}.token");
        let args = ["gateway", "--identity", &key, "--token-file", &token];
        let args = [&args[..], &["--listen", "127.0.0.1:0"], more].concat();
        let mut command = world.command(&world.url(), &args);
        command.stderr(std::process::Stdio::null());
        let mut process = spawn(command);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let said: Value = serde_json::from_str(&said.unwrap()).unwrap();
        assert_eq!(said["event"], "listening");
        let token = std::fs::read_to_string(file(world, &token)).unwrap();
        Self {
            process,
            lines,
            url: format!("http://{}", said["listen"].as_str().unwrap()),
            token: token.trim().to_owned(),
            http: Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .unwrap(),
        }
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(&self.token)
    }

    /// A request without it.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Kills it as the system does it when memory is short.
    pub async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// Ends it as a service manager does it, and gives its exit code.
    pub async fn end(mut self) -> Option<i32> {
        let pid = self.process.id().unwrap().try_into().unwrap();
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let last = timeout(PATIENCE, self.lines.next_line()).await.unwrap();
        let last: Value = serde_json::from_str(&last.unwrap().unwrap()).unwrap();
        assert_eq!(last["result"], "ended");
        let ended = timeout(PATIENCE, self.process.wait()).await;
        ended.unwrap().unwrap().code()
    }
}

pub fn file(world: &World, name: &str) -> PathBuf {
    world.dir.path().join(name)
}

/// The number of the failure that an answer is.
pub async fn failure(answer: Response) -> (u16, u64) {
    let status = answer.status().as_u16();
    let said: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    (status, said["failure"].as_u64().unwrap())
}
