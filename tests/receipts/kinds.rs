//! Each kind verifies offline, and says what it proves and what that rests on.

use white_city_client::{
    Hash,
    receipt::{Claim, ForkClaim, Kind},
    wire::board::{Cause, Status},
};

use crate::world::made;

const REPLICAS: &str = "more than two thirds of the validators of the genesis signed";

#[test]
fn every_receipt_verifies_without_any_replica_and_reads_back_as_the_same_bytes() {
    let made = made();
    let trust = made.trust();
    assert!(made.receipts.len() >= 16, "{:?}", made.receipts.keys());
    for (name, bytes) in &made.receipts {
        let receipt = made.receipt(name);
        assert_eq!(receipt.to_bytes(), *bytes, "{name}");
        let proven = receipt.verify(&trust);
        let text = proven
            .unwrap_or_else(|bad| panic!("{name}: {bad}"))
            .to_string();
        println!("-- {name}, {} bytes\n{text}\n", bytes.len());
        assert!(
            text.starts_with("proven: ") && text.contains("rests on: "),
            "{name}"
        );
    }
}

#[test]
fn a_submission_says_in_which_slot_and_whether_the_round_has_closed_with_it() {
    let made = made();
    let expected = [
        ("submission of an open round", 1, false),
        ("submission", 1, true),
        ("submission of a join", 0, true),
        ("submission of a finish", 2, false),
        ("renewed submission", 1, true),
    ];
    for (name, round, in_closed) in expected {
        let proven = made.receipt(name).verify(&made.trust()).unwrap();
        let Claim::Submission { place, closed, .. } = &proven.claim else {
            panic!("{name}")
        };
        assert_eq!(
            (place.round, place.index, *closed),
            (round, 0, in_closed),
            "{name}"
        );
        assert_eq!(proven.certified.len(), 1);
        assert!(proven.rests_on().contains(REPLICAS), "{name}");
    }
}

#[test]
fn an_end_is_the_replicas_word_and_the_parties_word_where_they_finished() {
    let made = made();
    for name in ["end", "renewed end"] {
        let proven = made.receipt(name).verify(&made.trust()).unwrap();
        let Claim::End {
            terminal: Some(terminal),
            finished: Some((outcome, parties)),
        } = &proven.claim
        else {
            panic!("{:?}", proven.claim)
        };
        assert_eq!(
            (terminal.status, terminal.outcome),
            (Status::Finished, Hash([5; 32]))
        );
        assert_eq!(
            (*outcome, parties.iter().collect()),
            (Hash([5; 32]), vec![0, 1])
        );
        let text = proven.to_string();
        assert!(
            text.contains(REPLICAS) && text.contains("parties' own signatures"),
            "{text}"
        );
    }
    let proven = made.receipt("end by abort").verify(&made.trust()).unwrap();
    let Claim::End {
        terminal: Some(terminal),
        finished: None,
    } = &proven.claim
    else {
        panic!("{:?}", proven.claim)
    };
    assert_eq!(
        (terminal.status, terminal.cause),
        (Status::Aborted, Cause::Left)
    );
    assert!(!proven.to_string().contains("own signatures"));
}

#[test]
fn a_ceremony_counts_what_was_signed_and_names_who_left_and_who_cheated() {
    let made = made();
    let expected = [
        ("ceremony", (3, 2, 4), vec![1], vec![]),
        ("renewed ceremony", (3, 2, 4), vec![1], vec![]),
        ("ceremony of an abort", (3, 1, 0), vec![], vec![2]),
        ("ceremony that never ran", (1, 0, 0), vec![], vec![2]),
        ("ceremony of a bad payload", (3, 2, 3), vec![0], vec![]),
        ("ceremony of silence", (3, 2, 3), vec![], vec![]),
    ];
    for (name, counts, who_cheated, who_left) in expected {
        let proven = made.receipt(name).verify(&made.trust()).unwrap();
        let Claim::Ceremony {
            joins,
            rounds,
            entries,
            culprits,
            left,
            ..
        } = &proven.claim
        else {
            panic!("{name}")
        };
        assert_eq!((*joins, *rounds, *entries), counts, "{name}");
        assert_eq!((culprits, left), (&who_cheated, &who_left), "{name}");
    }
}

#[test]
fn a_ceremony_says_who_complained_about_whom_and_convicts_nobody_of_silence() {
    let made = made();
    for (name, expected) in [
        ("ceremony of a bad payload", Cause::BadPayload),
        ("ceremony of silence", Cause::NoReveal),
    ] {
        let proven = made.receipt(name).verify(&made.trust()).unwrap();
        let Claim::Ceremony {
            dispute: Some(dispute),
            terminal,
            ..
        } = &proven.claim
        else {
            panic!("{name}")
        };
        let parties = (dispute.by, dispute.accused, dispute.round);
        assert_eq!((parties, terminal.cause), ((1, 0, 1), expected), "{name}");
        let text = proven.to_string();
        assert!(text.contains("party 1 complained about"), "{text}");
        let is_silence = expected == Cause::NoReveal;
        let is_said = text.contains("party 0 was silent, which is no offence");
        assert_eq!(is_said, is_silence, "{text}");
        assert_eq!(text.contains("culprits: 0"), !is_silence, "{text}");
    }
}

#[test]
fn blame_needs_no_replica_where_the_party_signed_it_and_says_when_where_it_did_not() {
    let made = made();
    let proven = made.receipt("equivocation").verify(&made.trust()).unwrap();
    let Claim::Equivocation { place, .. } = &proven.claim else {
        panic!()
    };
    assert_eq!((place.round, place.index), (1, 1));
    assert!(proven.certified.is_empty() && proven.to_string().contains("no replica"));
    for (name, index, at_the_end) in [
        ("absence", 2, false),
        ("renewed absence", 2, false),
        ("absence at the end", 1, true),
    ] {
        let proven = made.receipt(name).verify(&made.trust()).unwrap();
        let Claim::Absence { place, ended } = &proven.claim else {
            panic!()
        };
        assert_eq!(
            (place.round, place.index, *ended),
            (1, index, at_the_end),
            "{name}"
        );
    }
}

#[test]
fn a_fork_that_a_client_met_convicts() {
    let made = made();
    let receipt = made.receipt("fork of headers");
    assert_eq!(receipt.kind(), Kind::Fork);
    let proven = receipt.verify(&made.trust()).unwrap();
    let Claim::Fork(ForkClaim::Headers {
        heights,
        hashes,
        convicted,
    }) = &proven.claim
    else {
        panic!()
    };
    assert!(heights[0] > 0 && hashes[0] != hashes[1]);
    // The only validator, if it has signed both for one height.
    assert_eq!(convicted.len(), usize::from(heights[0] == heights[1]));
    assert_eq!(proven.certified.len(), 2);
}

#[test]
fn what_was_proven_before_erasure_is_proven_by_a_later_header_after_it() {
    let made = made();
    for name in ["ceremony", "end", "absence"] {
        let before = made.receipt(name).verify(&made.trust()).unwrap();
        let after = made
            .receipt(&format!("renewed {name}"))
            .verify(&made.trust())
            .unwrap();
        assert!(
            after.certified[0].height > before.certified[0].height,
            "{name}"
        );
        assert_eq!(after.claim, before.claim, "{name}");
    }
}
