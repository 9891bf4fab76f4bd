//! What a round costs beside what a block of the bare engine costs, in one run on one machine.
//!
//! `cargo bench -p white-city-tests --bench rounds` runs sessions of several sizes on four replicas whose proposals wait for
//! rounds, and on four whose proposals don't; and the engine alone under an application that does nothing, with one
//! transaction of a whole round's bytes after the other. Everything shares this machine's cores: four replicas, four nodes,
//! and every party, which verifies all that it reads.

#[path = "../e2e/world.rs"]
mod world;

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Parser;
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use white_city_client::{Error, Session};

use crate::world::{PATIENCE, Setup, World, finish, join, keys, party, world};

/// What a post weighs beside its payload, about: header, signature and framing.
const POST_BYTES: usize = 150;

/// Rounds beside blocks of the bare engine.
#[derive(Parser)]
struct Args {
    /// How many parties; may be given several times.
    #[arg(long, default_values_t = [4, 16, 64])]
    parties: Vec<u8>,
    /// Rounds of a session, after five that aren't measured.
    #[arg(long, default_value_t = 40)]
    rounds: u32,
    /// What each party broadcasts in a round, bytes.
    #[arg(long, default_value_t = 250)]
    bytes: u32,
    /// Homes on disk instead of in memory.
    #[arg(long)]
    disk: bool,
    /// Leaves out the replicas whose proposals don't wait.
    #[arg(long)]
    no_naive: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Rounds that aren't measured.
const WARM_UP: u32 = 5;

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let Some(floor) = engine_floor(&args).await else {
        return;
    };
    let waiting = on_replicas(&args, "").await;
    let naive = match args.no_naive {
        true => vec![Value::Null; args.parties.len()],
        false => on_replicas(&args, "proposal_wait_ms = 0\n").await,
    };
    let again = engine_floor(&args).await.unwrap();
    let rows: Vec<Value> = (0..args.parties.len())
        .map(|at| {
            let floor_ms = (floor[at] + again[at]) / 2.0;
            json!({
                "parties": args.parties[at],
                "floor_ms": floor_ms,
                "waiting": waiting[at],
                "naive": naive[at],
                "round_by_floor": waiting[at]["round_ms"].as_f64().unwrap() / floor_ms,
            })
        })
        .collect();
    if args.json {
        println!(
            "{}",
            json!({ "bytes": args.bytes, "rounds": args.rounds, "rows": rows })
        );
    } else {
        table(&rows);
    }
}

/// The median of how long a block of the bare engine takes, for each number of parties: from sending a transaction of as many
/// bytes as a round has, to all replicas, until one of them says that it is in a block.
async fn engine_floor(args: &Args) -> Option<Vec<f64>> {
    let world = world(Setup {
        replica_program: Some(env!("CARGO_BIN_EXE_white-city-noop").into()),
        tmpfs: !args.disk,
        ..Setup::default()
    })
    .await?;
    let http = reqwest::Client::new();
    let mut medians = Vec::new();
    for parties in &args.parties {
        let bytes = usize::from(*parties) * (args.bytes as usize + POST_BYTES);
        let mut times = Vec::new();
        for number in 0..WARM_UP + args.rounds {
            let mut tx = vec![*parties; bytes];
            tx[..4].copy_from_slice(&number.to_be_bytes());
            tx[4..12].copy_from_slice(&(times.len() as u64).to_be_bytes());
            let began = Instant::now();
            commit(&http, &world, &tx).await;
            if number >= WARM_UP {
                times.push(began.elapsed());
            }
        }
        medians.push(median_ms(times));
    }
    world.stop().await;
    Some(medians)
}

