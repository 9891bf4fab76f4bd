//! The file: no byte of it can be changed, and its size bounds what it costs to refuse it.

use prost::Message as _;
use white_city_client::{
    Receipt, Trust,
    receipt::{BadReceipt, RECEIPT_BYTES_MAX, checksum},
    wire::pb::{self, receipt::Body},
};

use crate::{
    forge::{decoded, file, summed},
    world::made,
};

#[test]
fn a_flipped_byte_anywhere_is_refused_with_a_reason() {
    for (name, bytes) in &made().receipts {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let refused = Receipt::from_bytes(&flipped).unwrap_err();
            assert_eq!(refused, BadReceipt::Checksum, "{name}: byte {at}");
        }
        for end in 0..bytes.len() {
            assert!(
                Receipt::from_bytes(&bytes[..end]).is_err(),
                "{name}: {end} bytes"
            );
        }
    }
}

/// Whoever changes a file can also make its checksum right.
#[test]
fn a_flipped_byte_with_the_checksum_made_right_again_is_refused_with_a_reason() {
    let made = made();
    let trust = made.trust();
    let mut flips = 0;
    for (name, bytes) in &made.receipts {
        let message = &bytes[..bytes.len() - 32];
        let step = if message.len() > 2_000 { 7 } else { 3 };
        for at in (0..message.len()).step_by(step) {
            let mut flipped = message.to_vec();
            flipped[at] ^= 1 << (at % 8);
            flipped.extend_from_slice(&checksum(&flipped).0);
            let receipt = Receipt::from_bytes(&flipped);
            let refused = receipt.and_then(|receipt| receipt.verify(&trust)).map(drop);
            let reason = refused.expect_err(&format!("{name}: byte {at} was accepted changed"));
            assert!(!reason.to_string().is_empty());
            flips += 1;
        }
    }
    assert!(flips > 3_000, "only {flips} flips");
}

#[test]
fn another_version_another_network_and_another_encoding_are_refused() {
    let made = made();
    let receipt = decoded(&made.receipts["equivocation"]);
    let read = |receipt: &pb::Receipt| Receipt::from_bytes(&summed(receipt));
    let newer = pb::Receipt {
        version: 2,
        ..receipt.clone()
    };
    assert_eq!(read(&newer), Err(BadReceipt::Version { got: 2 }));
    let empty = pb::Receipt {
        body: None,
        ..receipt.clone()
    };
    assert_eq!(read(&empty), Err(BadReceipt::Missing("content")));
    let mut other = receipt.clone();
    other.network_id[0] ^= 1;
    assert_eq!(
        read(&other).unwrap().verify(&made.trust()),
        Err(BadReceipt::Network)
    );
    let genesis = made
        .genesis
        .replace("white-city-receipts", "white-city-other");
    let elsewhere = Trust::genesis_json(genesis.as_bytes()).unwrap();
    assert_eq!(
        read(&receipt).unwrap().verify(&elsewhere),
        Err(BadReceipt::Network)
    );
    // A version that is spelled out twice decodes to the same values.
    let mut twice = receipt.encode_to_vec();
    twice.splice(0..0, [0x08, 0x01]);
    let unknown = [receipt.encode_to_vec(), vec![0x78, 0x01]].concat();
    for message in [twice, unknown, vec![0x09, 0, 0], vec![0x0a, 0x7f]] {
        let bytes = [&message[..], &checksum(&message).0].concat();
        assert!(matches!(
            Receipt::from_bytes(&bytes),
            Err(BadReceipt::Encoding(_))
        ));
    }
    // A length that isn't the shortest decodes to the same values, too.
    let message = receipt.encode_to_vec();
    let at = 2;
    assert_eq!(message[at..at + 2], [0x12, 32]);
    let long = [&message[..=at], &[0xa0, 0x00], &message[at + 2..]].concat();
    let bytes = [&long[..], &checksum(&long).0].concat();
    assert!(matches!(
        Receipt::from_bytes(&bytes),
        Err(BadReceipt::Encoding(_))
    ));
}

#[test]
fn a_file_past_the_limit_isnt_looked_at() {
    let most = vec![0; RECEIPT_BYTES_MAX];
    assert_eq!(Receipt::from_bytes(&most), Err(BadReceipt::Checksum));
    let more = vec![0; RECEIPT_BYTES_MAX + 1];
    assert_eq!(
        Receipt::from_bytes(&more),
        Err(BadReceipt::TooLarge {
            got: RECEIPT_BYTES_MAX + 1
        })
    );
}

/// A message of two bytes takes more than a hundred in memory: millions of them are refused before they are decoded.
#[test]
fn many_tiny_parts_are_refused_before_they_are_decoded() {
    let trust = made().trust();
    let ceremony = |change: fn(&mut pb::CeremonyReceipt)| {
        let mut ceremony = pb::CeremonyReceipt::default();
        change(&mut ceremony);
        Receipt::from_bytes(&file(&trust, Body::Ceremony(ceremony))).map(drop)
    };
    let refused = |result: Result<(), BadReceipt>| {
        let early = matches!(
            result,
            Err(BadReceipt::Encoding(_) | BadReceipt::TooLarge { .. })
        );
        assert!(early, "{result:?}");
    };
    refused(ceremony(|c| c.joins = vec![pb::Join::default()]));
    refused(ceremony(|c| c.joins = vec![join(); 1_025]));
    refused(ceremony(|c| {
        c.rounds = vec![pb::ReceiptRound::default(); 65_537]
    }));
    refused(ceremony(|c| c.rounds = vec![round(1, 10)]));
    refused(ceremony(|c| c.rounds = vec![round(1_025, 64)]));
    refused(ceremony(|c| c.rounds = vec![round(1, 600)]));
    refused(ceremony(|c| c.culprits = vec![pb::Culprit::default()]));
    refused(ceremony(|c| c.left = vec![pb::Leaver::default()]));
    refused(ceremony(|c| c.evidence = vec![pb::Evidence::default()]));
    refused(ceremony(|c| c.leaves = vec![pb::Tx::default()]));
    refused(ceremony(|c| {
        c.open = Some(pb::Open {
            spec: Some(pb::Spec {
                roster: vec![Vec::new(); 600_000],
                ..Default::default()
            }),
            ..Default::default()
        });
    }));
    assert_eq!(ceremony(|c| c.joins = vec![join(); 1_024]), Ok(()));
    assert_eq!(
        ceremony(|c| c.rounds = vec![pb::ReceiptRound::default(); 65_536]),
        Ok(())
    );
    assert_eq!(ceremony(|c| c.rounds = vec![round(1_024, 64)]), Ok(()));
    let spec = pb::Spec {
        roster: vec![Vec::new(); 5_000_000],
        ..Default::default()
    };
    let open = pb::Open {
        spec: Some(spec),
        ..Default::default()
    };
    let end = pb::EndReceipt {
        open: Some(open),
        ..Default::default()
    };
    refused(Receipt::from_bytes(&file(&trust, Body::End(end))).map(drop));
}

fn join() -> pb::Join {
    pb::Join {
        signature: vec![1; 64].into(),
        ..Default::default()
    }
}

fn round(entries: usize, bytes: usize) -> pb::ReceiptRound {
    let entry = pb::ReceiptEntry {
        signature: vec![1; bytes],
        ..Default::default()
    };
    pb::ReceiptRound {
        entries: vec![entry; entries],
    }
}
