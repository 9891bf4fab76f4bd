//! A key among three parties, and a signature of two of them, which another implementation verifies.
//!
//! The safe primes are in a file of this repository, so everybody knows them: FOR TESTS ONLY. Making them takes each party a
//! minute or two, which is no part of what is tested here.

use std::time::Duration;

use cggmp24::{KeyShare, PregeneratedPrimes, security_level::SecurityLevel128};
use k256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use white_city_cggmp24::{Failure, aux_info, keygen, sign};
use white_city_client::SpecBuilder;
use white_city_kit::{Board, Party, app_state, largest_posts};
use white_city_testnet::{Error, NodeError, Options, Testnet};

const PUBLIC_PRIMES: &str = include_str!("public-primes-for-tests-only.json");
const MESSAGE: &[u8] = b"signed over a board that nobody has to trust";

fn primes(party: u16) -> PregeneratedPrimes<SecurityLevel128> {
    let all: Vec<PregeneratedPrimes<SecurityLevel128>> =
        serde_json::from_str(PUBLIC_PRIMES).unwrap();
    all[usize::from(party)].clone()
}

fn all<T>(results: Vec<Result<T, Failure>>) -> Vec<T> {
    results.into_iter().map(Result::unwrap).collect()
}

/// Prints the sizes of the posts, round by round, for the README's table.
fn say(protocol: &str, party: &Party) {
    if party.session.index() == 0 {
        println!("{protocol}: {:?}", largest_posts(&party.session));
    }
}

/// Proofs about moduli are large, and take their time.
fn patient(spec: SpecBuilder) -> SpecBuilder {
    let time = Duration::from_secs(900);
    spec.max_rounds(8)
        .payloads(256 << 10, 256 << 10)
        .times(time, time, time)
}

async fn over(board: &Board) {
    let spec = patient(board.spec("cggmp24-aux", 3));
    let made = board.run(spec, async |party: &mut Party| {
        let index = party.session.index();
        let aux = aux_info(&mut party.session, primes(index)).await;
        say("aux_info", party);
        aux
    });
    let aux = all(made.await.unwrap());
    let spec = patient(board.spec("cggmp24-keygen", 3).corrupt(1));
    let made = board.run(spec, async |party: &mut Party| {
        let share = keygen(&mut party.session, 2).await;
        say("keygen", party);
        share
    });
    let parts = all(made.await.unwrap()).into_iter().zip(aux);
    let shares: Vec<_> = parts
        .map(|parts| KeyShare::from_parts(parts).unwrap())
        .collect();
    let spec = patient(board.spec("cggmp24-sign", 2).input(MESSAGE.to_vec()));
    let signed = board.run(spec, async |party: &mut Party| {
        let me = usize::from(party.session.index());
        let message = party.session.spec().input.clone();
        let signature = sign(&mut party.session, &shares[me], &[0, 1], &message).await;
        say("sign", party);
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
