//! Each protocol makes a key and signs with it, over a real board; somebody else's verifier checks the signature.

mod sizes;
mod world;

use ring::signature::{ED25519, UnparsedPublicKey};
use white_city_eddsa::Dalek;
use white_city_kit::{Board, Party};
use white_city_protocols::{Failure, eddsa, frost, givre};

const MESSAGE: &[u8] = b"signed over a board that nobody has to trust";

/// All results, or the first failure.
fn all<T>(results: Vec<Result<T, Failure>>) -> Vec<T> {
    results.into_iter().map(Result::unwrap).collect()
}

/// The parties agree, and anybody who knows RFC 8032 does.
fn verify(public_key: &[u8], signatures: &[[u8; 64]]) {
    let key = UnparsedPublicKey::new(&ED25519, public_key);
    assert!(!signatures.is_empty());
    for signature in signatures {
        key.verify(MESSAGE, signature).unwrap();
        assert_eq!(signature, &signatures[0]);
        assert!(key.verify(b"another message", signature).is_err());
    }
}

/// Makes a key among `n` and signs with the first `t` of them, by these two functions.
macro_rules! over {
    ($board:expr, $n:expr, $t:expr, $name:literal, $keygen:expr, $sign:expr, $public_key:expr) => {{
        let (board, n, t): (&Board, u16, u16) = ($board, $n, $t);
        let spec = board.spec(concat!($name, "-keygen"), n).corrupt(t - 1);
        let made = board.run(spec, async |party: &mut Party| {
            ($keygen)(&mut party.session, t).await
        });
        let shares = all(made.await.unwrap());
        assert_eq!(shares.len(), usize::from(n));
        let signers: Vec<u16> = (0..t).collect();
        let spec = board
            .spec(concat!($name, "-sign"), t)
            .input(MESSAGE.to_vec());
        let signed = board.run(spec, async |party: &mut Party| {
            let me = usize::from(party.session.index());
            let message = party.session.spec().input.clone();
            ($sign)(&mut party.session, &shares[me], &signers, &message).await
        });
        verify(&($public_key)(&shares[0]), &all(signed.await.unwrap()));
    }};
}

async fn givre_over(board: &Board, n: u16, t: u16) {
    let public_key = |share: &givre::KeyShare| share.shared_public_key.to_bytes(true).to_vec();
    over!(board, n, t, "givre", givre::keygen, givre::sign, public_key);
}

async fn frost_over(board: &Board, n: u16, t: u16) {
    let public_key = |share: &frost::Share| share.1.verifying_key().serialize().unwrap();
    over!(board, n, t, "frost", frost::keygen, frost::sign, public_key);
}

async fn eddsa_over(board: &Board, n: u16, t: u16) {
    let public_key = |share: &white_city_eddsa::KeyShare| share.public_key();
    over!(
        board,
        n,
        t,
        "eddsa",
        eddsa::keygen::<Dalek>,
        eddsa::sign::<Dalek>,
        public_key
    );
}

#[cfg(feature = "curv")]
async fn eddsa_on_curv_over(board: &Board, n: u16, t: u16) {
    use white_city_eddsa::Curv;
    let public_key = |share: &white_city_eddsa::KeyShare| share.public_key();
    over!(
        board,
        n,
        t,
        "curv",
        eddsa::keygen::<Curv>,
        eddsa::sign::<Curv>,
        public_key
    );
}

async fn each_over(board: &Board, n: u16, t: u16) {
    givre_over(board, n, t).await;
    frost_over(board, n, t).await;
    eddsa_over(board, n, t).await;
    #[cfg(feature = "curv")]
    eddsa_on_curv_over(board, n, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_runs_over_solo() {
    let board = Board::solo().await.unwrap();
    each_over(&board, 3, 2).await;
    board.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_runs_over_four_replicas() {
    let Some(world) = world::four_replicas().await else {
        return;
    };
    each_over(&world.board, 3, 2).await;
    givre_over(&world.board, 16, 9).await;
    eddsa_over(&world.board, 16, 9).await;
    #[cfg(feature = "curv")]
    eddsa_on_curv_over(&world.board, 16, 9).await;
    world.stop().await;
}
