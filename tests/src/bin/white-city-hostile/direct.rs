//! An attacker of direct ports.

mod connecting;
mod own_session;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use white_city_tests::{adversary::DirectFlood, party::Party};
use white_city_wire::{
    Hash,
    pb::{InboxQuery, SessionRef, query::Question, session_ref::Ref},
    read::encode_query,
    tx::{Action, Post},
};

use connecting::Port;
use own_session::OwnSession;

use crate::spam::{report::Report, target::Target};

/// Transactions of one request.
const TOGETHER: u64 = 32;
/// Identities of this program begin here: none is a party of a test.
const IDENTITIES: u64 = 1 << 41;

/// Arguments of `direct`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network.json of a running network.
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Attack on the direct ports.
    #[arg(long, value_enum)]
    kind: DirectFlood,
    /// A replica to attack, from 0; may be given several times. All of them unless given.
    #[arg(long, value_name = "K")]
    replica: Vec<usize>,
    /// A session that forged posts are for, its id or number. The latest one unless given.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// From how many addresses.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    addresses: u8,
    /// Number of connections at once, spread over addresses and replicas.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=15_000))]
    connections: u16,
    /// Sessions whose parties send large posts.
    #[arg(long, default_value_t = 14)]
    sessions: u16,
    /// Parties of each of them.
    #[arg(long, default_value_t = 96)]
    parties: u16,
    /// Time that it lasts; until it is ended unless given.
    #[arg(long)]
    seconds: Option<u64>,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Attacks until it is over.
pub fn run(args: &Args) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    match runtime.block_on(attack(args)) {
        Ok(report) if args.json => print!("{}", report.json()),
        Ok(report) => print!("{}", report.text()),
        Err(error) => return fail(&error),
    }
    ExitCode::SUCCESS
}

fn fail(error: &str) -> ExitCode {
    eprintln!("white-city-hostile: {error}");
    ExitCode::from(2)
}

/// Deed of each of the attacker's connections.
enum Weapon {
    Silence,
    /// The query.
    Unread(Vec<u8>),
    /// Transactions that can be sent again and again: what is refused isn't remembered.
    Forged(Vec<Vec<u8>>),
    Posts(Vec<OwnSession>),
}

async fn attack(args: &Args) -> Result<Report, String> {
    let target = Target::find(&args.network, &args.replica, args.session.as_deref()).await?;
    let ports = target.direct_ports().await?;
    let weapon = Arc::new(match args.kind {
        DirectFlood::Silent => Weapon::Silence,
        DirectFlood::Unread => Weapon::Unread(large_answer(&target, &ports).await?),
        DirectFlood::BadSignatures => Weapon::Forged(
            (0..TOGETHER)
                .map(|number| forged(&target, number))
                .collect(),
        ),
        DirectFlood::LargePosts => {
            Weapon::Posts(own_session::several(&target, &ports, args.sessions, args.parties).await?)
        }
    });
    let report = Report::start();
    eprintln!("sending");
    let until = args
        .seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut attackers = JoinSet::new();
    for number in 0..u64::from(args.connections) {
        let kind = args.kind.name();
        let (weapon, report) = (Arc::clone(&weapon), report.clone());
        // Each address attacks each replica.
        let of_replica = number / u64::try_from(ports.len()).unwrap_or(1);
        let last = 2 + u8::try_from(of_replica % u64::from(args.addresses)).unwrap_or(0);
        let ports: Vec<Port> = ports.iter().map(|port| Port::new(last, *port)).collect();
        let senders = u64::from(args.connections);
        attackers.spawn(async move {
            let mut turn = number;
            while until.is_none_or(|until| Instant::now() < until) {
                let Some(answer) = strike(&weapon, &ports, turn).await else {
                    return;
                };
                report.count(kind, &answer);
                turn = turn.wrapping_add(senders);
            }
        });
    }
    let over = async {
        match until {
            // Those that wait for something don't look at the time.
            Some(until) => tokio::time::sleep_until(until).await,
            None => while attackers.join_next().await.is_some() {},
        }
    };
    tokio::select! {
        () = over => {}
        // Without a handler for it, the signal would have ended the process: so there is one.
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(report)
}

/// Does what there is to do in this turn; `None` when nothing is left.
async fn strike(weapon: &Weapon, ports: &[Port], turn: u64) -> Option<String> {
    let place = usize::try_from(turn).ok()? % ports.len().max(1);
    let port = ports.get(place)?;
    match weapon {
        Weapon::Silence => Some(port.say_nothing().await),
        Weapon::Unread(query) => Some(port.ask_and_never_read(query).await),
        Weapon::Forged(txs) => Some(port.hand_over(txs.clone()).await),
        Weapon::Posts(sessions) => {
            let count = u64::try_from(sessions.len()).ok()?;
            let session = sessions.get(usize::try_from(turn % count).ok()?)?;
            let post = session.large_post(turn / count)?;
            let mut answers = Vec::new();
            for port in ports {
                answers.push(port.hand_over(vec![post.clone()]).await);
            }
            Some(answers.join(" "))
        }
    }
}

/// A post of the target's session that nobody's key has signed, another one for each number.
fn forged(target: &Target, number: u64) -> Vec<u8> {
    let words = number.to_be_bytes().to_vec();
    let post = Post::new(target.session, 1, (0, 4), Hash::ZERO, words, vec![]);
    let author = Party::new(IDENTITIES);
    author.tx(Action::Post(post), &target.network).encode()
}

/// A question whose answer is as large as one can be: a page of two of the largest broadcasts.
async fn large_answer(target: &Target, ports: &[SocketAddr]) -> Result<Vec<u8>, String> {
    let sessions = own_session::several(target, ports, 1, 2).await?;
    let session = sessions.first().ok_or("no session")?;
    let port = Port::new(2, *ports.first().ok_or("no direct port")?);
    for index in 0..2 {
        let post = session.large_post(index).ok_or("no such party")?;
        // By way of the engine, or nothing would make a block of it.
        target.rpc(0)?.send(&post).await;
    }
    session.wait_until_round(&port, 2).await?;
    Ok(encode_query(Question::Inbox(InboxQuery {
        session: Some(SessionRef {
            r#ref: Some(Ref::Id(session.id().0.to_vec())),
        }),
        round: 1,
        reader: 0xffff,
        from_index: 0,
    })))
}
