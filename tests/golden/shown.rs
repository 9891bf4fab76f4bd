//! The JSON for programs: every object of `wire::json` as a line of `shown.jsonl`, so that no name changes unnoticed.

use serde_json::{Value, json};
use white_city_replica::work::Work;
use white_city_tests::{party::Party, scene::spec};
use white_city_wire::{
    Bitmap, Hash, IdentityKey, NetworkId, SessionId,
    board::{self, Cause, Offence, Status},
    json::{
        Answer, Board, Culprit, Dispute, Opener, Openers, Round, Session, SessionLine, Sessions,
        Slot, SlotKind, Spec, Terminal,
    },
    limits::NOBODY,
    tx::Open,
};

fn terminal(cause: Cause) -> board::Terminal {
    let finished = cause == Cause::None;
    board::Terminal {
        status: match finished {
            true => Status::Finished,
            false => Status::Aborted,
        },
        cause,
        height: 9,
        board_ms: 9_000,
        by: if finished { NOBODY } else { 1 },
        outcome: if finished { Hash([4; 32]) } else { Hash::ZERO },
        members: Bitmap::full(3),
        filled: Bitmap::empty(3).with(0).with(2),
    }
}

fn live() -> Session {
    let culprit = Culprit::from(&board::Culprit {
        index: 2,
        offence: Offence::Equivocation,
        round: 1,
        a: Hash([5; 32]),
        b: Hash([6; 32]),
    });
    Session {
        session: SessionId([1; 32]),
        number: 7,
        status: Status::Dispute,
        open_round: 2,
        transcript: Hash([3; 32]),
        deadline_ms: 12_000,
        remaining_ms: Some(3_000),
        call_blocks: 0,
        members: Some(vec![0, 1, 2]),
        filled: Some(vec![0]),
        waiting_for: Some(vec![1]),
        left: Some(vec![2]),
        culprits: Some(vec![culprit.index]),
        offences: Some(vec![culprit]),
        dispute: Some(Dispute {
            by: 0,
            accused: 1,
            round: 1,
            complaint: Some(Hash([7; 32])),
            reveal: Some(Hash([8; 32])),
            culprit: Some(1),
        }),
        end: None,
    }
}

fn opened(input: &[u8], prev_session: SessionId) -> Spec {
    let roster: Vec<IdentityKey> = (0..3).map(|number| *Party::new(number).key()).collect();
    let spec = white_city_wire::Spec {
        input: input.to_vec(),
        prev_session,
        protocol: "protocol".into(),
        version: 1,
        quorum: 3,
        corrupt: 1,
        max_rounds: 4,
        join_ms: 1,
        round_ms: 2,
        reveal_ms: 3,
        retention_ms: 4,
        max_bcast: 5,
        max_p2p: 6,
        max_bytes: 7,
        ..spec(&[], 0)
    };
    Spec::from(&Open {
        spec: white_city_wire::Spec { roster, ..spec },
        opener: *Party::new(9).key(),
        nonce: [0; 32],
        open_by_ms: 1,
        stamp: 0,
    })
}

fn lists() -> [Value; 3] {
    let line = SessionLine {
        session: SessionId([1; 32]),
        number: 7,
        status: Status::Running,
        protocol: "protocol".into(),
    };
    let opener = Opener {
        key: Hash([2; 32]),
        listed: true,
        max_live: 1,
        max_bytes: 2,
        live: 3,
        live_bytes: 4,
    };
    let sessions = |next_number| Sessions {
        sessions: vec![line.clone()],
        next_number,
    };
    let openers = Openers {
        openers: vec![opener],
        next: Some(1),
    };
    [
        json!(sessions(Some(8))),
        json!(sessions(None)),
        json!(openers),
    ]
}

fn sessions() -> [Value; 4] {
    let erased = Session {
        status: Status::Erased,
        remaining_ms: None,
        members: None,
        filled: None,
        waiting_for: None,
        left: None,
        culprits: None,
        offences: None,
        dispute: None,
        end: Some(Terminal::from(&terminal(Cause::None))),
        ..live()
    };
    let bare = Dispute {
        complaint: None,
        reveal: None,
        culprit: None,
        ..live().dispute.unwrap()
    };
    let answer = Answer {
        height: 5,
        board_ms: 6,
        answer: live(),
    };
    [
        json!(answer),
        json!(erased),
        json!(bare),
        json!(Terminal::from(&terminal(Cause::TooFew))),
    ]
}

fn round() -> Round {
    let slot = |kind, digest| Slot { kind, digest };
    let digest = Some(Hash([9; 32]));
    Round {
        round: 1,
        closed: true,
        slots: vec![
            slot(SlotKind::Empty, None),
            slot(SlotKind::Join, digest),
            slot(SlotKind::Post, digest),
            slot(SlotKind::Finish, digest),
        ],
    }
}

/// Every object, with everything in it that can be, and once with what can be missing.
fn objects() -> Vec<Value> {
    let board = Board {
        network: NetworkId([1; 32]),
        chain_id: "chain".to_owned(),
        params: json!({ "max_n": 3 }),
        charter: json!({ "term": 0 }),
        session_count: 1,
        opener_count: 2,
        paused_ms: 3,
        root: Hash([2; 32]),
    };
    let statuses = (1..).map_while(Status::from_number);
    let causes = (0..).map_while(Cause::from_number);
    let offences = (1..).map_while(Offence::from_number);
    let others = [
        json!(opened(b"text", SessionId([1; 32]))),
        json!(opened(b"\x00\xff", SessionId::ZERO)),
        json!(round()),
        json!(board),
        json!(Work::default()),
        json!({ "status": statuses.collect::<Vec<_>>() }),
        json!({ "cause": causes.collect::<Vec<_>>() }),
        json!({ "offence": offences.collect::<Vec<_>>() }),
    ];
    lists()
        .into_iter()
        .chain(sessions())
        .chain(others)
        .collect()
}

#[test]
fn what_programs_read_has_the_names_that_the_golden_lines_say() {
    let path = crate::folder().join("shown.jsonl");
    let found: String = objects().iter().map(|line| format!("{line}\n")).collect();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (found, golden) in found.lines().zip(golden.lines()) {
        assert_eq!(found, golden);
    }
    assert_eq!(found.lines().count(), golden.lines().count());
}

#[test]
fn a_status_is_named_as_everywhere_else() {
    for status in (1..).map_while(Status::from_number) {
        assert_eq!(json!(status), status.name());
    }
}

/// Each name of each object is in the text that explains them.
#[test]
fn every_name_is_explained() {
    let text = std::fs::read_to_string(crate::folder().join("../../docs/json.md")).unwrap();
    let cli = std::fs::read_to_string(crate::folder().join("shown-cli.jsonl")).unwrap();
    let lines = cli.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut names = Vec::new();
    for object in objects().into_iter().chain(lines) {
        collect(&object, &mut names);
    }
    names.sort();
    names.dedup();
    assert!(names.len() > 80, "{names:?}");
    let missing: Vec<&String> = names
        .iter()
        .filter(|name| !text.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "docs/json.md lacks {missing:?}");
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        // The parameters are those of config/genesis.toml.
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            names.push(name.clone());
            if name != "params" {
                collect(field, names);
            }
        }),
        _ => {}
    }
}
