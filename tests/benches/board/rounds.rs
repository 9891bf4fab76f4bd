//! Rounds of one session: what a party waits, beside blocks of the bare engine and a relay that is simply trusted.

use std::time::Instant;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use white_city_client::{Error, Session};
use white_city_testnet::Profile;

use crate::{
    Bench,
    clients::Clients,
    cpu::Cpu,
    crowd::Crowd,
    engine::{Engine, POST_BYTES},
    relay,
    report::{Report, median_ms},
    warm_up::warm_up,
    world::{PATIENCE, Setup, World, finish, join, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Number of parties; may be given several times.
    #[arg(long, default_values_t = [4, 16, 64])]
    parties: Vec<u16>,
    /// Rounds of a session, after five that aren't measured.
    #[arg(long, default_value_t = 30)]
    rounds: u32,
    /// Bytes that each party broadcasts in a round; may be given several times.
    #[arg(long, default_values_t = [250])]
    bytes: Vec<u32>,
    /// Clients that run here beside the replicas; may be given several times.
    #[arg(long, value_enum, default_values_t = [Clients::One, Clients::Shared])]
    clients: Vec<Clients>,
    /// Leaves out the replicas whose proposals don't wait.
    #[arg(long)]
    no_naive: bool,
}

/// Rounds that aren't measured.
const WARM_UP: u32 = 5;

/// The rounds of one session.
pub struct Measured {
    /// The median as the first party sees it: from the beginning of its post until it has read the whole round.
    pub round_ms: f64,
    /// Number of heights that the board grew by for each round.
    pub blocks: f64,
    /// Processor time for each round.
    pub cpu: Value,
}

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("rounds", "Rounds of one session").over("parties");
    let sizes = || {
        let sizes = args.parties.iter();
        sizes.flat_map(|n| args.bytes.iter().map(move |bytes| (*n, *bytes)))
    };
    let before = floors(bench, args, sizes()).await?;
    let waiting = bench.board(Setup::default()).await?;
    warm_up(&waiting).await;
    let mut measured = Vec::new();
    for (n, bytes) in sizes() {
        for clients in &args.clients {
            let rounds = session(&waiting, *clients, n, bytes, args.rounds).await;
            measured.push((n, bytes, *clients, rounds));
        }
    }
    Bench::end(waiting).await;
    let mut naive = Vec::new();
    if !args.no_naive {
        let setup = Setup {
            profile: Some(Profile {
                proposal_wait: 0,
                ..Profile::DATA_CENTRE
            }),
            ..Setup::default()
        };
        let world = bench.board(setup).await?;
        warm_up(&world).await;
        for (n, bytes) in sizes() {
            naive.push(session(&world, args.clients[0], n, bytes, args.rounds).await);
        }
        Bench::end(world).await;
    }
    let after = floors(bench, args, sizes()).await?;
    for (n, bytes, clients, rounds) in measured {
        let at = sizes().position(|size| size == (n, bytes)).unwrap();
        let mean = |get: fn(&Floor) -> f64| f64::midpoint(get(&before[at]), get(&after[at]));
        let (block_ms, all_ms) = (mean(|floor| floor.block_ms), mean(|floor| floor.all_ms));
        let naive = (clients == args.clients[0])
            .then(|| naive.get(at))
            .flatten();
        report.row(vec![
            ("parties", json!(n)),
            ("bytes", json!(bytes)),
            ("clients", json!(clients.name())),
            ("block ms", json!(block_ms)),
            ("posts ms", json!(all_ms)),
            ("posts blocks", json!(mean(|floor| floor.all_blocks))),
            ("round ms", json!(rounds.round_ms)),
            ("round/block", json!(rounds.round_ms / block_ms)),
            ("round/posts", json!(rounds.round_ms / all_ms)),
            ("blocks", json!(rounds.blocks)),
            ("engines cpu", rounds.cpu["engines_ms"].clone()),
            ("replicas cpu", rounds.cpu["replicas_ms"].clone()),
            ("parties cpu", rounds.cpu["parties_ms"].clone()),
            ("naive ms", json!(naive.map(|naive| naive.round_ms))),
            ("naive blocks", json!(naive.map(|naive| naive.blocks))),
            (
                "relay ms",
                json!(relay::round_ms(n, bytes, args.rounds).await),
            ),
        ]);
    }
    Some(report)
}

