//! Hundreds of parties: one round of sealed payloads for everybody, and rounds of broadcasts. All verify all that they read.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};
use white_city_client::{
    Session,
    kem::PartyKem,
    wire::{
        Hash, Kem,
        payload::{LibraryKem, PayloadContext, PayloadKem, SessionSeed},
    },
};

use crate::{
    Bench,
    clients::Clients,
    cpu::{Cpu, peak_mib},
    report::{Report, ms},
    world::{PATIENCE, Setup, World, join, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Number of parties; may be given several times.
    #[arg(long, default_values_t = [64, 128, 256, 512])]
    parties: Vec<u16>,
    /// Bytes that each party seals for each other one.
    #[arg(long, default_value_t = 80)]
    sealed: u32,
    /// Bytes that each party broadcasts.
    #[arg(long, default_value_t = 200)]
    bytes: u32,
    /// Rounds of broadcasts.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
}

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("large", "One all-to-all round, then broadcasts").over("parties");
    for n in &args.parties {
        let before = sealing();
        let world = bench.board(Setup::default()).await?;
        let took = session(&world, args, *n).await;
        let (replica_mib, node_mib) = peak_mib(&world);
        Bench::end(world).await;
        // The machine may be slower at one time than at another.
        let after = sealing();
        let payloads = f64::from(*n) * f64::from(*n - 1);
        let sealing_s = |us: fn(&Sealing) -> f64| {
            json!(payloads * f64::midpoint(us(&before), us(&after)) / 1e6)
        };
        let broadcast_ms = ms(took.broadcasts) / f64::from(args.rounds);
        report.row(vec![
            ("parties", json!(n)),
            ("joining s", json!(took.joining.as_secs_f64())),
            ("all-to-all s", json!(took.sealed.as_secs_f64())),
            ("broadcast s", json!(broadcast_ms / 1e3)),
            (
                "rounds s",
                json!((took.sealed + took.broadcasts).as_secs_f64()),
            ),
            ("blocks", json!(took.blocks)),
            ("sealing alone s", sealing_s(|took| took.party_us)),
            ("library's sealing s", sealing_s(|took| took.library_us)),
            ("engines cpu s", seconds(&took.cpu["engines_ms"])),
            ("replicas cpu s", seconds(&took.cpu["replicas_ms"])),
            ("parties cpu s", seconds(&took.cpu["parties_ms"])),
            ("replica MiB", json!(replica_mib)),
            ("node MiB", json!(node_mib)),
        ]);
    }
    Some(report)
}

fn seconds(ms: &Value) -> Value {
    json!(ms.as_f64().unwrap_or(f64::NAN) / 1e3)
}

struct Took {
    joining: Duration,
    sealed: Duration,
    broadcasts: Duration,
    blocks: u64,
    cpu: Value,
}

async fn session(world: &World, args: &Args, n: u16) -> Took {
    let keys = keys(n);
    let others = u64::from(n) - 1;
    let each = 256 + u64::from(args.bytes) + others * u64::from(args.sealed + 48);
    let id = world
        .open(&keys, |spec| {
            spec.payloads(args.bytes, args.sealed)
                .kem(Kem::X25519)
                .max_rounds(args.rounds + 2)
                .max_bytes(u64::from(n) * (each + u64::from(args.rounds) * 600 + 256))
        })
        .await;
    let clients = Clients::Shared.of(world, &keys);
    let began = Instant::now();
    // A few at a time: hundreds that begin in the same moment on two cores wait too long for their answers.
    let beginning = stream::iter(&clients).map(|client| client.session(id));
    let mut sessions: Vec<Session> = beginning.buffered(8).map(Result::unwrap).collect().await;
    let joined = join_all(sessions.iter_mut().map(join)).await;
    joined.into_iter().collect::<Result<(), _>>().unwrap();
    let joining = began.elapsed();
    let (from, clock) = (sessions[0].height(), Cpu::clock(world));
    let cpu = clock();
    let barrier = Arc::new(Barrier::new(n.into()));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for session in sessions {
        let (sealed, bytes, rounds) = (args.sealed, args.bytes, args.rounds);
        running.spawn(party(session, Arc::clone(&barrier), sealed, bytes, rounds));
    }
    let ended = tokio::time::timeout(PATIENCE * 3, running.join_all()).await;
    let ended = ended.expect("the session stands still");
    let broadcasts = began.elapsed();
    let (first, height) = ended.iter().max().copied().unwrap();
    let sealed = first.duration_since(began);
    Took {
        joining,
        sealed,
        broadcasts: broadcasts - sealed,
        blocks: height - from,
        cpu: clock().since(cpu, 1.0),
    }
}

/// When the first round was read by all, and the height in the end.
async fn party(
    mut session: Session,
    barrier: Arc<Barrier>,
    sealed: u32,
    bytes: u32,
    rounds: u32,
) -> (Instant, u64) {
    let (me, n) = (session.index(), session.n());
    let words = |length: u32| vec![me.to_be_bytes()[1]; length as usize];
    let others = (0..n).filter(|to| *to != me);
    let p2p = others.map(|to| (to, words(sealed).into())).collect();
    session.post(1, Vec::new(), p2p).await.unwrap();
    let inbox = session.inbox(1).await.unwrap();
    assert_eq!(inbox.p2p.len(), usize::from(n) - 1);
    drop(inbox);
    barrier.wait().await;
    let first = Instant::now();
    for round in 2..2 + rounds {
        session.post(round, words(bytes), Vec::new()).await.unwrap();
        let inbox = session.inbox(round).await.unwrap();
        assert_eq!(inbox.broadcasts.len(), usize::from(n));
    }
    (first, session.height())
}

/// Times that sealing and opening one payload take when all cores do nothing else, as parties do it and as the library does.
struct Sealing {
    party_us: f64,
    library_us: f64,
}

fn sealing() -> Sealing {
    Sealing {
        party_us: sealing_us::<PartyKem>(),
        library_us: sealing_us::<LibraryKem>(),
    }
}

/// Microseconds of all cores for one payload.
fn sealing_us<K: PayloadKem>() -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let times = 2_000;
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| seal_and_open::<K>(times));
        }
    });
    began.elapsed().as_secs_f64() * 1e6 / f64::from(times) / cores as f64
}

/// Seals so many payloads, and opens them.
fn seal_and_open<K: PayloadKem>(times: u32) {
    let (seed, keys) = (SessionSeed::new([3; 32]), keys(2));
    let identities = [keys[0].identity(), keys[1].identity()];
    let session = white_city_client::SessionId([1; 32]);
    let private = seed.decryption_key::<K>(Kem::X25519, &session, 1);
    let public = seed.encryption_key(Kem::X25519, &session, 1).unwrap();
    let context = PayloadContext {
        network: white_city_client::wire::NetworkId([2; 32]),
        session,
        transcript: Hash([4; 32]),
        round: 1,
        from: 0,
        to: 1,
        from_key: &identities[0],
        to_key: &identities[1],
        to_join: Hash([5; 32]),
    };
    for _ in 0..times {
        let sealed = seed.seal::<K>(&context, &public, &[6; 80]).unwrap();
        private.open(&context, &sealed).unwrap();
    }
}
