//! Two files into one: it only goes forward, and two histories are a fork.

use white_city_client::{
    Fork, Receipt, Trust,
    receipt::{Claim, ForkClaim},
    trust::{BadTrustFile, TrustFile},
};
use white_city_tests::tampering::Council;

use super::{Board, read};
use crate::eras::link;

/// States that this board has come to in each of its eras, as files.
fn moments(board: &Board) -> [TrustFile; 4] {
    let Board { a, b, c, .. } = board;
    let links = board.links();
    [
        board.read(Vec::new(), None),
        board.read(Vec::new(), Some(board.mark(5, (a, 3), (0, 0)))),
        board.read(links[..1].to_vec(), Some(board.mark(15, (b, 3), (1, 9)))),
        board.read(links, Some(board.mark(30, (c, 3), (2, 19)))),
    ]
    .map(Result::unwrap)
}

fn known(file: &TrustFile) -> (u32, Option<u64>) {
    let height = file.mark().map(white_city_client::trust::Mark::height);
    (file.trust().newest_era(), height)
}

#[test]
fn of_two_files_the_newer_one_counts_whichever_comes_first() {
    let moments = moments(&Board::new());
    for (at, own) in moments.iter().enumerate() {
        for (other, new) in moments.iter().enumerate() {
            let mut file = own.clone();
            let has_changed = file.merge(new).unwrap();
            assert_eq!(known(&file), known(&moments[at.max(other)]));
            assert_eq!(has_changed, other > at, "{at} {other}");
            // And what comes of it is a file.
            let again = TrustFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
            assert_eq!(known(&again), known(&file));
        }
    }
}

#[test]
fn another_commit_of_a_link_is_the_same_link_and_the_first_one_stays() {
    let board = Board::new();
    let Board { a, b, c, .. } = &board;
    let mut own = read(&board.whole()).unwrap();
    let other = vec![link(10, a, b, 4), link(20, b, c, 4)];
    let other = board.read(other, Some(board.mark(40, (c, 4), (2, 19))));
    assert!(own.merge(&other.unwrap()).unwrap());
    assert_eq!(known(&own), (2, Some(40)));
    assert_eq!(own.trust().links_from(0), board.links());
}

#[test]
fn addresses_come_together_as_far_as_there_is_room() {
    let board = Board::new();
    let with = |from: usize, count: usize| {
        let mut file = board.whole();
        file.addresses = (from..from + count).map(|n| format!("{n:04}")).collect();
        read(&file).unwrap()
    };
    let mut file = with(0, 300);
    assert!(file.merge(&with(200, 200)).unwrap());
    assert_eq!(file.addresses().count(), 400);
    assert!(file.merge(&with(400, 300)).unwrap());
    assert_eq!(file.addresses().count(), 512);
    assert!(!file.merge(&with(700, 100)).unwrap());
    assert!(file.to_bytes().is_ok());
}

#[test]
fn a_file_of_another_network_is_not_merged() {
    let board = Board::new();
    let other = Board::of(Council::new([[60; 32]]));
    let mut file = read(&board.whole()).unwrap();
    let refused = file.merge(&other.read(Vec::new(), None).unwrap());
    assert!(
        matches!(refused, Err(BadTrustFile::Network { got }) if got == other.trust.network().id)
    );
}

/// The fork that two files come to, either way round, after which neither has changed.
fn forked(board: &Board, one: &TrustFile, two: &TrustFile) -> Option<Receipt> {
    let mut proofs = Vec::new();
    for (own, new) in [(one, two), (two, one)] {
        let mut file = own.clone();
        let bad = file.merge(new).unwrap_err();
        let headers = bad.fork();
        let headers = headers.unwrap_or_else(|| panic!("{bad}"));
        assert_eq!(file.to_bytes().unwrap(), own.to_bytes().unwrap());
        let fork = Fork::of_headers(bad.to_string(), headers, &own.trust());
        proofs.push(fork.receipt(&own.trust()));
    }
    let genesis = Trust::genesis_json(board.genesis.as_bytes()).unwrap();
    for proof in proofs.iter().flatten() {
        proof.verify(&genesis).unwrap();
    }
    proofs.pop()?
}

#[test]
fn two_histories_in_two_files_are_a_fork_with_its_proof_where_there_is_one() {
    let board = Board::new();
    let Board { a, b, c, .. } = &board;
    let [_, _, _, whole] = moments(&board);
    let era_one = |link, height| {
        let mark = board.mark(height, (b, 3), (1, 9));
        board.read(vec![link], Some(mark)).unwrap()
    };
    // Another link at the height of the one that is known: those who signed both are convicted.
    let other = board.read(
        vec![link(10, a, c, 3)],
        Some(board.mark(15, (c, 3), (1, 9))),
    );
    let proof = forked(&board, &whole, &other.unwrap()).unwrap();
    let Claim::Fork(ForkClaim::Headers {
        heights, convicted, ..
    }) = proof.verify(&board.trust).unwrap().claim
    else {
        panic!("a fork of headers");
    };
    assert_eq!((heights, convicted.len()), ([10, 10], 3));
    // One at another height: no file alone shows who signed for both.
    let other = board.read(vec![link(8, a, c, 3)], Some(board.mark(15, (c, 3), (1, 7))));
    assert!(forked(&board, &whole, &other.unwrap()).is_none());
    // The old set goes on above its link: the leaked keys of leavers.
    let branch = board.read(Vec::new(), Some(board.mark(99, (a, 4), (0, 0))));
    assert!(forked(&board, &whole, &branch.unwrap()).is_none());
    let branch = era_one(link(10, a, b, 3), 99);
    assert!(forked(&board, &whole, &branch).is_none());
    // Two blocks of one height in one era.
    let block = |term: u32| {
        let mut state = board.state(1, 9);
        state.board.term = term;
        board.certified(15, (b, 3), &state)
    };
    let [one, two] = [1, 2].map(|term| {
        let links = board.links()[..1].to_vec();
        board.read(links, Some(block(term))).unwrap()
    });
    assert!(forked(&board, &one, &two).is_some());
}
