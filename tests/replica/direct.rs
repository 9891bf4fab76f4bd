//! The direct port: the same answers as CometBFT gets, within limits.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use prost::Message as _;
use tendermint_abci::Application as _;
use tendermint_proto::v0_38::abci::{RequestFinalizeBlock, RequestQuery, ResponseQuery};
use white_city_replica::{
    Config,
    direct::{DirectPort, Limits},
};
use white_city_tests::party::Party;
use white_city_wire::{
    Refusal,
    limits::TX_BYTES_MAX,
    pb::{self, ParamsQuery, query::Question},
    read::{
        DIRECT_PORT_HINT, DIRECT_PORT_SAYS, HANDING_TXS_MAX, QUERY_BYTES_MAX, QUERY_PATH,
        encode_query,
    },
};

use crate::chain::{Chain, naive};

const CONNECTIONS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

struct Served {
    chain: Chain,
    address: SocketAddr,
}

/// A replica that serves a direct port and says so.
fn served() -> Served {
    serve(Chain::new(&naive()), CONNECTIONS)
}

fn serve(chain: Chain, connections: u32) -> Served {
    let limits = Limits {
        connections,
        connections_per_address: connections,
        ..Config::default().direct_limits()
    };
    serve_within(chain, limits)
}

fn serve_within(chain: Chain, limits: Limits) -> Served {
    let port = DirectPort::bind("127.0.0.1:0", limits).unwrap();
    let address = port.address();
    chain.replica.announce_direct_port(Some(address.port()), "");
    port.serve(&chain.replica, chain.replica.halt()).unwrap();
    Served { chain, address }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Connects from another of this machine's addresses.
fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().build().unwrap();
    let connecting = async move {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    };
    let stream = runtime.block_on(connecting);
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request and reads its answer; `None` when the connection is closed instead.
fn exchange(stream: &mut TcpStream, line: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: replica\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    // Whoever refuses early doesn't read the rest.
    let _ = stream.write_all(body);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((status, body))
}

/// A request of so many bytes, thousands of them, with one transaction.
fn handing_of(bytes: usize) -> Vec<u8> {
    let around = pb::Handing {
        txs: vec![vec![0; bytes]],
    };
    let txs = vec![vec![0; bytes - (around.encoded_len() - bytes)]];
    let body = pb::Handing { txs }.encode_to_vec();
    assert_eq!(body.len(), bytes);
    body
}

fn params() -> Vec<u8> {
    encode_query(Question::Params(ParamsQuery {}))
}

#[test]
fn the_same_is_answered_as_by_way_of_the_engine_and_the_answer_names_the_port() {
    let mut served = served();
    served.chain.block(&[]);
    let mut stream = connect(served.address);
    for data in [params(), b"no query".to_vec(), Vec::new()] {
        let (status, body) = exchange(&mut stream, "POST /v1", &data).unwrap();
        assert_eq!(status, 200);
        let answer = ResponseQuery::decode(&body[..]).unwrap();
        let by_engine = served.chain.replica.query(RequestQuery {
            path: QUERY_PATH.into(),
            data: data.clone().into(),
            ..Default::default()
        });
        assert_eq!(answer, by_engine);
        match answer.code {
            0 => assert_eq!(
                answer.info,
                format!("{DIRECT_PORT_HINT}{}", served.address.port())
            ),
            _ => assert_ne!(data, params()),
        }
    }
}

#[test]
fn what_is_no_query_is_refused_and_the_connection_goes_on() {
    let served = served();
    let mut stream = connect(served.address);
    for (line, refused) in [
        ("POST /", 404),
        ("POST /v1/", 404),
        ("GET /v1/txs", 405),
        ("POST /v1/tx", 404),
        ("GET /v1", 405),
        ("PUT /v1", 405),
    ] {
        assert_eq!(
            exchange(&mut stream, line, b"").unwrap().0,
            refused,
            "{line}"
        );
    }
    // By this clients know that it is one, before they send anything there.
    let (_, says) = exchange(&mut stream, "GET /v1", b"").unwrap();
    assert!(says.starts_with(DIRECT_PORT_SAYS.as_bytes()));
    for is_handing in [false, true] {
        let (line, max) = match is_handing {
            false => ("POST /v1", QUERY_BYTES_MAX as usize),
            true => ("POST /v1/txs", TX_BYTES_MAX as usize),
        };
        for (size, status) in [(max - 1, 200), (max, 200), (max + 1, 413)] {
            let body = match is_handing {
                false => vec![0; size],
                true => handing_of(size),
            };
            let answer = exchange(&mut connect(served.address), line, &body);
            assert_eq!(answer.unwrap().0, status, "{size} bytes");
        }
    }
    // More than anybody would read.
    let line = format!("POST /{}", "v".repeat(64 << 10));
    let answer = exchange(&mut connect(served.address), &line, b"");
    assert!(answer.is_none_or(|(status, _)| status >= 400));
    assert_eq!(exchange(&mut stream, "POST /v1", &params()).unwrap().0, 200);
    assert!(!served.chain.replica.halt().is_halted());
}

#[test]
fn connections_are_limited_and_those_that_are_there_go_on() {
    let served = served();
    let ask =
        |stream: &mut TcpStream| exchange(stream, "POST /v1", &params()).map(|(status, _)| status);
    let mut all: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(served.address)).collect();
    for stream in &mut all {
        assert_eq!(ask(stream), Some(200));
    }
    assert_eq!(ask(&mut connect(served.address)), None);
    assert_eq!(ask(&mut all[0]), Some(200));
    drop(all.pop());
    let again = std::time::Instant::now() + PATIENCE;
    while ask(&mut connect(served.address)).is_none() {
        assert!(std::time::Instant::now() < again);
    }
}

