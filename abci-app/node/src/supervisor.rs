//! One replica's two processes: started in order, watched, restarted together
//!
//! The application comes first, since CometBFT connects to it; and if either ends, the other is
//! ended too, since CometBFT can't go on over a connection that broke.

mod handle;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::Error;
use crate::files::tail;
use crate::process::{Exit, Process, Program, Signal, poll};

use handle::Mail;
pub use handle::{Handle, Hold, Order};
pub use handle::{RunState, Snapshot};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A pair that ran this long had started well: the next pause is the first one again.
const RAN_WELL: Duration = Duration::from_secs(60);

/// Log of the application, in a home.
pub const APP_LOG: &str = "app.log";
/// Log of the engine, in a home.
pub const ENGINE_LOG: &str = "node.log";
/// Number of lines of a node's log that are looked through for the reason of its standing still.
const LOG_LINES: usize = 1_000;
/// Characters of that line that are shown: a stack follows.
const LINE_CHARS: usize = 300;

/// Told what processes a replica has.
pub struct Pids(pub Box<dyn Fn(u32, u32) + Send + Sync>);

impl std::fmt::Debug for Pids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pids")
    }
}

/// The parts of a replica.
#[derive(Debug)]
pub struct Plan {
    /// Its name in messages, such as "replica 2".
    pub name: String,
    /// The mistake in its home: it isn't started.
    pub bad: Option<String>,
    /// Home of both.
    pub home: PathBuf,
    /// The application with its socket; `None` where it is built into the node.
    pub app: Option<(Program, PathBuf)>,
    /// Socket on which the node listens if it has a remote signer: a node that was killed leaves it behind and could not bind it
    /// again.
    pub signer: Option<PathBuf>,
    /// The engine.
    pub node: Program,
    /// Time that the application may take until it accepts connections.
    pub app_ready: Duration,
    /// Told the process ids of application and node whenever they change, 0 for none.
    pub pids: Pids,
}

/// The programs of a node with its home, as they are started: the application, where it isn't built into the engine, and the engine.
#[must_use]
pub fn pair(
    home: &Path,
    guard: &Path,
    replica: Option<&PathBuf>,
    engine: &Path,
) -> (Option<Program>, Program) {
    let program = |program: &Path, args: Vec<OsString>, log: &str| Program {
        guard: guard.to_owned(),
        program: program.to_owned(),
        args,
        env: Vec::new(),
        dir: Some(home.to_owned()),
        stdout: None,
        stderr: home.join(log),
    };
    let app = replica.map(|replica| {
        let args = vec!["--home".into(), home.join("app").into_os_string()];
        program(replica, args, APP_LOG)
    });
    let args = vec!["start".into(), "--home".into(), home.into()];
    (app, program(engine, args, ENGINE_LOG))
}

struct Pair {
    app: Option<Process>,
    node: Process,
    since: Instant,
}

struct Supervisor {
    plan: Plan,
    pair: Option<Pair>,
    /// When to start again after an unexpected end.
    retry: Option<Instant>,
    pause: Duration,
    publish: watch::Sender<Snapshot>,
}

