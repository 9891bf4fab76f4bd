use serde::Deserialize;

use super::*;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Said {
    Number(u32),
    Word(String),
}

fn word(text: &str) -> Said {
    Said::Word(text.into())
}

const ME: (u16, u16) = (0, 3);

/// The inbox of parties 1 and 2 for a round in which party 0 posted this, and the others nothing.
fn inbox(payloads: &Payloads, reader: u16) -> Inbox {
    let mut inbox = Inbox {
        round: 7,
        posted: vec![0, 1, 2],
        ..Inbox::default()
    };
    if !payloads.broadcast.is_empty() {
        inbox.broadcasts.insert(0, payloads.broadcast.clone());
    }
    let p2p = payloads.p2p.iter().filter(|(to, _)| *to == reader);
    inbox.p2p.extend(p2p.map(|(_, bytes)| (0, bytes.clone())));
    inbox
}

fn heard(inbox: &Inbox, reader: u16) -> Vec<(u64, MessageType, Said)> {
    let heard = read::<Said>(inbox, reader).unwrap();
    let messages = heard.messages.into_iter();
    messages.map(|m| (m.id, m.msg_type, m.msg)).collect()
}

#[test]
fn messages_arrive_in_the_order_of_sending_whatever_way_they_go() {
    let mut outbox = Outbox::default();
    let sent = [
        Outgoing::p2p(1, Said::Number(1)),
        Outgoing::broadcast(word("two")),
        Outgoing::p2p(2, Said::Number(3)),
        Outgoing::p2p(1, Said::Number(4)),
        Outgoing::broadcast(word("two")),
        Outgoing::p2p(0, Said::Number(5)),
    ];
    for message in &sent {
        outbox.push(message, ME).unwrap();
    }
    let payloads = outbox.take(false);
    let id = |number: u64| (7 << 32) | number;
    let (all, one) = (MessageType::Broadcast, MessageType::P2P);
    assert_eq!(
        heard(&inbox(&payloads, 1), 1),
        [
            (id(0), one, Said::Number(1)),
            (id(1), all, word("two")),
            (id(3), one, Said::Number(4)),
            (id(4), all, word("two")),
        ]
    );
    assert_eq!(
        heard(&inbox(&payloads, 2), 2),
        [
            (id(1), all, word("two")),
            (id(2), one, Said::Number(3)),
            (id(4), all, word("two")),
        ]
    );
    assert!(heard(&inbox(&payloads, 0), 0).is_empty());
    assert_eq!(outbox.len(), 0);
}

#[test]
fn the_bytes_of_a_post() {
    let mut outbox = Outbox::default();
    outbox.push(&Outgoing::broadcast(word("ab")), ME).unwrap();
    outbox
        .push(&Outgoing::p2p(2, Said::Number(300)), ME)
        .unwrap();
    outbox
        .push(&Outgoing::broadcast(Said::Number(1)), ME)
        .unwrap();
    let payloads = outbox.take(true);
    // Kind; number 0, second variant, two bytes; number 2, first variant, 1.
    assert_eq!(payloads.broadcast, [3, 0, 1, 2, b'a', b'b', 2, 0, 1]);
    let (to, p2p) = &payloads.p2p[0];
    assert_eq!((*to, p2p.as_slice()), (2, &[1, 0, 0xac, 2][..]));
}

#[test]
fn a_post_says_whether_its_author_speaks_and_has_ended() {
    let kinds = |p2p: bool, ended: bool| {
        let mut outbox = Outbox::default();
        if p2p {
            outbox.push(&Outgoing::p2p(1, Said::Number(0)), ME).unwrap();
        }
        let payloads = outbox.take(ended);
        let mut inbox = inbox(&payloads, 2);
        inbox.posted = vec![0];
        let heard = read::<Said>(&inbox, 2).unwrap();
        (payloads.broadcast, heard.speaks, heard.ended)
    };
    assert_eq!(kinds(false, false), (vec![], false, false));
    // Party 2 sees that somebody was sent something.
    assert_eq!(kinds(true, false), (vec![1], true, false));
    assert_eq!(kinds(false, true), (vec![2], false, true));
    assert_eq!(kinds(true, true), (vec![3], true, true));
}

#[test]
fn all_have_ended_only_if_each_who_posted_says_so() {
    let mut inbox = Inbox {
        round: 1,
        posted: vec![0, 1],
        ..Inbox::default()
    };
    inbox.broadcasts.insert(0, vec![ENDED]);
    assert!(!read::<Said>(&inbox, 0).unwrap().ended);
    inbox.broadcasts.insert(1, vec![ENDED]);
    assert!(read::<Said>(&inbox, 0).unwrap().ended);
}

#[test]
fn what_isnt_messages_is_malformed_and_names_its_author() {
    let bad: [(&[u8], &[u8]); 8] = [
        (&[4], &[]),
        (&[0], &[]),
        // Messages of one who says nothing, in either payload.
        (&[2, 0, 0, 1], &[]),
        (&[], &[0, 0, 1]),
        // Cut, of no variant, and one number twice.
        (&[1, 0], &[]),
        (&[1, 0, 1, 9, b'a'], &[]),
        (&[1, 0, 2], &[]),
        (&[1, 5, 0, 1], &[5, 0, 1]),
    ];
    for (broadcast, p2p) in bad {
        let payloads = Payloads {
            broadcast: broadcast.to_vec(),
            p2p: vec![(1, p2p.to_vec().into())],
        };
        let error = read::<Said>(&inbox(&payloads, 1), 1).err().unwrap();
        assert_eq!(error.about(), Some(0), "{broadcast:?} {p2p:?}: {error}");
        assert!(matches!(
            error,
            DeliveryError::Malformed {
                from: 0,
                round: 7,
                ..
            }
        ));
    }
}

#[test]
fn a_message_for_nobody_is_refused() {
    let sent = Outbox::default().push(&Outgoing::p2p(3, Said::Number(0)), ME);
    assert_eq!(sent, Err(DeliveryError::Recipient { to: 3, n: 3 }));
}

#[test]
fn a_message_that_others_couldnt_read_is_refused_by_its_sender() {
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u32),
    }
    let sent = Outbox::default().push(&Outgoing::broadcast(Untagged::Number(1)), ME);
    assert!(matches!(sent, Err(DeliveryError::Encoding { .. })));
}

#[test]
fn one_post_holds_as_many_messages_as_have_numbers() {
    let mut outbox = Outbox {
        count: MESSAGES_MAX - 1,
        ..Outbox::default()
    };
    outbox.push(&Outgoing::broadcast(()), ME).unwrap();
    let sent = outbox.push(&Outgoing::broadcast(()), ME);
    assert_eq!(sent, Err(DeliveryError::TooMany { max: MESSAGES_MAX }));
}
