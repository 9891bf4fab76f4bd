//! Posts in parts: a layer above the board.

use crate::case::{Case, hexed};
use serde_json::{Value, json};
use white_city_client::parts::{Incoming, Outgoing, Parts, Payloads, Room, protocol_of};

pub fn parts(case: &Case) {
    let input = case.input();
    let [bcast, p2p, tx, sealing] =
        ["max_bcast", "max_p2p", "max_tx", "sealing"].map(|name| input.number(name));
    let room = Room::new(bcast, p2p, tx, sealing);
    let broadcast = input.bytes("broadcast");
    let p2p = input.list("p2p");
    let p2p: Payloads = p2p
        .map(|one| (one.number("to"), one.bytes("bytes").into()))
        .collect();
    let post = Outgoing::new(broadcast.clone(), p2p.clone(), &room, u16::MAX).unwrap();
    let most = u16::try_from(post.parts()).unwrap();
    let name = Parts { most }.name(input.text("protocol"));
    assert_eq!(protocol_of(&name), input.text("protocol"));
    let mut readers: Vec<_> = p2p.iter().map(|_| Incoming::default()).collect();
    let mut parts = Vec::new();
    for number in 0..post.parts() {
        let (broadcast, payloads) = post.part(number);
        for (reader, (to, _)) in readers.iter_mut().zip(&p2p) {
            let mine = payloads.iter().find(|(other, _)| other == to);
            let mine = mine.map(|(_, bytes)| bytes.clone());
            let taken = reader.take(most, &broadcast, (mine, !payloads.is_empty()));
            assert_eq!(taken, Ok(()));
        }
        let shown: Vec<Value> = payloads
            .iter()
            .map(|(to, bytes)| json!({"to": to, "bytes": hexed(bytes)}))
            .collect();
        parts.push(json!({"broadcast": hexed(broadcast), "p2p": shown}));
    }
    for (reader, (_, bytes)) in readers.into_iter().zip(p2p) {
        assert!(reader.is_whole());
        assert_eq!(reader.into_payloads(), (broadcast.clone(), bytes));
    }
    case.expect([("spec_protocol", name.into()), ("parts", parts.into())]);
}