#[test]
fn a_replica_that_has_halted_answers_nobody_any_more() {
    let served = served();
    let mut stream = connect(served.address);
    assert_eq!(exchange(&mut stream, "POST /v1", &params()).unwrap().0, 200);
    served.chain.replica.finalize_block(RequestFinalizeBlock {
        height: 1,
        ..Default::default()
    });
    assert!(served.chain.replica.halt().is_halted());
    assert_eq!(exchange(&mut stream, "POST /v1", &params()), None);
    assert_eq!(
        exchange(&mut connect(served.address), "POST /v1", &params()),
        None
    );
}

/// Proposals wait, but not long.
fn waiting() -> Config {
    Config {
        proposal_wait_ms: 1,
        ..Config::default()
    }
}

/// A replica whose proposals wait, with a session of so many parties in round 1, and what each of them posts in it.
fn round_1(parties: u16) -> (Served, Vec<Vec<u8>>) {
    let mut served = serve(Chain::new(&waiting()), CONNECTIONS);
    let all = Party::several(parties.into());
    let session = served.chain.running(&all);
    let post = |index| served.chain.post(&all, session, index, b"word");
    let posts = (0..parties).map(post).collect();
    (served, posts)
}

/// Hands transactions over; whether each is taken and a block comes, or the code of its refusal.
fn hand_all_over(served: &Served, txs: &[&[u8]]) -> Vec<Result<bool, u32>> {
    let txs = txs.iter().map(|tx| tx.to_vec()).collect();
    let body = pb::Handing { txs }.encode_to_vec();
    let (status, body) = exchange(&mut connect(served.address), "POST /v1/txs", &body).unwrap();
    assert_eq!(status, 200);
    let handed = pb::Handed::decode(&body[..]).unwrap().txs.into_iter();
    let said = handed.map(|tx| match tx.code {
        0 => Ok(tx.block_comes),
        code => Err(code),
    });
    said.collect()
}

fn hand_over(served: &Served, tx: &[u8]) -> Result<bool, u32> {
    hand_all_over(served, &[tx])[0]
}

