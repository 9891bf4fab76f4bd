//! Entries that come before their round opens, since replicas store a block a little apart.

use white_city_replica::Config;
use white_city_tests::{
    party::Party,
    scene::{each_kem, of_kem, spec},
};
use white_city_wire::{
    Kem, Refusal, SessionId, SignedTx,
    tx::{Action, Post},
};

use crate::chain::Chain;

/// A replica that is a block behind, and another one with whose eyes the parties see the board.
struct Apart {
    ahead: Chain,
    behind: Chain,
    parties: Vec<Party>,
    session: SessionId,
    /// The block that opens round 2.
    block: Vec<prost::bytes::Bytes>,
}

impl Apart {
    fn new(parked_bytes: u64) -> Self {
        Self::of(Kem::X25519, parked_bytes)
    }

    /// A session with encryption keys of this kind.
    fn of(kem: Kem, parked_bytes: u64) -> Self {
        let config = Config {
            parked_bytes,
            ..Config::default()
        };
        let (mut ahead, mut behind) = (Chain::new(&config), Chain::new(&config));
        let parties = Party::several(3);
        let session = ahead.running_of(kem, &parties);
        assert_eq!(behind.running_of(kem, &parties), session);
        let posts: Vec<Vec<u8>> = (0..3)
            .map(|index| ahead.post(&parties, session, index, b"one"))
            .collect();
        for post in &posts {
            ahead.replica.check_tx(post).unwrap();
        }
        let block = ahead.propose(&posts, 1 << 20);
        ahead.decide(block.clone()).unwrap();
        Self {
            ahead,
            behind,
            parties,
            session,
            block,
        }
    }

    /// A post for round 2.
    fn early(&self, index: u16, words: &[u8]) -> Vec<u8> {
        let post = Action::Post(self.post(index, words));
        self.ahead.tx(&self.parties[usize::from(index)], post)
    }

    /// A post for round 2 with a payload of so many bytes.
    fn early_sealed(&self, index: u16, bytes: u32) -> Vec<u8> {
        let header = self.post(index, b"").header;
        let p2p = vec![((index + 1) % 3, vec![7; usize::try_from(bytes).unwrap()])];
        let place = (index, 3);
        let post = Post::new(self.session, 2, place, header.transcript, vec![], p2p);
        self.ahead
            .tx(&self.parties[usize::from(index)], Action::Post(post))
    }

    fn post(&self, index: u16, words: &[u8]) -> Post {
        let committed = self.ahead.replica.committed().unwrap();
        let transcript = committed
            .state
            .session(&self.session)
            .unwrap()
            .leaf
            .transcript;
        Post::new(
            self.session,
            2,
            (index, 3),
            transcript,
            words.to_vec(),
            vec![],
        )
    }

    /// Sends it too early.
    fn send(&self, post: &[u8]) {
        let refused = self.behind.replica.check_tx(post);
        assert_eq!(refused, Err(Refusal::RoundNotOpen { round: 2, open: 1 }));
    }

    /// Opens round 2 here, too, and gives what is proposed then; the engine offers nothing.
    fn catch_up(&mut self) -> Vec<Vec<u8>> {
        self.behind.decide(self.block.clone()).unwrap();
        self.proposed()
    }

    fn proposed(&self) -> Vec<Vec<u8>> {
        let block = self.behind.propose(&[], 1 << 20);
        let mut txs: Vec<Vec<u8>> = block[1..].iter().map(|tx| tx.to_vec()).collect();
        txs.sort();
        txs
    }
}

#[test]
fn what_came_too_early_is_proposed_when_its_round_opens() {
    let mut apart = Apart::new(1 << 20);
    let mut early: Vec<Vec<u8>> = (0..3).map(|index| apart.early(index, b"two")).collect();
    for post in &early {
        apart.send(post);
        apart.send(post);
    }
    early.sort();
    assert_eq!(apart.catch_up(), early);
    // It is held like any other: the same again is fine,
    apart.behind.replica.check_tx(&early[0]).unwrap();
    // and it is gone when it is stored.
    let block = apart.behind.propose(&[], 1 << 20);
    apart.behind.decide(block).unwrap();
    assert!(apart.proposed().is_empty());
}

