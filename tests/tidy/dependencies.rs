//! Rules on the crates that may know one another: wire below everything, the state machine pure, the client without the replica's code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{cargo, files, read};

/// Our crates and which of ours each may use outside its tests. Exactly these.
const OURS: [(&str, &[&str]); 18] = [
    ("white-city-wire", &[]),
    ("white-city-state-machine", &["white-city-wire"]),
    // A replica checks a link between eras as a client does, before it stores it.
    (
        "white-city-replica",
        &[
            "white-city-state-machine",
            "white-city-verify",
            "white-city-wire",
        ],
    ),
    ("white-city-verify", &["white-city-wire"]),
    ("white-city-wasm", &["white-city-verify"]),
    (
        "white-city-party",
        &["white-city-verify", "white-city-wire"],
    ),
    (
        "white-city-party-wasm",
        &[
            "white-city-eddsa",
            "white-city-party",
            "white-city-verify",
            "white-city-wasm",
        ],
    ),
    (
        "white-city-client",
        &["white-city-party", "white-city-verify", "white-city-wire"],
    ),
    ("white-city-eddsa", &[]),
    // It hands questions on, and the page that it serves verifies the answers.
    ("white-city-explorer", &["white-city-wire"]),
    ("white-city-gateway", &["white-city-client"]),
    (
        "white-city-cli",
        &[
            "white-city-client",
            "white-city-eddsa",
            "white-city-gateway",
        ],
    ),
    // Examples, which nobody who uses the client compiles.
    (
        "white-city-protocols",
        &["white-city-client", "white-city-eddsa"],
    ),
    // Its solo engine runs a replica in its own process.
    (
        "white-city-testnet",
        &["white-city-node", "white-city-replica", "white-city-wire"],
    ),
    // It verifies the board that it joins, as a client does, and serves the explorer; the replica is a process of its own.
    (
        "white-city-node",
        &[
            "white-city-client",
            "white-city-explorer",
            "white-city-wire",
        ],
    ),
    // For tests of protocols: parties and a board in one process.
    (
        "white-city-kit",
        &["white-city-client", "white-city-testnet"],
    ),
    // Its hostile replica is a real one that lies.
    (
        "white-city-tests",
        &[
            "white-city-replica",
            "white-city-state-machine",
            "white-city-wire",
        ],
    ),
    // It calls whatever reads bytes from outside.
    (
        "white-city-fuzz",
        &[
            "white-city-client",
            "white-city-eddsa",
            "white-city-replica",
            "white-city-state-machine",
            "white-city-tests",
            "white-city-wire",
        ],
    ),
];

/// Whatever the verifier needs none of: what reaches the world, what does several things at once, and cryptography that isn't
/// Rust's. It is smaller than what it is part of, and runs where there is none of that.
const NOT_TO_VERIFY: [&str; 11] = [
    "aws-lc-rs",
    "aws-lc-sys",
    "getrandom",
    "hyper",
    "mio",
    "rayon",
    "reqwest",
    "ring",
    "rustix",
    "socket2",
    "tokio",
];

/// Crates that the two pure crates use directly. A new one is a decision.
const PURE: [(&str, &[&str]); 2] = [
    (
        "white-city-wire",
        &[
            "curve25519-dalek",
            "ed25519-dalek",
            "hex",
            "hkdf",
            "hpke",
            "prost",
            "serde",
            "sha2",
            "thiserror",
            "zeroize",
        ],
    ),
    ("white-city-state-machine", &["rpds", "white-city-wire"]),
];

/// Crates that reach clocks, files, networks, threads or the system's randomness.
const IMPURE: [&str; 16] = [
    "chrono",
    "crossbeam-channel",
    "getrandom",
    "hyper",
    "mio",
    "nix",
    "rand",
    "redb",
    "reqwest",
    "rustix",
    "socket2",
    "time",
    "tokio",
    "tracing",
    "tracing-subscriber",
    "signal-hook",
];

/// The direct dependencies of each of our crates outside its tests.
fn direct() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().unwrap();
            let normal = all
                .iter()
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"));
            (name(package), normal.map(name).collect())
        })
        .collect()
}

