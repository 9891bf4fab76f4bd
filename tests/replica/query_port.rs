//! The query port: the same answers as CometBFT gets, within limits.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use prost::Message as _;
use tendermint_abci::Application as _;
use tendermint_proto::v0_38::abci::{RequestFinalizeBlock, RequestQuery, ResponseQuery};
use white_city_replica::query_port::QueryPort;
use white_city_wire::{
    pb::{ParamsQuery, query::Question},
    read::{QUERY_BYTES_MAX, QUERY_PATH, QUERY_PORT_HINT, encode_query},
};

use crate::chain::{Chain, naive};

const CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);

struct Served {
    chain: Chain,
    address: SocketAddr,
}

/// A replica that serves a query port and says so.
fn served() -> Served {
    let chain = Chain::new(&naive());
    let port = QueryPort::bind("127.0.0.1:0", CONNECTIONS).unwrap();
    let address = port.address();
    chain.replica.announce_query_port(address.port());
    port.serve(&chain.replica, chain.replica.halt()).unwrap();
    Served { chain, address }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
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
                format!("{QUERY_PORT_HINT}{}", served.address.port())
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
        ("GET /v1", 405),
        ("PUT /v1", 405),
    ] {
        assert_eq!(
            exchange(&mut stream, line, b"").unwrap().0,
            refused,
            "{line}"
        );
    }
    let max = QUERY_BYTES_MAX as usize;
    for (size, status) in [(max - 1, 200), (max, 200), (max + 1, 413)] {
        let answer = exchange(&mut connect(served.address), "POST /v1", &vec![0; size]);
        assert_eq!(answer.unwrap().0, status, "{size} bytes");
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
