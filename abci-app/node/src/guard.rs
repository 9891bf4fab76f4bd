//! A small process between the launcher and each program that it starts
//!
//! The launcher may be killed in a way that it can't handle. So it starts every program through a
//! guard, and holds the other end of the guard's standard input: when that closes, for whatever
//! reason, the guard ends the program and then itself. The guard is the program's parent, so a
//! signal that it sends can't reach an unrelated process that got the same number later.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// Time that a program may take to end when it is asked to.
pub const GRACE: Duration = Duration::from_secs(5);

/// Command line of a guard.
#[derive(Debug, Clone, clap::Args)]
pub struct GuardArgs {
    /// File to which the program's standard output is appended; where absent, that of its errors.
    #[arg(long)]
    pub stdout: Option<PathBuf>,
    /// File to which the program's standard error is appended.
    #[arg(long)]
    pub stderr: PathBuf,
    /// Directory in which the program runs.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// Runs a program under this process until it ends or standard input closes.
///
/// Prints `pid N`, then `exit code N` or `exit signal N`; or `error …` if it could not be started.
/// Lines `term`, `kill`, `stop` and `cont` on standard input send that signal to the program and
/// all that it started in its process group.
#[must_use]
pub fn run(args: &GuardArgs) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(guard(args)),
        Err(error) => Err(error),
    };
    match result {
        Ok(status) => report(&describe(status)),
        Err(error) => {
            let words: Vec<_> = args
                .command
                .iter()
                .map(|word| word.to_string_lossy())
                .collect();
            report(&format!(
                "error {}: {error}",
                words.first().map_or("", |word| word)
            ));
            return 1;
        }
    }
    0
}

/// `println!` panics when the launcher is gone; the guard has work to do just then.
fn report(line: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => format!("exit signal {}", status.signal().unwrap_or_default()),
    }
}

async fn guard(args: &GuardArgs) -> std::io::Result<ExitStatus> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    // Tokio's own standard input reads on a thread that nothing interrupts: the guard would outlive its program.
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut lines = BufReader::new(pipe::Receiver::from_owned_fd(input)?).lines();
    let mut child = spawn(args)?;
    report(&format!("pid {}", child.id().unwrap_or_default()));
    loop {
        tokio::select! {
            status = child.wait() => return status,
            line = lines.next_line() => match line.as_ref().map(|line| line.as_deref()) {
                Ok(Some("term")) => send(&child, Signal::SIGTERM),
                Ok(Some("kill")) => send(&child, Signal::SIGKILL),
                Ok(Some("stop")) => send(&child, Signal::SIGSTOP),
                Ok(Some("cont")) => send(&child, Signal::SIGCONT),
                // A word that this guard doesn't know: leave the program alone.
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return end(&mut child).await,
            },
            _ = term.recv() => return end(&mut child).await,
            _ = int.recv() => return end(&mut child).await,
            _ = hup.recv() => return end(&mut child).await,
        }
    }
}

fn spawn(args: &GuardArgs) -> std::io::Result<Child> {
    let (program, rest) = args
        .command
        .split_first()
        .ok_or_else(|| std::io::Error::other("no program"))?;
    let stderr = append(&args.stderr)?;
    let stdout = args
        .stdout
        .as_deref()
        .map_or_else(|| stderr.try_clone(), append)?;
    let mut command = Command::new(program);
    command
        .args(rest)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        // Ctrl-C in a terminal goes to the launcher, which ends things in order.
        .process_group(0);
    if let Some(dir) = &args.dir {
        command.current_dir(dir);
    }
    command.spawn()
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

async fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    send(child, Signal::SIGTERM);
    // One that is stopped would not see the other signal.
    send(child, Signal::SIGCONT);
    if let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await {
        return status;
    }
    send(child, Signal::SIGKILL);
    child.wait().await
}

/// Signals the program's process group, as long as the program has not been waited for.
fn send(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // It may have ended a moment ago; then there is nothing to do.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}