/// Everything that a crate is built from, itself included.
fn transitive(package: &str) -> BTreeSet<String> {
    let tree = cargo(&[
        "tree",
        "-p",
        package,
        "-e",
        "normal",
        "--prefix",
        "none",
        "--offline",
    ]);
    let names: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(names.contains(package));
    names
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn our_crates_use_each_other_in_one_direction_only() {
    let direct = direct();
    let known: BTreeSet<String> = OURS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        direct.keys().cloned().collect::<BTreeSet<_>>(),
        known,
        "the workspace's crates"
    );
    for (name, allowed) in OURS {
        let ours: BTreeSet<String> = direct[name].intersection(&known).cloned().collect();
        assert_eq!(ours, set(allowed), "{name}");
    }
}

#[test]
fn the_pure_crates_use_nothing_that_reaches_the_world() {
    let direct = direct();
    for (name, allowed) in PURE {
        assert_eq!(direct[name], set(allowed), "{name}");
        let impure: Vec<String> = transitive(name)
            .intersection(&set(&IMPURE))
            .cloned()
            .collect();
        assert!(impure.is_empty(), "{name} is built from {impure:?}");
    }
    // The list names crates by their real names: the replica has several of them.
    assert!(
        transitive("white-city-replica")
            .intersection(&set(&IMPURE))
            .count()
            >= 3
    );
}

#[test]
fn what_verifies_and_what_a_party_decides_by_are_built_from_nothing_that_reaches_the_world() {
    let unwanted = set(&NOT_TO_VERIFY);
    for name in [
        "white-city-verify",
        "white-city-wasm",
        "white-city-party",
        "white-city-party-wasm",
    ] {
        let built_from = transitive(name);
        let found: Vec<_> = built_from.intersection(&unwanted).collect();
        assert!(found.is_empty(), "{name} is built from {found:?}");
        assert!(built_from.contains("white-city-wire"));
    }
    // The list names crates by their real names: the client has most of them.
    let client = transitive("white-city-client");
    assert!(client.intersection(&unwanted).count() >= 8);
    assert!(2 * transitive("white-city-verify").len() < client.len());
}

