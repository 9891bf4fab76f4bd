//! The health port: what it says of a replica, and that nobody who asks there can hurt it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tendermint_abci::Application as _;
use tendermint_proto::{
    google::protobuf::Timestamp,
    v0_38::{
        abci::{
            CommitInfo, RequestCheckTx, RequestFinalizeBlock, RequestPrepareProposal,
            RequestProcessProposal, Validator, VoteInfo,
        },
        types::BlockIdFlag,
    },
};
use white_city_replica::{
    Config, Replica,
    health::{HealthPort, Monitor},
    metrics::Measured,
};
use white_city_tests::party::Party;
use white_city_wire::{
    Hash, SessionId,
    limits::NOBODY,
    tx::{Action, Leave},
};

use crate::chain::{Chain, naive};

const PATIENCE: Duration = Duration::from_secs(60);
/// Most connections that the port serves at once.
const CONNECTIONS: usize = 16;

/// An engine's RPC, as far as a replica asks it how it is.
struct Engine {
    address: SocketAddr,
    height: Arc<AtomicU64>,
    is_silent: Arc<AtomicBool>,
}

impl Engine {
    /// One whose validator has this address.
    fn start(validator: [u8; 20]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let engine = Self {
            address: listener.local_addr().unwrap(),
            height: Arc::default(),
            is_silent: Arc::default(),
        };
        let (height, is_silent) = (Arc::clone(&engine.height), Arc::clone(&engine.is_silent));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if !is_silent.load(Ordering::SeqCst) {
                    answer(
                        &mut stream.unwrap(),
                        height.load(Ordering::SeqCst),
                        validator,
                    );
                }
            }
        });
        engine
    }
}

/// Answers as CometBFT does, as far as a replica reads it, and closes the connection.
fn answer(stream: &mut TcpStream, height: u64, validator: [u8; 20]) {
    let mut asked = [0; 1_024];
    let read = stream.read(&mut asked).unwrap_or(0);
    let body = match asked[..read].starts_with(b"GET /status") {
        true => serde_json::json!({"result": {
            "node_info": {"version": "0.39.4"},
            "sync_info": {
                "latest_block_height": height.to_string(),
                "earliest_block_height": "1",
                "catching_up": false,
            },
            "validator_info": {"address": hex::encode_upper(validator)},
        }}),
        false => serde_json::json!({"result": {"n_peers": "3"}}),
    };
    let body = body.to_string();
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    let _ = stream.write_all(answer.as_bytes());
}

/// A replica with a health port, and its engine.
struct Watched {
    chain: Chain,
    engine: Engine,
    application: Measured<Replica>,
    address: SocketAddr,
}

fn watched() -> Watched {
    let chain = Chain::new(&naive());
    let engine = Engine::start(chain.context().proposer);
    let config = config(&engine);
    let port = HealthPort::bind("127.0.0.1:0").unwrap();
    let address = port.address();
    port.serve(Monitor::start(chain.replica.clone(), &config).unwrap())
        .unwrap();
    let metrics = Arc::clone(chain.replica.metrics());
    Watched {
        application: Measured::new(chain.replica.clone(), metrics),
        chain,
        engine,
        address,
    }
}

fn config(engine: &Engine) -> Config {
    Config {
        engine_rpc: engine.address.to_string(),
        ..naive()
    }
}

impl Watched {
    /// A block by way of the engine's calls, with this replica's own vote for the one before or without it.
    fn block(&mut self, txs: &[Vec<u8>], flag: BlockIdFlag) {
        let context = self.chain.context();
        let time = Timestamp {
            seconds: context.time.seconds,
            nanos: i32::try_from(context.time.nanos).unwrap(),
        };
        let height = i64::try_from(context.height).unwrap();
        let proposer_address = prost::bytes::Bytes::copy_from_slice(&context.proposer);
        let txs = self.application.prepare_proposal(RequestPrepareProposal {
            max_tx_bytes: 1 << 20,
            txs: txs.iter().cloned().map(Into::into).collect(),
            height,
            time: Some(time),
            proposer_address: proposer_address.clone(),
            ..Default::default()
        });
        let hash: prost::bytes::Bytes = vec![u8::try_from(height).unwrap(); 32].into();
        self.application.process_proposal(RequestProcessProposal {
            txs: txs.txs.clone(),
            hash: hash.clone(),
            height,
            time: Some(time),
            proposer_address: proposer_address.clone(),
            ..Default::default()
        });
        let vote = VoteInfo {
            validator: Some(Validator {
                address: proposer_address.clone(),
                power: 10,
            }),
            block_id_flag: flag.into(),
        };
        self.application.finalize_block(RequestFinalizeBlock {
            txs: txs.txs,
            hash,
            height,
            time: Some(time),
            proposer_address,
            decided_last_commit: Some(CommitInfo {
                round: 0,
                votes: vec![vote],
            }),
            ..Default::default()
        });
        self.application.commit();
        self.chain.height += 1;
    }