/// The bare engine for one size of rounds.
struct Floor {
    /// A block with one transaction of a whole round's bytes.
    block_ms: f64,
    /// As many transactions as a round has posts, with the same bytes, until all are in blocks.
    all_ms: f64,
    all_blocks: f64,
}

async fn floors(
    bench: &Bench,
    args: &Args,
    sizes: impl Iterator<Item = (u16, u32)>,
) -> Option<Vec<Floor>> {
    let mut engine = Engine::start(bench, Setup::default()).await?;
    let mut floors = Vec::new();
    for (n, bytes) in sizes {
        let (n, post) = (usize::from(n), bytes as usize + POST_BYTES);
        // A transaction has an end; a round of more is several blocks' worth of the engine's work.
        let whole = (n * post).min(700_000);
        let block_ms = engine.block_ms(whole, args.rounds).await;
        let (all_ms, all_blocks) = engine.transactions(n, post, args.rounds).await;
        floors.push(Floor {
            block_ms,
            all_ms,
            all_blocks,
        });
    }
    engine.stop().await;
    Some(floors)
}

/// Runs a session of `n` parties that broadcast `bytes` each in each of its rounds.
pub async fn session(world: &World, clients: Clients, n: u16, bytes: u32, rounds: u32) -> Measured {
    let keys = keys(n);
    let id = world
        .open(&keys, |spec| {
            spec.payloads(bytes, 0).max_rounds(WARM_UP + rounds + 1)
        })
        .await;
    let clients = clients.of(world, &keys);
    let sessions = join_all(clients.iter().map(|client| client.session(id))).await;
    let mut sessions: Vec<Session> = sessions.into_iter().map(Result::unwrap).collect();
    let crowd = Crowd::new(world, &keys, sessions.len(), &sessions[0]).await;
    let joining = join_all(sessions.iter_mut().map(join));
    let (joined, ()) = tokio::join!(joining, crowd.join());
    joined.into_iter().collect::<Result<(), _>>().unwrap();
    let first = sessions.swap_remove(0);
    let mut others = JoinSet::new();
    for mut session in sessions {
        others.spawn(async move {
            for _ in 0..WARM_UP + rounds {
                broadcast(&mut session, bytes).await.unwrap();
            }
            finish(&mut session).await.unwrap();
        });
    }
    let run = tokio::spawn(first_party(Cpu::clock(world), first, crowd, bytes, rounds));
    let measured = tokio::time::timeout(PATIENCE, run).await;
    let measured = measured.expect("the session stands still").unwrap();
    others.join_all().await;
    measured
}

/// The first party, whose time is measured, and those who write when it does.
async fn first_party(
    clock: impl Fn() -> Cpu + Send + 'static,
    mut session: Session,
    crowd: Crowd,
    bytes: u32,
    rounds: u32,
) -> Measured {
    let (mut times, mut from, mut cpu) = (Vec::new(), 0, clock());
    for number in 1..=WARM_UP + rounds {
        let transcript = session.history().transcript();
        let began = Instant::now();
        let posting = crowd.post(number, transcript, bytes);
        let ((), read) = tokio::join!(posting, broadcast(&mut session, bytes));
        read.unwrap();
        if number > WARM_UP {
            times.push(began.elapsed());
        } else {
            (from, cpu) = (session.height(), clock());
        }
    }
    let measured = Measured {
        round_ms: median_ms(times),
        blocks: (session.height() - from) as f64 / f64::from(rounds),
        cpu: clock().since(cpu, f64::from(rounds)),
    };
    if crowd.is_empty() {
        finish(&mut session).await.unwrap();
    }
    measured
}

/// One round of a broadcast from each.
pub async fn broadcast(session: &mut Session, bytes: u32) -> Result<(), Error> {
    let words = vec![session.index().to_be_bytes()[1]; bytes as usize];
    let number = session.history().open_round();
    session.post(number, words, vec![]).await?;
    let inbox = session.inbox(number).await?;
    assert_eq!(inbox.broadcasts.len(), usize::from(session.n()));
    Ok(())
}