/// Sends to all replicas and waits until the first one says that the transaction is in a block.
async fn commit(http: &reqwest::Client, world: &World, tx: &[u8]) {
    let params = json!({ "tx": STANDARD.encode(tx) });
    let request =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_commit", "params": params });
    let request = request.to_string();
    let mut asked: FuturesUnordered<_> = world
        .net
        .rpc_urls()
        .iter()
        .map(async |url| {
            let answer = http.post(url).body(request.clone()).send().await?;
            answer.text().await
        })
        .collect();
    // A replica that gossip has reached before refuses, since it has the transaction.
    while let Some(answer) = asked.next().await {
        let answer: Value = serde_json::from_str(&answer.unwrap()).unwrap();
        if answer["result"]["height"].is_string() {
            return;
        }
    }
    panic!("no replica has taken it");
}

/// One session for each number of parties, on four fresh replicas with these lines in their configuration.
async fn on_replicas(args: &Args, replica_config: &'static str) -> Vec<Value> {
    let world = world(Setup {
        replica_config,
        tmpfs: !args.disk,
        ..Setup::default()
    })
    .await
    .unwrap();
    warm_up(&world).await;
    let mut rows = Vec::new();
    for parties in &args.parties {
        rows.push(session(&world, args, *parties).await);
    }
    world.agree().await;
    world.stop().await;
    rows
}

/// One session that isn't measured.
async fn warm_up(world: &World) {
    let keys = keys(4);
    let id = world.open(&keys, |spec| spec).await;
    let mut running = JoinSet::new();
    for key in &keys {
        running.spawn(party(world.session(key, id).await, 3));
    }
    for end in running.join_all().await {
        end.unwrap();
    }
}

/// The rounds of one session: the median of their latency as the first party sees it, and blocks for each.
async fn session(world: &World, args: &Args, parties: u8) -> Value {
    let keys = keys(parties);
    let id = world
        .open(&keys, |spec| {
            spec.payloads(args.bytes, 0)
                .max_rounds(WARM_UP + args.rounds + 1)
        })
        .await;
    let sessions = join_all(keys.iter().map(|key| world.session(key, id))).await;
    let mut running = JoinSet::new();
    for mut session in sessions {
        let (rounds, bytes) = (args.rounds, args.bytes);
        running.spawn(async move {
            join(&mut session).await.unwrap();
            let (mut times, mut from) = (Vec::new(), 0);
            for number in 1..=WARM_UP + rounds {
                let began = Instant::now();
                broadcast(&mut session, bytes).await.unwrap();
                if number > WARM_UP {
                    times.push(began.elapsed());
                } else {
                    from = session.height();
                }
            }
            let blocks = session.height() - from;
            finish(&mut session).await.unwrap();
            (session.index(), times, blocks)
        });
    }
    let ended = tokio::time::timeout(PATIENCE, running.join_all()).await;
    let mut ended = ended.expect("the session stands still");
    ended.sort_by_key(|(index, ..)| *index);
    let (_, times, blocks) = ended.swap_remove(0);
    json!({
        "round_ms": median_ms(times),
        "blocks_a_round": blocks as f64 / f64::from(args.rounds),
    })
}

/// One round of a broadcast from each.
async fn broadcast(session: &mut Session, bytes: u32) -> Result<(), Error> {
    let words = vec![session.index().to_be_bytes()[1]; bytes as usize];
    let number = session.history().open_round();
    session.post(number, words, vec![]).await?;
    let inbox = session.inbox(number).await?;
    assert_eq!(inbox.broadcasts.len(), usize::from(session.n()));
    Ok(())
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

fn table(rows: &[Value]) {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    println!(
        "parties  engine ms  round ms  / engine  blocks/round  | naive: round ms  blocks/round"
    );
    for row in rows {
        println!(
            "{:>7}  {:>9.1}  {:>8.1}  {:>8.2}  {:>12.2}  | {:>15.1}  {:>12.2}",
            row["parties"],
            number(&row["floor_ms"]),
            number(&row["waiting"]["round_ms"]),
            number(&row["round_by_floor"]),
            number(&row["waiting"]["blocks_a_round"]),
            number(&row["naive"]["round_ms"]),
            number(&row["naive"]["blocks_a_round"]),
        );
    }
}