    /// A session in round 1, after two blocks.
    fn running(&mut self, parties: &[Party]) -> SessionId {
        let (id, open) = self.chain.open(parties, 1);
        self.block(&[open], BlockIdFlag::Commit);
        let joins = self.chain.joins(parties, id);
        self.block(&joins, BlockIdFlag::Commit);
        id
    }

    /// Waits until the port says what `is_it` wants to hear.
    fn wait(&self, path: &str, is_it: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = get(self.address, path);
            if is_it(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{answer}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n"))
}

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series}: {text}"))
        .parse()
        .unwrap()
}

fn check(text: &str, expected: &[(&str, f64)]) {
    for (series, expected) in expected {
        assert_eq!(value(text, series), *expected, "{series}");
    }
}

/// A proposal without a seal.
const VOTED_DOWN: &str = "white_city_proposals_rejected_total{reason=\"no_seal\"}";
/// A transaction that was taken from the engine, and one that is none.
const TAKEN: &str = "white_city_transactions_total{source=\"engine\",code=\"0\"}";
const REFUSED: &str = "white_city_transactions_total{source=\"engine\",code=\"17\"}";

#[test]
fn a_scrape_says_how_many_parties_ceremonies_wait_for_and_what_the_engine_does() {
    let mut watched = watched();
    // Whose vote is its own has to be known first.
    watched.wait("/metrics", |text| text.contains("white_city_peers 3.0\n"));
    let parties = Party::several(3);
    let id = watched.running(&parties);
    // The clock of round 1 starts, and its first entry comes, to the engine first; beside it what is refused.
    let post = watched.chain.post(&parties, id, 0, b"words");
    for tx in [&post[..], b"nonsense"] {
        watched.application.check_tx(RequestCheckTx {
            tx: tx.to_vec().into(),
            ..Default::default()
        });
    }
    watched
        .application
        .process_proposal(RequestProcessProposal {
            height: 3,
            ..Default::default()
        });
    watched.block(&[post], BlockIdFlag::Absent);
    let text = watched.wait("/metrics", |text| text.contains("white_city_height 3.0\n"));
    let proposer = hex::encode_upper(watched.chain.context().proposer);
    let blocks = format!("white_city_blocks_total{{validator=\"{proposer}\"}}");
    check(
        &text,
        &[
            (&blocks, 3.0),
            ("white_city_sessions{status=\"running\"}", 1.0),
            ("white_city_sessions{status=\"joining\"}", 0.0),
            ("white_city_parties_awaited{status=\"running\"}", 2.0),
            ("white_city_round_seconds_count{status=\"joining\"}", 1.0),
            ("white_city_slots_missing_total{status=\"joining\"}", 0.0),
            ("white_city_sessions_in_last_call", 0.0),
            ("white_city_own_votes_missing_total", 1.0),
            ("white_city_proposals_rejected_total{reason=\"root\"}", 0.0),
            (VOTED_DOWN, 1.0),
            ("white_city_pending_transactions", 0.0),
            (TAKEN, 1.0),
            (REFUSED, 1.0),
            ("white_city_call_seconds_count{call=\"commit\"}", 3.0),
            ("white_city_replicas", 1.0),
            ("white_city_engine_height", 0.0),
            ("white_city_halted", 0.0),
        ],
    );
}

#[test]
fn a_scrape_says_how_they_ended_and_who_was_missing() {
    let mut watched = watched();
    let parties = Party::several(3);
    let id = watched.running(&parties);
    let post = watched.chain.post(&parties, id, 0, b"words");
    watched.block(&[post], BlockIdFlag::Commit);
    // Two of three leave: the quorum can't be reached any more.
    let leave = |index: u16| {
        let leave = Leave::Abort {
            cause: 0,
            about: NOBODY,
            detail: Hash::ZERO,
        };
        let leave = Action::Leave {
            session: id,
            index,
            leave,
        };
        watched.chain.tx(&parties[usize::from(index)], leave)
    };
    let left = [leave(1), leave(2)];
    watched.block(&left, BlockIdFlag::Commit);
    let text = watched.wait("/metrics", |text| text.contains("white_city_height 4.0\n"));
    check(
        &text,
        &[
            ("white_city_sessions{status=\"running\"}", 0.0),
            ("white_city_sessions{status=\"ended\"}", 1.0),
            ("white_city_parties_awaited{status=\"running\"}", 0.0),
            ("white_city_sessions_ended_total{cause=\"left\"}", 1.0),
            ("white_city_sessions_ended_total{cause=\"none\"}", 0.0),
            ("white_city_slots_missing_total{status=\"running\"}", 2.0),
            ("white_city_round_seconds_sum{status=\"running\"}", 0.05),
        ],
    );
}