#[test]
fn what_is_handed_over_is_proposed_and_its_sender_learns_whether_a_block_comes() {
    let (mut served, posts) = round_1(4);
    // The joins have changed the state: the engine makes a block at once.
    assert_eq!(hand_over(&served, &posts[0]), Ok(true));
    assert_eq!(hand_over(&served, &posts[0]), Ok(true), "again");
    let block = served.chain.propose(&[], 1 << 20);
    assert_eq!(block[1..], [posts[0].clone()], "the engine knew of nothing");
    // Too late for this one, which changes the state: another one follows.
    assert_eq!(hand_over(&served, &posts[1]), Ok(true));
    served.chain.decide(block).unwrap();
    let block = served.chain.propose(&[], 1 << 20);
    assert_eq!(block[1..], [posts[1].clone()]);
    served.chain.decide(block).unwrap();
    // This one changes nothing, and nothing follows it.
    let empty = served.chain.propose(&[], 1 << 20);
    assert_eq!(empty.len(), 1);
    assert_eq!(hand_over(&served, &posts[2]), Ok(false), "too late for it");
    served.chain.decide(empty).unwrap();
    assert_eq!(hand_over(&served, &posts[3]), Ok(false));
    let block = served.chain.propose(&[], 1 << 20);
    assert_eq!(block.len(), 3, "they are there when a block comes");
    served.chain.decide(block).unwrap();
    assert_eq!(hand_over(&served, &posts[3]), Err(64), "the board has it");
    assert_eq!(hand_over(&served, b"no transaction"), Err(17));
}

#[test]
fn several_are_handed_over_together_and_each_has_its_answer() {
    let (served, posts) = round_1(3);
    let handed = hand_all_over(&served, &[&posts[2], b"no transaction", &posts[0]]);
    assert_eq!(handed, [Ok(true), Err(17), Ok(true)]);
    assert_eq!(served.chain.propose(&[], 1 << 20).len(), 3);
    assert_eq!(hand_all_over(&served, &[]), []);
    for (count, status) in [
        (HANDING_TXS_MAX - 1, 200),
        (HANDING_TXS_MAX, 200),
        (HANDING_TXS_MAX + 1, 400),
    ] {
        let txs = vec![posts[1].clone(); count];
        let body = pb::Handing { txs }.encode_to_vec();
        let answer = exchange(&mut connect(served.address), "POST /v1/txs", &body).unwrap();
        assert_eq!(answer.0, status, "{count}");
    }
    for broken in [
        // No field 1, one without a length, one longer than what comes, a length without an end, one of the largest number.
        &[0x12, 1, 0][..],
        &[0x0a],
        &[0x0a, 2, 0],
        &[0x0a, 0xff, 0xff],
        &[
            0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
        ],
        &[0x0a, 0, 0x0a],
    ] {
        let answer = exchange(&mut connect(served.address), "POST /v1/txs", broken).unwrap();
        assert_eq!(answer.0, 400, "{broken:x?}");
    }
}

#[test]
fn a_block_comes_for_what_is_in_the_mempool_and_takes_what_is_handed_over_too() {
    let (mut served, posts) = round_1(4);
    let decide = |served: &mut Served, offered: &[Vec<u8>]| {
        let block = served.chain.propose(offered, 1 << 20);
        served.chain.decide(block.clone()).unwrap();
        block.len() - 1
    };
    // One that starts the round's clock, and one after which the engine rests.
    assert_eq!([decide(&mut served, &[]), decide(&mut served, &[])], [0; 2]);
    assert_eq!(hand_over(&served, &posts[0]), Ok(false));
    served.chain.replica.check_tx(&posts[1]).unwrap();
    assert_eq!(hand_over(&served, &posts[2]), Ok(true));
    assert_eq!(hand_over(&served, &posts[0]), Ok(true));
    // What was handed over comes by way of the engine, too: its block is the same one.
    served.chain.replica.check_tx(&posts[0]).unwrap();
    served.chain.replica.check_tx(&posts[0]).unwrap();
    assert_eq!(decide(&mut served, &posts[..2]), 3);
    assert_eq!(decide(&mut served, &[]), 0);
    assert_eq!(
        hand_over(&served, &posts[3]),
        Ok(false),
        "the mempool is empty"
    );
}

