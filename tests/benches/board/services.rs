//! Signatures by parties that are services, many at once, beside parties that are made of the client library alone.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    sync::{Mutex, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use white_city_client::{
    Client, Hash, IdentityKey, LocalKey, SessionId, Signer, SpecBuilder, vault,
};
use white_city_eddsa::{
    KeyShare, keygen,
    sign::{self, many},
};
use white_city_testnet::binaries::Binaries;

use crate::{
    Bench,
    ceremony::{InMemory, OnBoard, all, protocol},
    clients::Clients,
    report::{Report, ms},
    warm_up::warm_up,
    world::{Key, PATIENCE, Setup, World, join, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Sessions at once.
    #[arg(long, default_value_t = 20)]
    at_once: usize,
    /// Messages that each session signs.
    #[arg(long, default_value_t = 1)]
    messages: u16,
    /// Time for each of the two, seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

const PARTIES: u16 = 3;
const THRESHOLD: u16 = 2;
const MESSAGE: &[u8] = b"a message";
const POLICY: &str = "version = 1\n[[rule]]\nname = \"all\"\nprotocols = [\"eddsa-keygen\", \"eddsa-sign\", \"eddsa-sign-many\"]\n\
    members = \"any\"\nmessages = \"any\"\nterms = { messages = { max = 256 } }\n";

/// Three services: processes of the command line.
struct Services {
    children: Vec<Child>,
    folders: Vec<PathBuf>,
    roster: Vec<IdentityKey>,
}

/// The sessions that services have finished, and how many of them have.
type Finished = watch::Receiver<BTreeMap<SessionId, u16>>;

/// How fast signatures came.
struct Pace {
    a_second: f64,
    p95: Duration,
}

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("services", "Signatures of 3 parties, many at once");
    let opener = keys(9)[8];
    let setup = Setup {
        opener: Some(opener),
        ..Setup::default()
    };
    let world = bench.board(setup).await?;
    warm_up(&world).await;
    let dir = tempfile::tempdir().unwrap();
    let client = world.client(&opener);
    let library = by_library(&world, &client, dir.path(), args).await;
    let services = Services::start(&world, dir.path()).await;
    let finished = services.watch();
    let key = services.keygen(&client, finished.clone()).await;
    let before = services.memory_mib();
    let served = by_services(&client, &services, key, finished, args).await;
    for (who, pace, memory) in [
        ("library", &library, None),
        ("services", &served, Some((before, services.memory_mib()))),
    ] {
        report.row(vec![
            ("parties are", json!(who)),
            ("at once", json!(args.at_once)),
            ("messages a session", json!(args.messages)),
            ("sessions a second", json!(pace.a_second)),
            (
                "signatures a second",
                json!(pace.a_second * f64::from(args.messages)),
            ),
            ("p95 ms", json!(ms(pace.p95))),
            ("of the library's", json!(pace.a_second / library.a_second)),
            ("MiB before", json!(memory.map(|(before, _)| before))),
            ("MiB after", json!(memory.map(|(_, after)| after))),
        ]);
    }
    drop(services);
    Bench::end(world).await;
    Some(report)
}

/// So many workers, each of which has one session after the other signed, until the time is up.
async fn pace<F>(args: &Args, one: impl Fn() -> F) -> Pace
where
    F: Future<Output = ()> + Send + 'static,
{
    let (began, length) = (Instant::now(), Duration::from_secs(args.seconds));
    let times = Arc::new(Mutex::new(Vec::new()));
    let mut workers = JoinSet::new();
    let mut started = 0;
    while began.elapsed() < length {
        if started - times.lock().await.len() >= args.at_once {
            timeout(PATIENCE, workers.join_next())
                .await
                .expect("nothing is signed")
                .unwrap()
                .unwrap();
            continue;
        }
        started += 1;
        let (signing, times) = (one(), Arc::clone(&times));
        workers.spawn(async move {
            let began = Instant::now();
            signing.await;
            times.lock().await.push(began.elapsed());
        });
    }
    timeout(PATIENCE, workers.join_all())
        .await
        .expect("the last ones stand still");
    let took = began.elapsed();
    let mut times = times.lock().await.clone();
    times.sort_unstable();
    Pace {
        a_second: times.len() as f64 / took.as_secs_f64(),
        p95: times[(times.len() - 1) * 95 / 100],
    }
}

/// Opens a session that signs.
async fn open(
    client: &Client,
    roster: Vec<IdentityKey>,
    key: [u8; 32],
    messages: u16,
) -> SessionId {
    let key = Hash(key);
    let (protocol, input) = match messages {
        1 => (
            "white-city/eddsa-sign",
            json!({ "public_key": key, "message_hex": hex::encode(MESSAGE) }),
        ),
        _ => {
            let all: Vec<String> = all_of(messages).iter().map(hex::encode).collect();
            let input = json!({ "public_key": key, "messages_hex": all });
            ("white-city/eddsa-sign-many", input)
        }
    };
    let spec = SpecBuilder::new(protocol, 1, roster)
        .max_rounds(u32::from(sign::ROUNDS) + 1)
        .payloads(
            many::max_broadcast_bytes(messages, PARTIES - 1),
            many::max_p2p_bytes(messages),
        )
        .posts(u32::from(sign::ROUNDS), 1)
        .corrupt(PARTIES - 1)
        .input(input.to_string().into_bytes());
    client.open(times(spec).build().unwrap()).await.unwrap()
}

/// So many different messages.
fn all_of(messages: u16) -> Vec<Vec<u8>> {
    let message = |number: u16| [MESSAGE, &number.to_be_bytes()].concat();
    (0..messages).map(message).collect()
}

fn times(spec: SpecBuilder) -> SpecBuilder {
    let minutes = Duration::from_secs(300);
    spec.times(minutes, minutes, minutes)
        .retention(Duration::from_secs(1))
}

async fn by_library(world: &World, opener: &Client, dir: &Path, args: &Args) -> Pace {
    let keygen = |exchange| protocol::keygen(exchange, THRESHOLD);
    let shares: Vec<Arc<KeyShare>> = all(InMemory::parties(PARTIES), keygen)
        .await
        .into_iter()
        .map(Arc::new)
        .collect();
    let keys: Vec<Key> = keys(PARTIES);
    let roster: Vec<IdentityKey> = keys.iter().map(Key::identity).collect();
    let clients = Clients::Separate.of(world, &keys);
    let (public_key, messages) = (shares[0].public_key(), args.messages);
    pace(args, || {
        let (opener, roster, dir) = (opener.clone(), roster.clone(), dir.to_owned());
        let parties: Vec<_> = clients
            .iter()
            .cloned()
            .zip(shares.iter().cloned())
            .collect();
        async move {
            let id = open(&opener, roster, public_key, messages).await;
            let mut running = JoinSet::new();
            for (index, (client, share)) in parties.into_iter().enumerate() {
                let journal = dir.join(format!("{id}.{index}"));
                running.spawn(async move {
                    let mut session = client.resume(id, &journal).await.unwrap();
                    join(&mut session).await.unwrap();
                    let signers: Vec<u16> = (0..PARTIES).collect();
                    let exchange = OnBoard::new(session);
                    match messages {
                        1 => protocol::sign(exchange, &share, &signers, MESSAGE).await,
                        _ => {
                            protocol::sign_many(exchange, &share, &signers, &all_of(messages)).await
                        }
                    }
                    std::fs::remove_file(journal).unwrap();
                });
            }
            running.join_all().await;
        }
    })
    .await
}

async fn by_services(
    opener: &Client,
    services: &Services,
    key: [u8; 32],
    finished: Finished,
    args: &Args,
) -> Pace {
    pace(args, || {
        let (opener, roster, finished) =
            (opener.clone(), services.roster.clone(), finished.clone());
        let messages = args.messages;
        async move {
            let id = open(&opener, roster, key, messages).await;
            wait_for(finished, id).await;
        }
    })
    .await
}

/// Waits until all parties have finished.
async fn wait_for(mut finished: Finished, id: SessionId) {
    let all = finished.wait_for(|finished| finished.get(&id) == Some(&PARTIES));
    timeout(PATIENCE, all)
        .await
        .expect("it isn't signed")
        .unwrap();
}

impl Services {
    async fn start(world: &World, dir: &Path) -> Self {
        let program = Binaries::find().await.unwrap().cli().unwrap();
        let policy = dir.join("policy.toml");
        std::fs::write(&policy, POLICY).unwrap();
        let (mut children, mut folders, mut roster) = (Vec::new(), Vec::new(), Vec::new());
        for party in 0..PARTIES {
            let file = |what: &str| dir.join(format!("party{party}.{what}"));
            let identity = LocalKey::create_plain(&file("key")).unwrap();
            vault::create_key_file(&file("key32")).unwrap();
            let mut command = Command::new(&program);
            command
                .args(["party", "serve", "--policy"])
                .arg(&policy)
                .arg("--identity")
                .arg(file("key"))
                .arg("--key-file")
                .arg(file("key32"))
                .arg("--dir")
                .arg(file("party"))
                .arg("--trust")
                .arg(world.net.dir().join("genesis.json"))
                .stdout(std::process::Stdio::null())
                .kill_on_drop(true);
            // Each begins with another replica, as those of the library do.
            let urls = world.net.rpc_urls();
            for url in urls
                .iter()
                .cycle()
                .skip(usize::from(party))
                .take(urls.len())
            {
                command.args(["--replica", url]);
            }
            children.push(command.spawn().unwrap());
            folders.push(file("party"));
            roster.push(identity.identity());
        }
        Self {
            children,
            folders,
            roster,
        }
    }

    /// Follows the audit logs.
    fn watch(&self) -> Finished {
        let (sender, receiver) = watch::channel(BTreeMap::new());
        for folder in self.folders.clone() {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut read = 0;
                while !sender.is_closed() {
                    sleep(Duration::from_millis(20)).await;
                    let log =
                        std::fs::read_to_string(folder.join("audit.jsonl")).unwrap_or_default();
                    let whole = log.rfind('\n').map_or(0, |end| end + 1);
                    for line in log[read..whole].lines() {
                        note(&sender, line);
                    }
                    read = whole;
                }
            });
        }
        receiver
    }

    async fn keygen(&self, opener: &Client, finished: Finished) -> [u8; 32] {
        let degree = THRESHOLD - 1;
        let spec = SpecBuilder::new("white-city/eddsa-keygen", 1, self.roster.clone())
            .max_rounds(u32::from(keygen::ROUNDS) + 1)
            .payloads(keygen::max_broadcast_bytes(degree), keygen::max_p2p_bytes())
            .posts(u32::from(keygen::ROUNDS), 1)
            .corrupt(degree)
            .input(json!({ "threshold": THRESHOLD }).to_string().into_bytes());
        let id = opener.open(times(spec).build().unwrap()).await.unwrap();
        wait_for(finished, id).await;
        let log = std::fs::read_to_string(self.folders[0].join("audit.jsonl")).unwrap();
        let line = log
            .lines()
            .find(|line| line.contains("\"finished\""))
            .unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        let key = line["result"]["public_key"].as_str().unwrap();
        hex::decode(key).unwrap().try_into().unwrap()
    }

    /// The largest memory of one of them that is resident now, MiB.
    fn memory_mib(&self) -> f64 {
        let resident = self.children.iter().map(|child| {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .unwrap();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
        });
        resident.fold(0.0, f64::max)
    }
}

fn note(sender: &watch::Sender<BTreeMap<SessionId, u16>>, line: &str) {
    let line: Value = serde_json::from_str(line).unwrap();
    let event = line["event"].as_str().unwrap();
    assert!(["joining", "finished"].contains(&event), "{line}");
    if event == "finished" {
        let id = SessionId::from_hex(line["session"].as_str().unwrap()).unwrap();
        sender.send_modify(|finished| *finished.entry(id).or_default() += 1);
    }
}