#[test]
fn it_is_ready_as_long_as_blocks_come_and_its_node_is_where_it_is() {
    let mut watched = watched();
    assert!(get(watched.address, "/live").starts_with("HTTP/1.1 200"));
    let answer = watched.wait("/ready", |answer| answer.contains("\"engine_height\":0"));
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("since the start"), "{answer}");
    let until = Instant::now() + PATIENCE;
    loop {
        watched.block(&[], BlockIdFlag::Commit);
        watched
            .engine
            .height
            .store(watched.chain.height, Ordering::SeqCst);
        let answer = get(watched.address, "/ready");
        if answer.starts_with("HTTP/1.1 200") {
            assert!(answer.contains("\"ready\":true,\"reasons\":[]"), "{answer}");
            break;
        }
        assert!(Instant::now() < until, "{answer}");
        thread::sleep(Duration::from_millis(100));
    }
    // Its heartbeat is a second.
    let answer = watched.wait("/ready", |answer| answer.starts_with("HTTP/1.1 503"));
    assert!(answer.contains("since the last one"), "{answer}");
    watched
        .engine
        .height
        .store(watched.chain.height + 2, Ordering::SeqCst);
    watched.wait("/ready", |answer| answer.contains("expected one height"));
    watched.engine.is_silent.store(true, Ordering::SeqCst);
    watched.wait("/ready", |answer| answer.contains("doesn't answer"));
    watched.chain.replica.halt().halt("enough".into());
    let answer = watched.wait("/metrics", |text| text.contains("white_city_halted 1.0\n"));
    assert!(answer.contains("white_city_ready 0.0\n"), "{answer}");
}

#[test]
fn nothing_else_is_served() {
    let watched = watched();
    for (request, status) in [
        ("GET /v1 HTTP/1.1\r\nhost: h\r\n\r\n", "404"),
        ("GET /metrics/ HTTP/1.1\r\nhost: h\r\n\r\n", "404"),
        (
            "POST /metrics HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999\r\n\r\n",
            "405",
        ),
        ("HEAD /metrics HTTP/1.1\r\nhost: h\r\n\r\n", "200"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = ask(watched.address, request);
        let begin = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&begin), "{request}: {answer}");
    }
}

#[test]
fn silent_connections_make_room_for_whoever_asks() {
    // The oldest one is closed at once: after a while all of them are, and a busy machine may stand still that long.
    let at_once = |took: Duration| took < Duration::from_secs(9);
    assert!((0..2).any(|_| at_once(the_oldest_makes_room())));
}

/// Time until the oldest of many connections is closed for those who ask.
fn the_oldest_makes_room() -> Duration {
    let watched = watched();
    let mut silent: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| TcpStream::connect(watched.address).unwrap())
        .collect();
    for stream in &mut silent {
        // None of them has asked to its end.
        stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let began = Instant::now();
    for _ in 0..4 {
        assert!(get(watched.address, "/live").starts_with("HTTP/1.1 200"));
    }
    assert_eq!(silent[0].read(&mut [0; 16]).unwrap_or(0), 0);
    began.elapsed()
}

#[test]
fn a_scrape_costs_no_more_after_many_sessions_have_ended() {
    let parties = Party::several(1);
    let openers = [(&parties[0], 100, 900_000)];
    let mut chain = Chain::with_openers(&naive(), &openers);
    let engine = Engine::start([0; 20]);
    let monitor = Monitor::start(chain.replica.clone(), &config(&engine)).unwrap();
    let end_one = |chain: &mut Chain, nonce: u8| {
        let (session, open) = chain.open(&parties, nonce);
        chain.block(&[open]);
        let leave = Leave::Decline { reason: 0 };
        let leave = Action::Leave {
            session,
            index: 0,
            leave,
        };
        chain.block(&[chain.tx(&parties[0], leave)]);
    };
    end_one(&mut chain, 0);
    let cost = || allocation_counter::measure(|| drop(monitor.gather()));
    let before = cost();
    // So many can be opened in the time that an opening of the chain is good for.
    for nonce in 1..=40 {
        end_one(&mut chain, nonce);
    }
    let text = monitor.gather();
    assert_eq!(
        value(&text, "white_city_sessions_ended_total{cause=\"left\"}"),
        41.0
    );
    let after = cost();
    // What is known of the engine meanwhile takes some, too.
    assert!(
        after.count_total <= before.count_total + 40,
        "{before:?} {after:?}"
    );
}
