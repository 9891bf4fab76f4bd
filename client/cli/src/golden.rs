//! The output of `--json`, as lines of `tests/golden/shown-cli.jsonl`, so that no name changes unnoticed. What the replicas show,
//! too, is in `tests/golden/shown.jsonl`.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};
use white_city_client::{
    Error, Hash, IdentityKey, LocalKey, NetworkId, Progress, SessionId, Signer as _, Stamping,
    groups::{Group, GroupKey, Member, Name},
    journal::Kept,
    read::{CharterNow, Dispute},
    receipt::{Certified, Claim, ForkClaim, Place},
    trust::TrustFile,
    trust_file,
    wire::{
        Bitmap, Charter,
        approve::Proposal,
        board::{Cause, Status, Terminal},
        charter::{OpenerQuota, Replica},
        limits::NOBODY,
        seal::BlockTime,
    },
};

use crate::{board, contacts, failure::Failure, group, journal, progress, receipt};

/// Ed25519's base point: a key as good as any.
const KEY: &str = "5866666666666666666666666666666666666666666666666666666666666666";

fn key() -> IdentityKey {
    IdentityKey::from_bytes(&Hash::from_hex(KEY).unwrap().0).unwrap()
}

fn dispute() -> Dispute {
    Dispute {
        by: 0,
        accused: 1,
        round: 2,
    }
}

fn terminal() -> Terminal {
    Terminal {
        status: Status::Finished,
        cause: Cause::None,
        height: 9,
        board_ms: 9_000,
        by: NOBODY,
        outcome: Hash([4; 32]),
        members: Bitmap::full(2),
        filled: Bitmap::full(2),
    }
}

fn claims() -> [Claim; 8] {
    let place = Place {
        round: 1,
        index: 2,
        key: key(),
    };
    [
        Claim::Submission {
            place: place.clone(),
            digest: Hash([1; 32]),
            closed: true,
        },
        Claim::End {
            terminal: Some(terminal()),
            finished: Some((Hash([4; 32]), Bitmap::full(2))),
        },
        Claim::Ceremony {
            joins: 2,
            rounds: 3,
            entries: 6,
            culprits: vec![1],
            left: vec![0],
            dispute: Some(dispute()),
            terminal: Box::new(terminal()),
        },
        Claim::Equivocation {
            place: place.clone(),
            digests: [Hash([1; 32]), Hash([2; 32])],
        },
        Claim::Absence { place, ended: true },
        Claim::Fork(ForkClaim::Headers {
            heights: [1, 1],
            hashes: [Hash([1; 32]), Hash([2; 32])],
            convicted: vec![[3; 20]],
        }),
        Claim::Fork(ForkClaim::Session {
            round: 1,
            transcripts: [Hash([1; 32]), Hash([2; 32])],
        }),
        Claim::Fork(ForkClaim::Back {
            rounds: [2, 1],
            undone: "a round",
        }),
    ]
}

/// Two operators, one of whom approves another opener.
fn charters() -> CharterNow {
    let replica = |number| Replica {
        validator: Hash([number; 32]),
        operator: Hash([number + 10; 32]),
    };
    let charter = Charter {
        term: 0,
        previous: Hash::ZERO,
        until_ms: 0,
        protocol: 2,
        max_session_bytes: 3,
        max_board_bytes: 4,
        anyone_may_open: true,
        anyone_max_live: 5,
        anyone_max_bytes: 6,
        stamp_bits: 7,
        replicas: vec![replica(1), replica(2)],
        openers: Vec::new(),
    };
    let next = Charter {
        term: 1,
        previous: charter.hash(),
        until_ms: 9,
        openers: vec![OpenerQuota {
            key: Hash([8; 32]),
            max_live: 1,
            max_bytes: 2,
        }],
        ..charter.clone()
    };
    let mut proven = Bitmap::empty(256);
    proven.insert(0);
    CharterNow {
        charter,
        term_height: 0,
        era: 0,
        protocol: 2,
        proven,
        words: vec![Proposal {
            operator: 1,
            sequence: 1,
            board_ms: 8,
            charter_hash: next.hash(),
        }],
        proposed: vec![next],
    }
}

/// The file that is frozen.
fn trust_file() -> TrustFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    trust_file::read(path.join("../../tests/golden/trust/era-2.trust")).unwrap()
}

/// A group of two, with a key.
fn treasury() -> Group {
    let members = [(1, "alice"), (2, "bob")].map(|(seed, name)| Member {
        name: name.parse().unwrap(),
        key: LocalKey::from_seed(&[seed; 32]).unwrap().identity(),
    });
    let mut group = Group::new("treasury".parse().unwrap(), members.into()).unwrap();
    let made = GroupKey {
        network: NetworkId([1; 32]),
        session: SessionId([2; 32]),
        protocol: "white-city/eddsa-keygen".into(),
        public_key: Hash([3; 32]),
        outcome: Hash([4; 32]),
        threshold: 2,
        share: Some("alice.share".into()),
    };
    group.add_key(made).unwrap();
    group
}

fn lines() -> Vec<Value> {
    let now = Progress {
        status: Status::Running,
        round: 2,
        filled: 3,
        members: 5,
        waiting_for: vec![1, 4],
        left: vec![2],
        deadline_ms: 190_000,
        board_ms: 60_000,
        height: 7,
        last_call: false,
        dispute: Some(dispute()),
    };
    let waiting = Failure::from(Error::Waiting {
        round: 2,
        missing: vec![1],
        deadline_ms: 190_000,
        board_ms: 60_000,
    });
    let kept = Kept {
        network: NetworkId([1; 32]),
        session: SessionId([2; 32]),
        identity: key(),
        opened_with: "a key file",
        bytes: 3,
        is_in_use: false,
    };
    let certified = Certified {
        height: 7,
        era: 1,
        term: Some(2),
        time: BlockTime::default(),
        board_ms: Some(3),
    };
    let claims = claims().map(|claim| json!({ "claim": receipt::claim_json(&claim) }));
    [
        progress::to_json(&now),
        progress::stamping_json(&Stamping {
            bits: 20,
            hashes: 500_000,
            elapsed: Duration::from_secs(2),
        }),
        waiting.to_json(),
        Failure::usage("wrong").to_json(),
        journal::value(Path::new("journal"), &kept),
        board::standing(&charters()),
        board::trust::value(&trust_file()),
        receipt::certified_json(&certified),
        contacts::contact_json(&"alice".parse::<Name>().unwrap(), &key()),
        group::group_json(&treasury()),
    ]
    .into_iter()
    .chain(claims)
    .collect()
}

#[test]
fn what_programs_read_has_the_names_that_the_golden_lines_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/shown-cli.jsonl");
    let found: String = lines().iter().map(|line| format!("{line}\n")).collect();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, &found).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    for (found, golden) in found.lines().zip(golden.lines()) {
        assert_eq!(found, golden);
    }
    assert_eq!(found.lines().count(), golden.lines().count());
}