#[test]
fn the_verifier_takes_from_the_standard_library_nothing_that_reaches_the_world() {
    let words = [
        "env::",
        "fs::",
        "io::",
        "net::",
        "process::",
        "thread::",
        "Instant",
        "SystemTime",
        "println!",
    ];
    let (mut sources, mut found) = (0, Vec::new());
    for (path, text) in files() {
        let is_pure = path.starts_with("client/verify/") || path.starts_with("client/party/");
        if is_pure && path.ends_with(".rs") {
            sources += 1;
            let lines = text.lines().filter(|line| !line.trim().starts_with("//"));
            let used = lines.filter(|line| words.iter().any(|word| line.contains(word)));
            found.extend(used.map(|line| format!("{path}: {line}")));
        }
    }
    assert!(sources > 30, "{sources}");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_a_party_runs_has_none_of_the_replicas_code() {
    for name in [
        "white-city-verify",
        "white-city-wasm",
        "white-city-party",
        "white-city-party-wasm",
        "white-city-client",
        "white-city-cli",
        "white-city-eddsa",
        "white-city-explorer",
        "white-city-gateway",
        "white-city-protocols",
    ] {
        let built_from = transitive(name);
        for foreign in [
            "white-city-state-machine",
            "white-city-replica",
            "redb",
            "tendermint-abci",
        ] {
            assert!(
                !built_from.contains(foreign),
                "{name} is built from {foreign}"
            );
        }
    }
    assert!(transitive("white-city-client").contains("white-city-wire"));
}

/// Another crate that computes on curve25519 would be one more to trust.
#[test]
fn a_party_has_two_implementations_of_curve25519() {
    for name in ["white-city-client", "white-city-cli"] {
        let built_from = transitive(name);
        let found = |crates: &[&str]| built_from.intersection(&set(crates)).count();
        assert_eq!(found(&["aws-lc-rs", "curve25519-dalek"]), 2, "{name}");
        let others = [
            "curve25519-dalek-ng",
            "ed25519-consensus",
            "ring",
            "openssl",
        ];
        assert_eq!(found(&others), 0, "{name}");
    }
}

/// The libraries that can be published, each after those before it: CONTRIBUTING.md says how.
const PUBLISHED: [&str; 5] = [
    "white-city-wire",
    "white-city-verify",
    "white-city-party",
    "white-city-client",
    "white-city-eddsa",
];

/// Lints against what can panic, but for arithmetic.
const PANICS: [&str; 4] = ["expect_used", "indexing_slicing", "panic", "unwrap_used"];

fn assert_denied(path: &str, wanted: &[&str]) {
    let source = read(path);
    let denied = source
        .split_once("deny(")
        .and_then(|(_, rest)| rest.split_once(")\n"))
        .map_or("", |(denied, _)| denied);
    let denied: BTreeSet<&str> = denied
        .split(',')
        .map(str::trim)
        .filter(|lint| !lint.is_empty())
        .collect();
    for lint in wanted {
        assert!(
            denied.contains(format!("clippy::{lint}").as_str()),
            "{path} doesn't deny {lint}"
        );
    }
}

#[test]
fn the_pure_crates_are_no_std_and_deny_what_can_panic() {
    for folder in ["abci-app/wire", "abci-app/state-machine"] {
        let path = format!("{folder}/src/lib.rs");
        let lib = read(&path);
        assert!(lib.lines().any(|line| line == "#![no_std]"), "{folder}");
        assert!(!lib.contains("extern crate std"), "{folder}");
        let arithmetic = [
            "arithmetic_side_effects",
            "as_conversions",
            "float_arithmetic",
        ];
        assert_denied(&path, &PANICS);
        assert_denied(&path, &arithmetic);
    }
}

#[test]
fn the_other_crates_of_the_product_deny_what_can_panic() {
    let crates = [
        "abci-app/src/lib.rs",
        "abci-app/src/main.rs",
        "abci-app/src/faulty.rs",
        "client/src/lib.rs",
        "client/cli/src/lib.rs",
        "client/eddsa/src/lib.rs",
        "client/explorer/src/lib.rs",
        "client/explorer/src/main.rs",
        "client/gateway/src/lib.rs",
        "client/party/src/lib.rs",
        "client/party/wasm/src/lib.rs",
        "client/protocols/src/lib.rs",
        "testnet/src/lib.rs",
        "testnet/src/main.rs",
        "testnet/kit/src/lib.rs",
    ];
    for path in crates {
        assert_denied(path, &PANICS);
    }
}

/// Whether a batch is good depends on what else is in it: replicas that batch would vote differently, and a reader that batches
/// keeps what receipts refuse.
#[test]
fn nothing_that_consensus_sees_checks_signatures_in_batches() {
    let files = files();
    let batches = |folder: &str| {
        let names = |(path, text): &&(String, String)| {
            path.starts_with(folder) && text.contains("verify_batch")
        };
        files.iter().filter(names).count()
    };
    assert_eq!(batches("abci-app"), 0);
    assert_eq!(batches("client"), 0);
    let found = batches("tests/tidy");
    assert!(found > 0, "the search finds what it looks for");
}

#[test]
fn every_crate_obeys_the_workspaces_lints_and_versions() {
    for (name, _) in OURS {
        let folder = match name {
            "white-city-replica" => "abci-app",
            "white-city-node" => "abci-app/node",
            "white-city-wire" => "abci-app/wire",
            "white-city-state-machine" => "abci-app/state-machine",
            "white-city-verify" => "client/verify",
            "white-city-wasm" => "client/verify/wasm",
            "white-city-party" => "client/party",
            "white-city-party-wasm" => "client/party/wasm",
            "white-city-client" => "client",
            "white-city-cli" => "client/cli",
            "white-city-eddsa" => "client/eddsa",
            "white-city-explorer" => "client/explorer",
            "white-city-gateway" => "client/gateway",
            "white-city-protocols" => "client/protocols",
            "white-city-testnet" => "testnet",
            "white-city-kit" => "testnet/kit",
            "white-city-fuzz" => "tests/fuzz",
            _ => "tests",
        };
        let manifest = read(format!("{folder}/Cargo.toml"));
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{folder}");
        if name == "white-city-wasm" || name == "white-city-party-wasm" {
            // All of the workspace's, but that what it exports has names.
            let lints = read("Cargo.toml");
            let (_, lints) = lints.split_once("[workspace.lints.rust]").unwrap();
            let lints = lints.split_once("[profile").unwrap().0;
            let lints = lints.replace("[workspace.", "[").replace("forbid", "deny");
            assert!(manifest.contains(lints.trim()), "{folder}");
        } else {
            assert!(manifest.contains("[lints]\nworkspace = true"), "{folder}");
        }
        let is_published = PUBLISHED.contains(&name);
        let is_kept = manifest.contains("publish.workspace = true");
        assert!(is_published != is_kept, "{folder}");
        let said = format!("{name} = {{ version = \"0.1.0\", path = \"{folder}\" }}");
        assert_eq!(read("Cargo.toml").contains(&said), is_published, "{folder}");
    }
}