#[test]
fn two_entries_that_were_handed_to_different_replicas_become_evidence_when_one_is_on_the_board() {
    let config = waiting();
    let mut served = serve(Chain::new(&config), CONNECTIONS);
    let parties = Party::several(3);
    let session = served.chain.running(&parties);
    let [one, other] = [b"one", b"two"].map(|words| served.chain.post(&parties, session, 0, words));
    // Another replica proposes what it got.
    let mut elsewhere = Chain::new(&config);
    assert_eq!(elsewhere.running(&parties), session);
    let block = elsewhere.propose(&[other], 1 << 20);
    assert_eq!(hand_over(&served, &one), Ok(true));
    served.chain.decide(block).unwrap();
    let block = served.chain.propose(&[], 1 << 20);
    assert_eq!(block.len(), 2, "the evidence");
    served.chain.decide(block).unwrap();
    let committed = served.chain.replica.committed().unwrap();
    let culprits = &committed
        .state
        .session(&session)
        .unwrap()
        .body()
        .unwrap()
        .culprits;
    assert_eq!(culprits.len(), 1);
}

#[test]
fn where_proposals_dont_wait_only_the_engine_brings_transactions() {
    let mut served = served();
    let parties = Party::several(2);
    let session = served.chain.running(&parties);
    let post = served.chain.post(&parties, session, 0, b"word");
    assert_eq!(hand_over(&served, &post), Err(Refusal::EngineOnly.code()));
    // Nothing was kept that would never be proposed.
    let block = served.chain.propose(std::slice::from_ref(&post), 1 << 20);
    assert_eq!(block[1..], [post]);
}

