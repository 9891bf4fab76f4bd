//! Speed of sessions beside an attacker who sends as much as it can.
//!
//! Attacker, replicas and parties share this machine's cores. What that alone costs is measured in the same run: beside a
//! process that sends nothing and keeps one core busy.
//!
//! `cargo bench -p white-city-tests --bench pace` runs sessions of four parties on four replicas, in turn undisturbed and
//! beside one attacker, for each kind of flood and each attack on the direct ports (`--kind`, `--direct`), and beside a replica that
//! lies (`--lie`); it prints the medians, their ratio, and the replicas' peak memory.

#[path = "board/warm_up.rs"]
mod warm_up;
#[path = "../e2e/world.rs"]
mod world;

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use clap::Parser;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use white_city_tests::adversary::{DirectFlood, Flood, Lie, Tally};

use crate::{
    warm_up::warm_up,
    world::{Key, PATIENCE, Setup, World, finish, join, keys, round, world},
};

/// Sessions beside an attacker.
#[derive(Parser)]
struct Args {
    /// Floods; may be given several times. Each by itself, and then all at once, unless given.
    #[arg(long, value_enum)]
    kind: Vec<Flood>,
    /// Attacks on the direct ports; may be given several times. Each by itself, unless a flood or an attack is given.
    #[arg(long, value_enum)]
    direct: Vec<DirectFlood>,
    /// Lies of one replica's application, as `white-city-hostile lies` names them; may be given several times. None unless given.
    #[arg(long, value_parser = lie)]
    lie: Vec<Lie>,
    /// From how many addresses direct ports are attacked.
    #[arg(long, default_value_t = 16)]
    addresses: u8,
    /// Number of connections of such an attacker at once; 5 000 silent ones, 1 200 that read nothing and 64 others unless given.
    #[arg(long)]
    direct_connections: Option<u16>,
    /// Number of pairs of sessions, one undisturbed and one beside the attacker, for each flood.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Rounds of a session.
    #[arg(long, default_value_t = 30)]
    rounds: u32,
    /// Number of transactions that the attacker has under way at once.
    #[arg(long, default_value_t = 1)]
    connections: u16,
    /// A replica that the attacker sends to, from 0; may be given several times. All of them unless given.
    #[arg(long, value_name = "K")]
    replica: Vec<usize>,
    /// A replica's program to measure instead of this workspace's.
    #[arg(long)]
    replica_program: Option<PathBuf>,
    /// One JSON object a flood instead of text.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let liars = PathBuf::from(env!("CARGO_BIN_EXE_white-city-hostile"));
    let program = args.replica_program.clone();
    let setup = Setup {
        replica_program: program.or_else(|| (!args.lie.is_empty()).then_some(liars)),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    warm_up(&world).await;
    for attack in attacks(&args) {
        let report = measure(&world, &args, &attack).await;
        println!(
            "{}",
            if args.json {
                report.to_string()
            } else {
                text(&report)
            }
        );
    }
    world.agree().await;
    world.stop().await;
}

/// Attack that a session runs beside.
enum Attack {
    BusyCore,
    Flood(Vec<Flood>),
    Direct(DirectFlood),
    Lie(Lie),
}

/// The replica that lies.
const LIAR: usize = 0;

fn lie(name: &str) -> Result<Lie, String> {
    Lie::named(name).ok_or_else(|| "expected a name of `white-city-hostile lies`".into())
}

impl Attack {
    const fn name(&self) -> &'static str {
        match self {
            Self::BusyCore => "one busy core",
            Self::Direct(kind) => kind.name(),
            Self::Lie(lie) => lie.name(),
            Self::Flood(kinds) => match kinds.as_slice() {
                [one] => one.name(),
                _ => "all",
            },
        }
    }
}

fn attacks(args: &Args) -> Vec<Attack> {
    let is_all = args.kind.is_empty() && args.direct.is_empty() && args.lie.is_empty();
    let (kinds, direct) = match is_all {
        true => (Flood::ALL.to_vec(), DirectFlood::ALL.to_vec()),
        false => (args.kind.clone(), args.direct.clone()),
    };
    let floods = kinds.into_iter().map(|kind| Attack::Flood(vec![kind]));
    let together = is_all.then(|| Attack::Flood(Flood::ALL.to_vec()));
    let direct = direct.into_iter().map(Attack::Direct);
    let lies = args.lie.iter().copied().map(Attack::Lie);
    let attacks = floods.chain(together).chain(direct).chain(lies);
    [Attack::BusyCore].into_iter().chain(attacks).collect()
}

