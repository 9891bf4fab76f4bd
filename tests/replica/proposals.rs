//! What a proposer puts into a block.

use white_city_replica::app::Fatal;
use white_city_tests::party::Party;
use white_city_wire::seal::Seal;

use crate::chain::{Chain, naive, proposed};

/// What a transaction takes of a block: CometBFT counts it as a protobuf field.
fn in_block(bytes: usize) -> u64 {
    u64::try_from(prost::encoding::bytes::encoded_len(1, &vec![0_u8; bytes])).unwrap()
}

#[test]
fn seal_and_transactions_fit_the_room_that_there_is_to_the_byte() {
    let mut chain = Chain::new(&naive());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let posts: Vec<Vec<u8>> = (0..3)
        .map(|index| chain.post(&parties, session, index, &[index.to_be_bytes()[1]; 200]))
        .collect();
    let all = in_block(84) + posts.iter().map(|post| in_block(post.len())).sum::<u64>();
    for (room, expected) in [
        (all, 4),
        (all - 1, 3),
        (all + 1, 4),
        (in_block(84), 1),
        (0, 1),
    ] {
        let block = chain.propose(&posts, room);
        assert_eq!(block.len(), expected, "{room} bytes");
        let used: u64 = block.iter().map(|item| in_block(item.len())).sum();
        assert!(used <= room.max(in_block(84)), "{used} of {room} bytes");
        assert!(Seal::decode(&block[0]).is_some());
    }
}

#[test]
fn what_is_invalid_is_left_out_and_every_replica_accepts_the_rest() -> Result<(), Fatal> {
    let mut chain = Chain::new(&naive());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let post = chain.post(&parties, session, 0, b"one");
    let second = chain.post(&parties, session, 0, b"two");
    let mut forged = chain.post(&parties, session, 1, b"three");
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let candidates = [
        vec![0, 1, 2],
        vec![],
        post.clone(),
        post.clone(),
        second,
        forged,
    ];
    let block = chain.propose(&candidates, 1 << 20);
    assert_eq!(block[1..], [prost::bytes::Bytes::from(post)]);
    chain
        .replica
        .judge(&proposed(&chain.context(), block.clone()))?
        .unwrap();
    chain.decide(block)
}

#[test]
fn the_same_proposal_is_judged_from_memory_and_afresh_alike() {
    let mut one = Chain::new(&naive());
    let mut two = Chain::new(&naive());
    let parties = Party::several(3);
    assert_eq!(one.running(&parties), two.running(&parties));
    let session = one.open(&parties, 1).0;
    let block = one.propose(&[one.post(&parties, session, 2, b"post")], 1 << 20);
    for chain in [&one, &two] {
        chain
            .replica
            .judge(&proposed(&chain.context(), block.clone()))
            .unwrap()
            .unwrap();
    }
    one.decide(block.clone()).unwrap();
    two.decide(block).unwrap();
    let roots = [one, two].map(|chain| chain.replica.committed().unwrap().tip.seal.root);
    assert_eq!(roots[0], roots[1]);
}

#[test]
fn what_is_held_of_a_session_in_last_call_is_proposed_though_the_engine_offers_none_of_it() {
    let mut chain = Chain::new(&naive());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let post = chain.post(&parties, session, 0, b"honest");
    chain.replica.check_tx(&post).unwrap();
    assert_eq!(
        chain.propose(&[], 1 << 20).len(),
        1,
        "before the deadline the engine decides"
    );
    // A round lasts 500 ms, and a block 50.
    let in_last_call = |chain: &Chain| {
        let committed = chain.replica.committed().unwrap();
        let deadline_ms = committed.state.session(&session).unwrap().leaf.deadline_ms;
        deadline_ms != 0 && committed.tip.time.millis() + 50 > deadline_ms
    };
    while !in_last_call(&chain) {
        // CometBFT asks again about what it holds.
        chain.replica.check_tx(&post).unwrap();
        let block = chain.propose(&[], 1 << 20);
        chain.decide(block).unwrap();
    }
    let block = chain.propose(&[], 1 << 20);
    assert_eq!(block[1..], [prost::bytes::Bytes::from(post.clone())]);
    // Offered by both, it is packed once.
    assert_eq!(chain.propose(&[post], 1 << 20).len(), 2);
}