#[test]
fn requests_that_are_being_read_take_a_bounded_memory() {
    let served = serve(Chain::new(&naive()), 200);
    // 64 MiB in all.
    let fit = (64 << 20) / TX_BYTES_MAX as usize;
    let head =
        format!("POST /v1/txs HTTP/1.1\r\nhost: replica\r\ncontent-length: {TX_BYTES_MAX}\r\n\r\n");
    let large = handing_of(TX_BYTES_MAX as usize);
    let begun = || {
        let mut stream = connect(served.address);
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let mut waiting: Vec<TcpStream> = (0..fit).map(|_| begun()).collect();
    let ask =
        || exchange(&mut connect(served.address), "POST /v1/txs", &large).map(|(status, _)| status);
    let until = std::time::Instant::now() + PATIENCE;
    // Whoever isn't read may not hear why. One that was faster than those that wait has taken the place of one of them.
    while ask() == Some(200) {
        assert!(std::time::Instant::now() < until);
        waiting.push(begun());
    }
    // Small ones still fit.
    assert_eq!(
        exchange(&mut connect(served.address), "POST /v1", &params())
            .unwrap()
            .0,
        200
    );
    drop(waiting);
    while ask() != Some(200) {
        assert!(std::time::Instant::now() < until);
    }
}

#[test]
fn nobody_is_shut_out_by_connections_that_say_nothing_from_however_many_addresses() {
    for addresses in [1, 3] {
        let served = served();
        let mut silent: Vec<TcpStream> = Vec::new();
        let mut come_again = || {
            for last in 2..2 + addresses {
                silent.extend((0..CONNECTIONS).map(|_| connect_from(last, served.address)));
            }
        };
        come_again();
        let part = CONNECTIONS / (u32::from(addresses) + 1);
        let mut mine = Vec::new();
        for _ in 0..part {
            let mut stream = connect(served.address);
            let answer = exchange(&mut stream, "POST /v1", &params());
            assert_eq!(answer.unwrap().0, 200, "beside {addresses}");
            mine.push(stream);
        }
        come_again();
        for stream in &mut mine {
            assert_eq!(exchange(stream, "POST /v1", &params()).unwrap().0, 200);
        }
    }
}

#[test]
fn one_address_has_a_limited_number_of_connections_and_of_requests() {
    let limits = Limits {
        connections: CONNECTIONS,
        connections_per_address: 3,
        requests_per_second: 4,
        ..Config::default().direct_limits()
    };
    let served = serve_within(Chain::new(&naive()), limits);
    let mut streams: Vec<TcpStream> = (0..4).map(|_| connect_from(2, served.address)).collect();
    let ask =
        |stream: &mut TcpStream| exchange(stream, "POST /v1", &params()).map(|(status, _)| status);
    assert_eq!(ask(&mut streams[3]), None, "one too many");
    // Two seconds' worth, and what comes while it is counted.
    let began = std::time::Instant::now();
    let asked = (0..200).map(|k| ask(&mut streams[k % 3]));
    let answered = asked.take_while(|status| *status == Some(200)).count();
    let most = 8 + 4 * (began.elapsed().as_secs() + 1);
    assert!(answered >= 8 && answered as u64 <= most, "{answered}");
    drop(streams);
    assert_eq!(ask(&mut connect_from(3, served.address)), Some(200));
    let until = std::time::Instant::now() + PATIENCE;
    while ask(&mut connect_from(2, served.address)) != Some(200) {
        assert!(std::time::Instant::now() < until, "it may ask again");
    }
}

#[test]
fn whoever_hands_over_bad_transactions_waits_and_costs_no_more_signatures() {
    let limits = Limits {
        bad_per_second: 1,
        ..Config::default().direct_limits()
    };
    let mut served = serve_within(Chain::new(&waiting()), limits);
    let parties = Party::several(3);
    let session = served.chain.running(&parties);
    let before = served.chain.replica.work().signatures;
    // Each is another one, signed by another party than it says.
    let mut forged = (0_u32..).map(|number| {
        let words = number.to_be_bytes();
        let action = served.chain.post_action(&parties, session, 0, &words);
        served.chain.tx(&parties[1], action)
    });
    let hand = |from: u8, txs: Vec<Vec<u8>>| {
        let body = pb::Handing { txs }.encode_to_vec();
        let mut stream = connect_from(from, served.address);
        let (status, body) = exchange(&mut stream, "POST /v1/txs", &body).unwrap();
        let handed = pb::Handed::decode(&body[..]).unwrap_or_default();
        let codes: Vec<u32> = handed.txs.iter().map(|tx| tx.code).collect();
        (status, codes)
    };
    let began = std::time::Instant::now();
    let (status, codes) = hand(2, forged.by_ref().take(HANDING_TXS_MAX).collect());
    assert_eq!(status, 200);
    let looked_at = codes.iter().take_while(|code| **code == 34).count();
    // One more a second while they come.
    let most = 19 + began.elapsed().as_secs();
    assert!(looked_at >= 17 && looked_at as u64 <= most, "{codes:?}");
    assert!(codes[looked_at..].iter().all(|code| *code == 134));
    let checked = served.chain.replica.work().signatures - before;
    assert_eq!(checked, looked_at as u64);
    // Nobody else waits for it,
    let good = served.chain.post(&parties, session, 1, b"word");
    let began = std::time::Instant::now();
    assert_eq!(hand(1, vec![good.clone()]), (200, vec![0]));
    let (status, _) =
        exchange(&mut connect_from(2, served.address), "POST /v1", &params()).unwrap();
    assert_eq!(status, 200, "questions are answered");
    // and it is taken from again when it has waited.
    let from_there = hand(2, vec![good]);
    assert_eq!(from_there, (200, vec![0]));
    let waited = began.elapsed();
    for _ in 0..4 {
        hand(2, forged.by_ref().take(HANDING_TXS_MAX).collect());
    }
    let checked = served.chain.replica.work().signatures - before;
    let seconds = began.elapsed().as_secs() + 1;
    let most = looked_at as u64 + 2 + 2 * seconds;
    assert!(
        checked <= most,
        "{checked} in {seconds} s, after {waited:?}"
    );
}