#[test]
fn what_comes_too_early_in_vain_is_forgotten_after_a_few_blocks() {
    let mut apart = Apart::new(1 << 20);
    let early = apart.early(0, b"two");
    apart.send(&early);
    // Blocks without the round's posts; then they come after all.
    for _ in 0..4 {
        apart.behind.block(&[]);
    }
    let posts: Vec<Vec<u8>> = apart.block[1..].iter().map(|tx| tx.to_vec()).collect();
    apart.behind.block(&posts);
    assert!(apart.proposed().is_empty());
}

#[test]
fn two_early_entries_of_one_party_are_evidence_and_the_first_one_stays() {
    let mut apart = Apart::new(1 << 20);
    let (first, second) = (apart.early(1, b"two"), apart.early(1, b"TWO"));
    apart.send(&first);
    apart.send(&second);
    let proposed = apart.catch_up();
    assert_eq!(proposed.len(), 2);
    assert!(proposed.contains(&first));
    let is_evidence = |tx: &Vec<u8>| {
        let tx = SignedTx::decode(tx).unwrap();
        matches!(tx.unverified_action(), Action::Evidence(_))
    };
    assert!(proposed.iter().any(is_evidence));
}

#[test]
fn what_is_parked_is_signed_for_the_next_round_and_bounded_and_the_oldest_makes_room() {
    let size = Apart::new(1 << 20).early(1, b"two").len();
    // Room for none, for one, for two but a byte, and for two.
    for (bytes, kept) in [(size - 1, 0), (size, 1), (2 * size - 1, 1), (2 * size, 2)] {
        let mut apart = Apart::new(u64::try_from(bytes).unwrap());
        let early = [1, 2].map(|index| apart.early(index, b"two"));
        for post in &early {
            apart.send(post);
        }
        let mut last = early[2 - kept..].to_vec();
        last.sort();
        assert_eq!(apart.catch_up(), last, "{bytes} bytes");
    }
    let mut apart = Apart::new(1 << 20);
    // Another party's signature.
    let action = apart
        .ahead
        .post_action(&apart.parties, apart.session, 0, b"two");
    let forged = apart.ahead.tx(&apart.parties[1], action);
    assert_eq!(
        apart.behind.replica.check_tx(&forged).unwrap_err().code(),
        34
    );
    assert!(apart.catch_up().is_empty());
}

#[test]
fn what_comes_too_early_is_kept_only_if_its_payloads_have_a_size_that_the_session_takes() {
    for kem in each_kem() {
        let mut apart = Apart::of(kem, 1 << 20);
        let mut spec = spec(&apart.parties, 2);
        of_kem(kem)(&mut spec);
        let (min, max) = (kem.ciphertext_bytes_min(), spec.max_p2p);
        let refused = |bytes| {
            let post = apart.early_sealed(0, bytes);
            apart.behind.replica.check_tx(&post).unwrap_err()
        };
        // It says at once what the board would say: it needn't come again. What is too small for every kind is no transaction.
        if min > Kem::X25519.ciphertext_bytes_min() {
            let got = min - 1;
            assert_eq!(refused(got), Refusal::UnderSealed { got, min });
        }
        let over = Refusal::OverSpec {
            what: "p2p payload",
            got: (max + 1).into(),
            max: max.into(),
        };
        assert_eq!(refused(max + 1), over);
        let mut kept = [apart.early_sealed(1, min), apart.early_sealed(2, max)];
        for post in &kept {
            apart.send(post);
        }
        kept.sort();
        assert_eq!(apart.catch_up(), kept);
    }
}
