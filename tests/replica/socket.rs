//! The ABCI server on a unix socket and on TCP.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use prost::Message;
use tendermint_proto::v0_38::abci::{
    Request, RequestEcho, RequestFinalizeBlock, RequestFlush, Response, request, response,
};
use white_city_replica::{abci::Server, config::Listen, halt::Stop};

use crate::chain::{Chain, naive};

fn echo(text: &str) -> request::Value {
    request::Value::Echo(RequestEcho {
        message: text.into(),
    })
}

/// Sends a request. A connection that the server has closed shows when the answer is read.
fn send(to: &mut impl Write, value: request::Value) {
    let request = Request { value: Some(value) };
    let _ = to.write_all(&request.encode_length_delimited_to_vec());
}

/// Reads one answer; `None` when the connection is closed.
fn receive(from: &mut impl Read) -> Option<response::Value> {
    let mut length = 0_usize;
    for shift in (0..).step_by(7) {
        let mut byte = [0];
        if from.read(&mut byte).unwrap_or(0) == 0 {
            return None;
        }
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).unwrap();
    Response::decode(bytes.as_slice()).unwrap().value
}

/// Echoes, answered in order and only when flushed, more than once on one connection.
fn exchange(stream: &mut (impl Read + Write)) {
    for turn in 0..3 {
        for text in ["one", "two", &"x".repeat(300_000)] {
            send(stream, echo(text));
        }
        send(stream, request::Value::Flush(RequestFlush {}));
        for text in ["one", "two", &"x".repeat(300_000)] {
            let Some(response::Value::Echo(answer)) = receive(stream) else {
                panic!("no echo in turn {turn}");
            };
            assert_eq!(answer.message, text);
        }
        assert!(matches!(receive(stream), Some(response::Value::Flush(_))));
    }
}

#[test]
fn both_kinds_of_socket_answer_in_order_and_close_on_a_malformed_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let chain = Chain::new(&naive());
    let unix = Server::bind(&Listen::Unix(path.clone())).unwrap();
    let tcp = Server::bind(&Listen::Tcp("127.0.0.1:0".into())).unwrap();
    let address = tcp.tcp_address().unwrap();
    for server in [unix, tcp] {
        let (replica, halt) = (chain.replica.clone(), chain.replica.halt().clone());
        thread::spawn(move || server.serve(&replica, &halt));
    }
    let taken = Server::bind(&Listen::Unix(path.clone()));
    assert!(taken.is_err(), "a socket that is served isn't taken over");
    let patience = Some(Duration::from_secs(60));
    let mut by_tcp = TcpStream::connect(address).unwrap();
    by_tcp.set_read_timeout(patience).unwrap();
    let mut by_unix = UnixStream::connect(&path).unwrap();
    by_unix.set_read_timeout(patience).unwrap();
    exchange(&mut by_tcp);
    exchange(&mut by_unix);
    // A malformed frame ends its own connection and no other.
    by_unix.write_all(&[0xff; 16]).unwrap();
    assert!(receive(&mut by_unix).is_none());
    exchange(&mut by_tcp);
    exchange(&mut UnixStream::connect(&path).unwrap());
    assert!(!chain.replica.halt().is_halted());
}

#[test]
fn a_replica_that_halts_says_why_once_and_answers_nobody_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let chain = Chain::new(&naive());
    let server = Server::bind(&Listen::Unix(path.clone())).unwrap();
    let (replica, halt) = (chain.replica.clone(), chain.replica.halt().clone());
    thread::spawn(move || server.serve(&replica, &halt));
    let mut other = UnixStream::connect(&path).unwrap();
    exchange(&mut other);
    let mut stream = UnixStream::connect(&path).unwrap();
    let unsealed = RequestFinalizeBlock {
        height: 1,
        ..Default::default()
    };
    send(&mut stream, request::Value::FinalizeBlock(unsealed));
    send(&mut stream, request::Value::Flush(RequestFlush {}));
    assert!(receive(&mut stream).is_none());
    let Ok(Stop::Halted(diagnosis)) = chain.stops.recv_timeout(Duration::from_secs(60)) else {
        panic!("no diagnosis");
    };
    assert!(diagnosis.contains("block 1 was committed"), "{diagnosis}");
    send(&mut other, echo("anybody there?"));
    send(&mut other, request::Value::Flush(RequestFlush {}));
    assert!(receive(&mut other).is_none());
}
