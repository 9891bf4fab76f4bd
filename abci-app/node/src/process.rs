//! The launcher's side of a guarded program

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::Error;
use crate::guard::GRACE;

/// A program to start under a guard.
#[derive(Debug, Clone)]
pub struct Program {
    /// `white-city-testnet`, which has the guard in it.
    pub guard: PathBuf,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables beside those of this process.
    pub env: Vec<(String, String)>,
    /// Directory in which it runs.
    pub dir: Option<PathBuf>,
    /// File of its standard output; absent: that of its errors.
    pub stdout: Option<PathBuf>,
    /// File of its errors, appended to.
    pub stderr: PathBuf,
}

/// End of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Exit code.
    Code(i32),
    /// Signal that killed it.
    Signal(i32),
    /// Its guard was killed; the program was ended then.
    GuardLost,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::GuardLost => write!(f, "its guard was killed"),
        }
    }
}

/// A signal that a guard passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ask it to end.
    Term,
    /// End it at once.
    Kill,
    /// Freeze it.
    Stop,
    /// Let it go on.
    Continue,
}

/// A running program. Dropping it makes the guard end the program.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    started: Option<u64>,
    guard: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    exit: Option<Exit>,
}

impl Program {
    /// Starts it, and waits until it has a process id.
    pub async fn start(&self) -> Result<Process, Error> {
        let failed = |reason: String| Error::Program {
            program: self.program.display().to_string(),
            reason,
        };
        let mut command = Command::new(&self.guard);
        command.arg("guard").arg("--stderr").arg(&self.stderr);
        for (flag, path) in [("--stdout", &self.stdout), ("--dir", &self.dir)] {
            if let Some(path) = path {
                command.arg(flag).arg(path);
            }
        }
        command.arg("--").arg(&self.program).args(&self.args);
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut guard = command
            .process_group(0)
            .spawn()
            .map_err(|error| failed(format!("its guard {}: {error}", self.guard.display())))?;
        let input = guard.stdin.take();
        let output = guard
            .stdout
            .take()
            .ok_or_else(|| failed("no output".into()))?;
        let mut lines = BufReader::new(output).lines();
        let line = lines.next_line().await.ok().flatten().unwrap_or_default();
        let pid = line
            .strip_prefix("pid ")
            .and_then(|pid| pid.parse().ok())
            .filter(|pid| *pid > 0);
        let Some(pid) = pid else {
            let reason = line
                .strip_prefix("error ")
                .unwrap_or("the guard did not start it");
            return Err(failed(reason.into()));
        };
        Ok(Process {
            pid,
            started: start_time(pid),
            guard,
            input,
            lines,
            exit: None,
        })
    }
}

impl Process {
    /// The program's own process id, not its guard's.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to the program and its process group.
    pub async fn signal(&mut self, signal: Signal) {
        let word: &[u8] = match signal {
            Signal::Term => b"term\n",
            Signal::Kill => b"kill\n",
            Signal::Stop => b"stop\n",
            Signal::Continue => b"cont\n",
        };
        if let Some(input) = &mut self.input {
            // A guard that is gone has ended the program; `wait` tells.
            let _ = input.write_all(word).await;
        }
    }

    /// Waits until the program has ended. Nothing is lost when this is cancelled.
    pub async fn wait(&mut self) -> Exit {
        while self.exit.is_none() {
            let line = self.lines.next_line().await.ok().flatten();
            self.exit = match line
                .as_deref()
                .map(|line| line.split(' ').collect::<Vec<_>>())
            {
                Some(words) => match words.as_slice() {
                    ["exit", "code", code] => code.parse().ok().map(Exit::Code),
                    ["exit", "signal", signal] => signal.parse().ok().map(Exit::Signal),
                    _ => None,
                },
                None => {
                    self.end_without_guard();
                    Some(Exit::GuardLost)
                }
            };
        }
        // The guard ends right after its last word: this only keeps zombies away.
        let _ = self.guard.wait().await;
        self.exit.clone().unwrap_or(Exit::GuardLost)
    }

    /// Asks the program to end, and ends it when it doesn't.
    pub async fn end(&mut self) -> Exit {
        self.signal(Signal::Term).await;
        // One that is stopped would not see the other signal.
        self.signal(Signal::Continue).await;
        if let Ok(exit) = tokio::time::timeout(GRACE, self.wait()).await {
            return exit;
        }
        self.kill().await
    }

    /// Ends the program at once.
    pub async fn kill(&mut self) -> Exit {
        self.signal(Signal::Kill).await;
        if let Ok(exit) = tokio::time::timeout(GRACE, self.wait()).await {
            return exit;
        }
        // A guard that is stopped can't act. Closing its input is all that is left.
        self.input = None;
        self.end_without_guard();
        self.wait().await
    }

    /// Ends the program without its guard's help, unless the number belongs to another process by
    /// now.
    fn end_without_guard(&self) {
        let same = self.started.is_some() && start_time(self.pid) == self.started;
        if let Some(pid) = i32::try_from(self.pid).ok().filter(|_| same) {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::killpg(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// When a process started, in the system's ticks since boot: tells it from a later one with the
/// same number. `None` if there is no such process.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses and may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

/// Waits for a condition, which `check` reports as met, not yet (with what was seen), or hopeless.
///
/// # Errors
/// [`Error::Timeout`] with what was seen last; what `check` says is hopeless.
pub async fn poll<T, E, Check>(
    what: &str,
    within: Duration,
    mut check: impl FnMut() -> Check,
) -> Result<T, E>
where
    E: From<Error>,
    Check: Future<Output = Result<Result<T, String>, E>>,
{
    let deadline = tokio::time::Instant::now() + within;
    let mut pause = Duration::from_millis(10);
    loop {
        match check().await? {
            Ok(value) => return Ok(value),
            Err(seen) if tokio::time::Instant::now() >= deadline => {
                return Err(Error::Timeout {
                    what: what.into(),
                    seconds: within.as_secs(),
                    seen,
                }
                .into());
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// The path of the program that runs.
///
/// # Errors
/// [`Error::Io`].
pub fn this_program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(Error::io("find", Path::new("this program")))
}

/// Completes when the process is asked to end, with the name of the signal.
///
/// # Errors
/// [`Error::Io`] if signals can't be listened for.
pub fn interrupted() -> Result<impl Future<Output = &'static str>, Error> {
    let listen = |kind| signal(kind).map_err(Error::io("listen for", Path::new("signals")));
    let mut int = listen(SignalKind::interrupt())?;
    let mut term = listen(SignalKind::terminate())?;
    let mut hup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = int.recv() => "SIGINT",
            _ = term.recv() => "SIGTERM",
            _ = hup.recv() => "SIGHUP",
        }
    })
}
