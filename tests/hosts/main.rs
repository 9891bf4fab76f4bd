//! Four companies, each with a host of its own, make a board together and keep it through what happens to hosts
//!
//! The hosts are network namespaces: this needs root. Everything that a company does is a command of `white-city-node`, and everything
//! that a party does one of `white-city`.

mod company;
mod gateway;
mod net;
mod parties;
mod tmkms;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use company::{Company, wait};
use net::{Net, address, is_possible, said};
use parties::Parties;
use white_city_testnet::binaries::Binaries;
use white_city_tests::tls::CERTIFICATE;

/// Companies, and the hosts of three parties behind them.
const COMPANIES: usize = 4;
const PARTIES: usize = 3;

async fn binaries() -> Binaries {
    Binaries::find().await.unwrap()
}

/// The ceremony: cards, one genesis, four signatures.
fn ceremony(companies: &[Company<'_>], dir: &Path) {
    for company in companies {
        company.init();
    }
    for one in companies {
        for other in companies.iter().filter(|other| other.host != one.host) {
            one.send_to(other);
        }
    }
    let draft = companies[0].run(&["genesis", "draft", "--chain-id", "four-companies"]);
    // Quick enough for a test; what the defaults are is seen in config/genesis.toml.
    let draft = draft.replace("heartbeat_ms = 10_000", "heartbeat_ms = 1_000");
    let file = dir.join("draft.toml");
    std::fs::write(&file, draft).unwrap();
    let made: Vec<String> = companies
        .iter()
        .map(|company| {
            company.run(&["genesis", "make", "--draft", file.to_str().unwrap()]);
            std::fs::read_to_string(company.home.join("config/genesis.json")).unwrap()
        })
        .collect();
    assert!(made.iter().all(|genesis| *genesis == made[0]));
    // Nobody starts before all have signed.
    let early = companies[0].command(&["start"]).output().unwrap();
    assert_eq!(early.status.code(), Some(3), "{}", said(&early));
    assert!(said(&early).contains("isn't signed by"), "{}", said(&early));
    for company in companies {
        company.run(&["genesis", "sign"]);
    }
    for one in &companies[1..] {
        one.send_to(&companies[0]);
    }
    for other in &companies[1..] {
        companies[0].send_to(other);
    }
    for company in companies {
        let checked = company.run(&["genesis", "check"]);
        assert!(checked.contains("All operators have signed"), "{checked}");
    }
}

/// Connections of a stranger to the p2p ports of all companies, which say nothing.
fn idle_sockets(net: &Net, stranger: usize) -> std::process::Child {
    let script = "
import socket, sys, time
ends = [(host, 26656) for host in sys.argv[1:]]
held = []
while True:
    for end in ends:
        for _ in range(50):
            try:
                s = socket.create_connection(end, 1)
                held.append(s)
            except OSError:
                pass
    del held[:-3000]
    time.sleep(0.05)
";
    let mut command = net.on(stranger, "python3");
    command.args(["-c", script]);
    command.args((0..COMPANIES).map(address));
    command.stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn four_companies_make_a_board_and_keep_it() {
    if !is_possible() {
        return;
    }
    let programs = binaries().await;
    let dir = tempfile::Builder::new().prefix("wc").tempdir().unwrap();
    let net = Net::new(COMPANIES + PARTIES);
    let mut companies: Vec<Company> = (0..COMPANIES)
        .map(|host| Company::new(&net, host, dir.path(), &programs))
        .collect();
    ceremony(&companies, dir.path());
    for company in &companies {
        company.set(&[("snapshot_blocks", "10"), ("profile", "\"data-centre\"")]);
    }
    let backup = dir.path().join("backup3");
    companies[3].run(&["backup", "--to", backup.to_str().unwrap()]);
    for company in &mut companies {
        company.start();
    }
    for company in &companies {
        company.reaches(2);
    }
    // The last connection may come a moment later than the first blocks.
    wait("doctor to find nothing wrong", || {
        let output = companies[0].command(&["doctor"]).output().unwrap();
        let found = said(&output);
        let is_fine = output.status.success() && !found.contains("BAD");
        is_fine.then_some(()).ok_or(found)
    });
    let genesis = companies[0].home.join("config/genesis.json");
    let parties = Parties::new(&net, COMPANIES, dir.path(), &programs, &genesis);
    parties.make_a_key_and_sign("before");

    rebuilt_from_a_backup(&mut companies, &backup);
    two_and_two(&net, &companies);
    restarted_beside_idle_connections(&net, &mut companies);
    let gateway = gateway::start(&companies[0], dir.path());
    upgraded_one_by_one(&mut companies, &programs, dir.path());
    // Behind TLS and a path of its own the node's replica is asked itself, as if nothing were in front of it.
    let asked = gateway::asked(&companies[0]);
    let certificate = dir.path().join(CERTIFICATE);
    let outside = parties.through(&gateway::rpc_url(0), &certificate);
    outside.make_a_key_and_sign("through the gateway");
    assert!(gateway::asked(&companies[0]) > asked);
    drop(gateway);
    let addresses = [1, 2].map(|host| validator(&companies[host]));
    let signers = (
        tmkms::signs_for(&mut companies[1], dir.path()),
        with_a_remote_signer_an_hour_off(&mut companies[2]),
    );
    parties.make_a_key_and_sign("after");
    assert!(
        addresses
            .iter()
            .all(|address| votes(&companies[0], address))
    );
    // Where processors are busy a block may be old when it is looked at.
    wait("the board to move", || {
        let board = parties.board();
        let moves = board["is_standing"] == false;
        moves.then_some(()).ok_or_else(|| board.to_string())
    });
    for company in &mut companies {
        company.stop();
    }
    drop(signers);
}

/// A host burns down; what is left is a backup from before the board began.
fn rebuilt_from_a_backup(companies: &mut [Company<'_>], backup: &Path) {
    companies[3].burn_down();
    let reached = companies[0].reaches(14);
    companies[3].run(&["restore", "--from", backup.to_str().unwrap()]);
    companies[0].send_to(&companies[3]);
    companies[3].set(&[("profile", "\"data-centre\"")]);
    let early = companies[3].command(&["start"]).output().unwrap();
    assert!(!early.status.success(), "it might sign twice");
    companies[3].run(&["join"]);
    companies[3].start();
    companies[3].reaches(reached);
    assert!(
        votes(&companies[0], &validator(&companies[3])),
        "{}",
        companies[3].log()
    );
}

/// Two and two: nobody goes on. Together again, all do, without being told.
fn two_and_two(net: &Net, companies: &[Company<'_>]) {
    net.apart(&[2, 3]);
    let stopped = wait("the board to stand still", || {
        let before = companies[0].height()?;
        std::thread::sleep(Duration::from_secs(4));
        let after = companies[0].height()?;
        (before == after)
            .then_some(after)
            .ok_or_else(|| format!("{after}"))
    });
    net.together(&[2, 3]);
    for company in companies.iter() {
        company.reaches(stopped + 3);
    }
}

/// A stranger's idle connections to every p2p port, while two nodes restart.
fn restarted_beside_idle_connections(net: &Net, companies: &mut [Company<'_>]) {
    let mut stranger = idle_sockets(net, COMPANIES + PARTIES - 1);
    for host in [1, 2] {
        companies[host].stop();
    }
    for host in [1, 2] {
        companies[host].start();
    }
    let before = companies[0].height().unwrap();
    for company in companies.iter() {
        company.reaches(before + 3);
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// New programs, at one company after the other; the board goes on with the other three.
fn upgraded_one_by_one(companies: &mut [Company<'_>], programs: &Binaries, dir: &Path) {
    let new = dir.join("white-city-replica-new");
    std::fs::copy(programs.replica().unwrap(), &new).unwrap();
    let path = format!("{:?}", new.to_str().unwrap());
    for host in 0..companies.len() {
        companies[host].stop();
        companies[host].set(&[("replica", &path)]);
        let other = (host + 1) % companies.len();
        let before = companies[other].height().unwrap();
        companies[other].reaches(before + 2);
        companies[host].start();
        companies[host].reaches(before + 2);
    }
}

/// A process that ends when it is dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has a company's votes signed by a program of their own, whose clock is an hour ahead.
fn with_a_remote_signer_an_hour_off(company: &mut Company<'_>) -> Running {
    company.stop();
    let socket = company.home.join("app/sign.sock");
    company.set(&[("remote_signer", "\"unix://app/sign.sock\"")]);
    company.start();
    let mut signer = company.on_its_host(env!("CARGO_BIN_EXE_white-city-hostile"));
    signer.args(["signer", "--clock", "hour-ahead", "--home"]);
    signer.arg(&company.home).arg("--socket").arg(&socket);
    let signer = Running(signer.stderr(Stdio::null()).spawn().unwrap());
    let before = company.reaches(1);
    company.reaches(before + 2);
    signer
}

#[test]
fn the_unit_of_a_node_is_one_that_systemd_takes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let unit = std::fs::read_to_string(root.join("config/white-city-node.service")).unwrap();
    let program = "ExecStart=/usr/local/bin/white-city-node ";
    assert_eq!(unit.matches(program).count(), 1);
    let dir = tempfile::tempdir().unwrap();
    let verified = |unit: &str| {
        let file = dir.path().join("white-city-node.service");
        std::fs::write(&file, unit).unwrap();
        Command::new("systemd-analyze")
            .arg("verify")
            .arg(&file)
            .output()
    };
    // It looks for the program, too.
    let unit = unit.replace(program, "ExecStart=/bin/true ");
    let Ok(taken) = verified(&unit) else {
        let why = "systemd-analyze is needed: apt-get install systemd";
        assert!(
            std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
            "{why}"
        );
        eprintln!("NOT RUN: {why}");
        return;
    };
    assert!(
        taken.status.success() && said(&taken).trim().is_empty(),
        "{}",
        said(&taken)
    );
    let wrong = verified(&unit.replace("Restart=on-failure", "Restart=at-times")).unwrap();
    assert!(said(&wrong).contains("at-times"), "{}", said(&wrong));
}

/// The address of a company's validator, from its key.
fn validator(of: &Company<'_>) -> String {
    let key = std::fs::read_to_string(of.home.join("config/priv_validator_key.json")).unwrap();
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    key["address"].as_str().unwrap().to_owned()
}

/// Whether the last commit that one company has carries a validator's vote; waits for it.
fn votes(seen_by: &Company<'_>, validator: &str) -> bool {
    wait("its vote", || {
        let url = format!("http://{}:26657/commit", address(seen_by.host));
        let text = seen_by.fetches(&url);
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|_| text)?;
        let signatures = &json["result"]["signed_header"]["commit"]["signatures"];
        let mut signatures = signatures.as_array().into_iter().flatten();
        let voted = signatures.any(|one| {
            one["block_id_flag"] == 2 && one["validator_address"].as_str() == Some(validator)
        });
        voted
            .then_some(true)
            .ok_or_else(|| format!("{signatures:?}"))
    })
}