impl Supervisor {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Mail>) {
        loop {
            let retry = self.retry;
            tokio::select! {
                mail = mailbox.recv() => match mail {
                    Some((order, reply)) => {
                        let result = self.obey(order).await;
                        // Whoever gave the order may have stopped waiting.
                        let _ = reply.send(result);
                    }
                    None => return self.end().await,
                },
                (who, exit) = died(&mut self.pair) => self.recover(who, &exit).await,
                () = until(retry) => {
                    if let Err(error) = self.start().await {
                        self.failed(&error);
                    }
                }
            }
        }
    }

    async fn obey(&mut self, order: Order) -> Result<(), Error> {
        match order {
            Order::Start if self.pair.is_none() => {
                self.pause = FIRST_PAUSE;
                let started = self.start().await;
                if let Err(error) = &started {
                    self.give_up(error);
                }
                started
            }
            Order::Start => Err(self.refuse("expected it to be stopped")),
            Order::End => {
                self.end().await;
                Ok(())
            }
            Order::Kill => {
                self.kill_pair().await;
                Ok(())
            }
            Order::KillApp | Order::KillNode => self.crash(order).await,
            Order::StandsStill { height, others } => {
                self.stands_still(height, others).await;
                Ok(())
            }
            Order::Pause => self.pass_on(Signal::Stop, RunState::Paused).await,
            Order::Resume => self.pass_on(Signal::Continue, RunState::Running).await,
            Order::Wipe if self.pair.is_none() && self.retry.is_none() => {
                crate::home::wipe(&self.plan.home)
            }
            Order::Wipe => Err(self.refuse("expected it to be stopped, as by kill")),
        }
    }

    /// Starts the application, waits until it accepts connections, and starts the node.
    async fn start(&mut self) -> Result<(), Error> {
        self.retry = None;
        if let Some(reason) = &self.plan.bad {
            return Err(Error::Halted {
                name: self.plan.name.clone(),
                diagnosis: format!("{reason}; put it right and start again"),
            });
        }
        crate::join_file::begin_again(&self.plan.home)?;
        if let Some(signer) = &self.plan.signer {
            crate::files::remove(signer)?;
        }
        let mut app = match &self.plan.app {
            None => None,
            Some((program, socket)) => {
                crate::files::remove(socket)?;
                let mut app = program.start().await?;
                self.accepting(&mut app, socket).await?;
                Some(app)
            }
        };
        let node = match self.plan.node.start().await {
            Ok(node) => node,
            Err(error) => {
                if let Some(app) = &mut app {
                    app.end().await;
                }
                return Err(error);
            }
        };
        self.pair = Some(Pair {
            app,
            node,
            since: Instant::now(),
        });
        self.publish(RunState::Running);
        Ok(())
    }

    async fn accepting(&self, app: &mut Process, socket: &PathBuf) -> Result<(), Error> {
        let what = format!(
            "the application of {} to accept connections",
            self.plan.name
        );
        let ready = poll(&what, self.plan.app_ready, || async move {
            let connected = tokio::net::UnixStream::connect(socket).await;
            Ok(connected.map(drop).map_err(|error| error.to_string()))
        });
        let result = tokio::select! {
            ready = ready => ready,
            exit = app.wait() => return Err(self.ended("application", &exit)),
        };
        if result.is_err() {
            app.end().await;
        }
        result
    }

    /// Kills one of the two, as a crash would: supervision heals it.
    async fn crash(&mut self, order: Order) -> Result<(), Error> {
        let refusal = self.refuse("expected it to run");
        let Some(pair) = &mut self.pair else {
            return Err(refusal);
        };
        let who = if order == Order::KillApp {
            "application"
        } else {
            "node"
        };
        let process = match order {
            Order::KillApp => pair.app.as_mut(),
            _ => Some(&mut pair.node),
        };
        let Some(process) = process else {
            return Err(Error::Unsupported(
                "this application is built into the node",
            ));
        };
        let exit = process.kill().await;
        self.recover(who, &exit).await;
        Ok(())
    }

    async fn pass_on(&mut self, signal: Signal, state: RunState) -> Result<(), Error> {
        let refusal = self.refuse("expected it to run");
        let Some(pair) = &mut self.pair else {
            return Err(refusal);
        };
        pair.node.signal(signal).await;
        if let Some(app) = &mut pair.app {
            app.signal(signal).await;
        }
        self.publish(state);
        Ok(())
    }

    /// One of the two ended by itself: ends the other, and decides whether to start again.
    async fn recover(&mut self, who: &str, exit: &Exit) {
        let ran = self
            .pair
            .as_ref()
            .map(|pair| pair.since.elapsed())
            .unwrap_or_default();
        if ran >= RAN_WELL {
            self.pause = FIRST_PAUSE;
        }
        // The node's log often ends because the application's did: an exit code of the
        // application is the better reason.
        let app_exit = match &mut self.pair {
            Some(Pair { app: Some(app), .. }) => {
                tokio::time::timeout(Duration::from_millis(200), app.wait())
                    .await
                    .ok()
            }
            _ => None,
        };
        let (who, exit) = match &app_exit {
            Some(exit) => ("application", exit),
            None => (who, exit),
        };
        self.end_pair().await;
        let error = self.ended(who, exit);
        self.failed(&error);
    }

    /// The node runs and doesn't go on: ends both, and starts them again.
    async fn stands_still(&mut self, height: u64, others: u64) {
        if self.pair.is_none() {
            return;
        }
        let log = self.plan.home.join(ENGINE_LOG);
        let last = tail(&log, LOG_LINES);
        let failure = last.lines().find(|line| line.contains("CONSENSUS FAILURE"));
        let failure = failure.map(|line| line.chars().take(LINE_CHARS).collect::<String>());
        let error = Error::Ended(format!(
            "its node has stayed at height {height} while others reached {others}{}",
            failure.map_or_else(String::new, |line| format!("; {}: {line}", log.display()))
        ));
        self.end_pair().await;
        self.failed(&error);
    }

    /// Publishes a failure, and when to try again if that can help.
    fn failed(&mut self, error: &Error) {
        self.note(error);
        if let Error::Halted { diagnosis, .. } = error {
            tracing::error!("{error}");
            self.publish(RunState::Halted(diagnosis.clone()));
            return;
        }
        tracing::warn!("{}: {error}; again in {:?}", self.plan.name, self.pause);
        self.retry = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.publish
            .send_modify(|snapshot| snapshot.restarts = snapshot.restarts.saturating_add(1));
        self.publish(RunState::Restarting);
    }

    /// A start that was ordered and failed is reported, not repeated.
    fn give_up(&mut self, error: &Error) {
        self.note(error);
        match error {
            Error::Halted { diagnosis, .. } => self.publish(RunState::Halted(diagnosis.clone())),
            _ => self.publish(RunState::Stopped),
        }
    }

    /// Remembers why it isn't running.
    fn note(&self, error: &Error) {
        self.publish
            .send_modify(|snapshot| snapshot.why = error.to_string());
    }

    /// The error that tells of an end: for good if the application said so.
    fn ended(&self, who: &str, exit: &Exit) -> Error {
        let name = self.plan.name.clone();
        let file = if who == "node" { ENGINE_LOG } else { APP_LOG };
        let log = self.plan.home.join(file);
        let diagnosis = format!(
            "{who} ended, {exit}; the end of {}:\n{}",
            log.display(),
            tail(&log, 10)
        );
        match exit {
            Exit::Code(2..=4) if who == "application" => Error::Halted { name, diagnosis },
            _ => Error::Ended(diagnosis),
        }
    }

    async fn end(&mut self) {
        self.retry = None;
        self.end_pair().await;
        self.publish(RunState::Stopped);
    }

    /// Node first: it would take the application's end for a fault.
    async fn end_pair(&mut self) {
        if let Some(mut pair) = self.pair.take() {
            pair.node.end().await;
            if let Some(app) = &mut pair.app {
                app.end().await;
            }
        }
    }

    async fn kill_pair(&mut self) {
        self.retry = None;
        if let Some(mut pair) = self.pair.take() {
            // Before the application, and not yet waited for: it would end by itself, in order, when that is gone.
            pair.node.signal(Signal::Kill).await;
            if let Some(app) = &mut pair.app {
                app.kill().await;
            }
            pair.node.kill().await;
        }
        self.publish(RunState::Stopped);
    }

    fn refuse(&self, expected: &'static str) -> Error {
        let state = self.publish.borrow().state.to_string();
        Error::State {
            name: self.plan.name.clone(),
            state,
            expected,
        }
    }

    fn publish(&self, state: RunState) {
        let pid = |process: Option<&Process>| process.map(Process::pid).unwrap_or_default();
        let app_pid = pid(self.pair.as_ref().and_then(|pair| pair.app.as_ref()));
        let node_pid = pid(self.pair.as_ref().map(|pair| &pair.node));
        (self.plan.pids.0)(app_pid, node_pid);
        self.publish.send_modify(|snapshot| {
            *snapshot = Snapshot {
                state,
                app_pid,
                node_pid,
                restarts: snapshot.restarts,
                why: std::mem::take(&mut snapshot.why),
            };
        });
    }
}

/// Waits until one of a running pair ends; for ever if there is none.
async fn died(pair: &mut Option<Pair>) -> (&'static str, Exit) {
    match pair {
        None => std::future::pending().await,
        Some(Pair {
            app: None, node, ..
        }) => ("node", node.wait().await),
        Some(Pair {
            app: Some(app),
            node,
            ..
        }) => tokio::select! {
            // Where both have ended, the application's end is the cause.
            biased;
            exit = app.wait() => ("application", exit),
            exit = node.wait() => ("node", exit),
        },
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