/// Pairs of sessions, one undisturbed and one beside the attack.
async fn measure(world: &World, args: &Args, attack: &Attack) -> Value {
    let keys = keys(4);
    let (mut quiet, mut attacked, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.pairs {
        quiet.push(session(world, &keys, args, None).await.0);
        let (pace, report) = session(world, &keys, args, Some(attack)).await;
        attacked.push(pace);
        sent.push(report);
    }
    let (quiet, attacked) = (median(quiet), median(attacked));
    let peaks: Vec<u64> = (0..world.net.replicas())
        .map(|k| peak_kb(world, k))
        .collect();
    json!({
        "flood": attack.name(),
        "rounds_a_second": { "undisturbed": quiet, "attacked": attacked },
        "ratio": attacked / quiet,
        "peak_kb": peaks,
        "sent": sent.last(),
    })
}

/// Rounds a second of one session, beside an attack if there is one; and what the attacker says.
async fn session(
    world: &World,
    keys: &[Key],
    args: &Args,
    attack: Option<&Attack>,
) -> (f64, Value) {
    let id = world
        .open(keys, |spec| spec.max_rounds(args.rounds + 1))
        .await;
    let mut sessions = Vec::new();
    for key in keys {
        sessions.push(world.session(key, id).await);
    }
    let mut joining = JoinSet::new();
    for mut session in sessions {
        joining.spawn(async move {
            join(&mut session).await.unwrap();
            session
        });
    }
    let sessions = joining.join_all().await;
    let attacker = attack.map(|attack| Attacker::start(world, args, attack, &id.to_string()));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for mut session in sessions {
        let rounds = args.rounds;
        running.spawn(async move {
            for number in 1..=rounds {
                round(&mut session, number).await.unwrap();
            }
            session
        });
    }
    let sessions = tokio::time::timeout(PATIENCE, running.join_all()).await;
    let pace = f64::from(args.rounds) / began.elapsed().as_secs_f64();
    let report = attacker.map_or(Value::Null, Attacker::stop);
    let mut ending = JoinSet::new();
    for mut session in sessions.expect("the session stands still") {
        ending.spawn(async move { finish(&mut session).await.unwrap() });
    }
    ending.join_all().await;
    (pace, report)
}

/// The attacker.
enum Attacker {
    /// A process that only keeps a core busy.
    Busy(Child),
    /// One that sends.
    Sends(Child),
    /// A replica that was told how to lie, and the home of its application.
    Lies(Lie, PathBuf),
}

impl Attacker {
    /// Returns when it has begun to send.
    fn start(world: &World, args: &Args, attack: &Attack, session: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_white-city-hostile"));
        match attack {
            Attack::BusyCore => {
                let mut command = Command::new("sh");
                command.args(["-c", "while :; do :; done"]);
                return Self::Busy(command.spawn().unwrap());
            }
            Attack::Lie(lie) => {
                let home = world.net.home(LIAR).join("app");
                std::fs::write(home.join("hostile"), lie.name()).unwrap();
                return Self::Lies(*lie, home);
            }
            Attack::Flood(kinds) => {
                command.arg("spam");
                command.arg(format!("--connections={}", args.connections));
                for kind in kinds {
                    command.args(["--kind", kind.name()]);
                }
            }
            Attack::Direct(kind) => {
                let connections = args.direct_connections.unwrap_or(match kind {
                    DirectFlood::Silent => 5_000,
                    DirectFlood::Unread => 1_200,
                    DirectFlood::BadSignatures | DirectFlood::LargePosts => 64,
                });
                command.args(["direct", "--kind", kind.name()]);
                command.arg(format!("--connections={connections}"));
                command.arg(format!("--addresses={}", args.addresses));
            }
        }
        command
            .args(["--json", "--session", session])
            // It ends with the session; or by itself, should this program be ended before.
            .arg(format!("--seconds={}", PATIENCE.as_secs()))
            .arg("--network")
            .arg(world.net.network_file())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for replica in &args.replica {
            command.arg(format!("--replica={replica}"));
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let errors = child.stderr.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(errors), &mut line).unwrap();
        assert_eq!(line.trim(), "sending");
        Self::Sends(child)
    }

    /// Ends it, as Ctrl-C would, and gives its report.
    fn stop(self) -> Value {
        match self {
            Self::Busy(mut process) => {
                process.kill().unwrap();
                process.wait().unwrap();
                Value::Null
            }
            Self::Sends(process) => {
                let pid = process.id().to_string();
                let interrupted = Command::new("kill").args(["-INT", &pid]).status();
                assert!(interrupted.unwrap().success());
                let output = process.wait_with_output().unwrap();
                serde_json::from_slice(&output.stdout).unwrap()
            }
            Self::Lies(lie, home) => {
                std::fs::write(home.join("hostile"), "").unwrap();
                let lies = Tally::read(&home.join("lies"));
                json!({ "sent": { lie.name(): lies.get(lie.name()) } })
            }
        }
    }
}

/// The most memory that a replica's application has ever used, KB.
fn peak_kb(world: &World, replica: usize) -> u64 {
    let pid = world.net.snapshot(replica).unwrap().app_pid;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.and_then(|rest| rest.split_whitespace().next());
    words.and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn text(report: &Value) -> String {
    let paces = &report["rounds_a_second"];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let peak = report["peak_kb"].as_array().into_iter().flatten();
    let peak = peak.filter_map(Value::as_u64).max().unwrap_or(0);
    let sent = report["sent"]["sent"].as_object().into_iter().flatten();
    let sent: Vec<String> = sent
        .map(|(kind, answers)| format!("{kind} {answers}"))
        .collect();
    format!(
        "{:<15} {:>6.1} rounds a second undisturbed, {:>6.1} attacked: {:.2}; peak {} MB; {}",
        report["flood"].as_str().unwrap_or_default(),
        number(&paces["undisturbed"]),
        number(&paces["attacked"]),
        number(&report["ratio"]),
        peak / 1_024,
        sent.join("; "),
    )
}
