//! Sizes of receipts at 512 parties and 5 rounds, as the architecture says them.

use white_city_client::wire::pb::{self, receipt::Body, receipt_entry::Content};

use crate::{
    forge::{decoded, file},
    world::made,
};

const PARTIES: u32 = 512;
/// Header, commit of four replicas instead of one, and the way to a session among a thousand.
const LARGER_ANCHOR_BYTES: usize = 3 * 110 + 10 * 32;

fn hash() -> Vec<u8> {
    vec![7; 32]
}

fn entries(content: impl Fn() -> Content) -> pb::ReceiptRound {
    let entries = (0..PARTIES).map(|index| pb::ReceiptEntry {
        index,
        signature: vec![1; 64],
        content: Some(content()),
    });
    pb::ReceiptRound {
        entries: entries.collect(),
    }
}

#[test]
fn receipts_of_512_parties_weigh_what_the_architecture_says() {
    let made = made();
    let trust = made.trust();
    let Some(Body::Ceremony(small)) = decoded(&made.receipts["ceremony"]).body else {
        panic!("a ceremony")
    };
    let mut open = small.open.clone().unwrap();
    open.spec.as_mut().unwrap().roster = vec![hash(); PARTIES as usize];
    let mut terminal = small.terminal.clone().unwrap();
    terminal.n = PARTIES;
    (terminal.members, terminal.filled) = (vec![255; 64], vec![255; 64]);
    let end = pb::EndReceipt {
        open: Some(open.clone()),
        anchor: small.anchor.clone(),
        terminal: Some(terminal.clone()),
        finishes: None,
    };
    let parties = pb::EndReceipt {
        open: Some(open.clone()),
        finishes: Some(pb::Finishes {
            round: 5,
            transcript: hash(),
            outcome: hash(),
            parties: vec![255; 64],
            signatures: vec![1; 64 * PARTIES as usize],
        }),
        ..Default::default()
    };
    let post = || {
        Content::Post(pb::PostContent {
            bcast_hash: hash(),
            bcast_len: 1_000,
            p2p_root: hash(),
            p2p_bytes: 41_000,
        })
    };
    let mut rounds = vec![entries(post); 4];
    rounds.push(entries(|| Content::Outcome(hash())));
    let ceremony = pb::CeremonyReceipt {
        open: Some(open),
        terminal: Some(terminal),
        joins: (0..PARTIES)
            .map(|index| pb::Join {
                session: hash().into(),
                index,
                kem: 1,
                enc_pk: hash().into(),
                signature: vec![1; 64].into(),
            })
            .collect(),
        rounds,
        ..small
    };
    let weigh = |body| file(&trust, body).len();
    let replicas = weigh(Body::End(end)) + LARGER_ANCHOR_BYTES;
    let parties = weigh(Body::End(parties));
    let ceremony = weigh(Body::Ceremony(ceremony)) + LARGER_ANCHOR_BYTES;
    println!("by the replicas {replicas}, by the parties {parties}, ceremony {ceremony} bytes");
    assert!((19_000..=20_480).contains(&replicas), "{replicas}");
    assert!((50_000..=54_272).contains(&parties), "{parties}");
    assert!((440_000..=475_000).contains(&ceremony), "{ceremony}");
}
