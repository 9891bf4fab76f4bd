//! An attacker who sends as much as it can.

use std::process::{Command, Stdio};

use white_city_tests::adversary::Flood;

use crate::{
    program, the_session_finishes,
    world::{Setup, keys, world},
};

/// Answers that may come back for a flood: refusals' numbers, 0 for taken.
const fn expected(flood: Flood) -> &'static [&'static str] {
    match flood {
        Flood::UnknownKeys | Flood::UnsignedOpens => &["34"],
        // Some name an index that this roster doesn't have.
        Flood::OtherSessions => &["33", "34"],
        Flood::Garbage => &["17", "20"],
        Flood::Oversize => &[],
        // Those are good, and taken until strangers' budget is used up.
        Flood::Opens | Flood::LargeOpens => &["0", "131"],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_right_beside_every_kind_of_spam_and_each_is_refused_for_what_it_is() {
    let Some(world) = world(Setup {
        heartbeat_ms: Some(300),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let keys = keys(3);
    // Before: strangers share a budget for openings, which an attacker uses up.
    let id = world.open(&keys, |spec| spec).await;
    let mut command = Command::new(program());
    command
        .args(["spam", "--json", "--seconds=10", "--connections=4"])
        .args(["--session", &id.to_string(), "--network"])
        .arg(world.net.network_file())
        .stdout(Stdio::piped());
    let attacker = command.spawn().unwrap();
    the_session_finishes(&world, &keys, id).await;
    println!("the session has ended");
    let report = tokio::task::spawn_blocking(|| attacker.wait_with_output().unwrap());
    let report = report.await.unwrap();
    assert!(report.status.success());
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    println!("{report}");
    for flood in Flood::ALL {
        let answers = report["sent"][flood.name()].as_object().unwrap();
        assert!(!answers.is_empty(), "{}", flood.name());
        let codes: Vec<&String> = answers
            .keys()
            .filter(|answer| answer.parse::<u32>().is_ok())
            .collect();
        let expected = expected(flood);
        assert!(
            codes.iter().all(|code| expected.contains(&code.as_str())),
            "{}: {answers:?}",
            flood.name()
        );
        assert!(
            !codes.is_empty() || expected.is_empty(),
            "{}: {answers:?}",
            flood.name()
        );
    }
    assert!(
        report["sent"]["large-opens"]["131"].is_u64(),
        "strangers' budget holds: {report}"
    );
    world.agree().await;
    world.stop().await;
}
