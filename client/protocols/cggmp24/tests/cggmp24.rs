//! A key among three parties, and a signature of two of them, which another implementation verifies. `WHITE_CITY_PARTIES=16` has it
//! among sixteen: their auxiliary data is larger than a transaction. That of three is sent in smaller parts than it needs.
//!
//! The safe primes are in a file of this repository, so everybody knows them: FOR TESTS ONLY. Making them takes each party a
//! minute or two, which is no part of what is tested here.

use std::{
    env,
    time::{Duration, Instant},
};

use cggmp24::{KeyShare, PregeneratedPrimes, security_level::SecurityLevel128};
use k256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use white_city_cggmp24::{Failure, aux_info, keygen, sign};
use white_city_client::{RoundBytes, SpecBuilder};
use white_city_kit::{Board, Party, app_state, largest_posts};
use white_city_testnet::{Error, NodeError, Options, Testnet};

const PUBLIC_PRIMES: &str = include_str!("public-primes-for-tests-only.json");
const MESSAGE: &[u8] = b"signed over a board that nobody has to trust";

fn primes(party: u16) -> PregeneratedPrimes<SecurityLevel128> {
    let all: Vec<PregeneratedPrimes<SecurityLevel128>> =
        serde_json::from_str(PUBLIC_PRIMES).unwrap();
    all[usize::from(party) % all.len()].clone()
}

fn all<T>(results: Vec<Result<T, Failure>>) -> Vec<T> {
    results.into_iter().map(Result::unwrap).collect()
}

/// Prints the sizes of the posts, by the board's rounds, for the table of `docs/bring-your-own-protocol.md`.
fn say(protocol: &str, party: &Party, began: Instant) {
    if party.session.index() == 0 {
        let (posts, time) = (largest_posts(&party.session), began.elapsed());
        println!("{protocol}: {time:.1?}, {posts:?}");
    }
}

/// Number of parties that make the key.
fn parties() -> u16 {
    env::var("WHITE_CITY_PARTIES").map_or(3, |parties| parties.parse().unwrap())
}

/// Room for the proofs about moduli: to all in the second round, to each other party in the third. In the fourth all have ended.
fn aux_spec(board: &Board, n: u16) -> SpecBuilder {
    let size = |broadcast, p2p| RoundBytes { broadcast, p2p };
    let large = 256 << 10;
    let rounds = [
        size(1 << 10, 0),
        size(large, 0),
        size(1 << 10, large),
        size(1, 0),
    ];
    let network = board.client(0).unwrap().network().clone();
    let time = Duration::from_secs(1_800);
    let spec = board.spec("cggmp24-aux", n).for_board(&network);
    let spec = spec.times(time, time, time).any_size(&rounds);
    match n {
        3 => spec.payloads(100 << 10, 60 << 10),
        _ => spec,
    }
}

/// Proofs about moduli take their time.
fn patient(spec: SpecBuilder) -> SpecBuilder {
    let time = Duration::from_secs(900);
    spec.max_rounds(8).times(time, time, time)
}

async fn over(board: &Board) {
    let n = parties();
    let spec = aux_spec(board, n);
    let name = spec.clone().build().unwrap().protocol;
    assert!(name.starts_with("cggmp24-aux+parts/1:"), "{name}");
    let began = Instant::now();
    let made = board.run(spec, async |party: &mut Party| {
        let index = party.session.index();
        let aux = aux_info(&mut party.session, primes(index)).await;
        say(&name, party, began);
        let used = party.session.history().open_round();
        assert!(used > 5, "only {used} rounds");
        aux
    });
    let aux = all(made.await.unwrap());
    let began = Instant::now();
    let spec = patient(board.spec("cggmp24-keygen", n).corrupt(1));
    let spec = spec.payloads(64 << 10, 8 << 10);
    let made = board.run(spec, async |party: &mut Party| {
        let share = keygen(&mut party.session, 2).await;
        say("keygen", party, began);
        share
    });
    let parts = all(made.await.unwrap()).into_iter().zip(aux);
    let shares: Vec<_> = parts
        .map(|parts| KeyShare::from_parts(parts).unwrap())
        .collect();
    let began = Instant::now();
    let spec = patient(board.spec("cggmp24-sign", 2).input(MESSAGE.to_vec()));
    let spec = spec.payloads(256 << 10, 256 << 10);
    let signed = board.run(spec, async |party: &mut Party| {
        let me = usize::from(party.session.index());
        let message = party.session.spec().input.clone();
        let signature = sign(&mut party.session, &shares[me], &[0, 1], &message).await;
        say("sign", party, began);
        signature
    });
    let key = shares[2].core.shared_public_key.to_bytes(true);
    let key = VerifyingKey::from_sec1_bytes(&key).unwrap();
    let signatures = all(signed.await.unwrap());
    assert_eq!(signatures.len(), 2);
    for signature in signatures {
        let signature = Signature::from_slice(&signature).unwrap();
        key.verify(MESSAGE, &signature).unwrap();
        assert!(key.verify(b"another message", &signature).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threshold_ecdsa_runs_over_four_replicas() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("net"));
    options.app_state = Some(app_state().unwrap());
    let net = match Testnet::create(&options).await {
        Ok(net) => net,
        Err(Error::Node(NodeError::Tooling(why))) => {
            let required = std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_some();
            assert!(!required, "CometBFT is required here: {why}");
            eprintln!("NOT RUN ON COMETBFT, but on Solo: {why}");
            let board = Board::solo().await.unwrap();
            over(&board).await;
            return board.stop().await.unwrap();
        }
        Err(error) => panic!("{error}"),
    };
    net.start_all().await.unwrap();
    let genesis = net.dir().join("genesis.json");
    over(&Board::of(&genesis, net.rpc_urls().iter().cloned()).unwrap()).await;
    net.stop().await.unwrap();
}
