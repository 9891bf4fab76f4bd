//! Content of proposals.

use white_city_replica::{Store, app::Fatal, execution::InvalidBlock};
use white_city_tests::party::Party;
use white_city_wire::{AppState, Refusal, seal::Seal};

use crate::chain::{Chain, naive, proposed};

/// Bytes of a block that a transaction takes: CometBFT counts it as a protobuf field.
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

/// A chain with room for `count` openings of 16 parties in one block, and the openings; in the order of what they are.
fn openings(count: u64) -> (Chain, Vec<Vec<u8>>) {
    let mut rules = white_city_tests::network::rules(&[]);
    rules.charter.anyone_max_bytes = u64::MAX;
    rules.charter.anyone_max_live = u32::MAX;
    rules.charter.max_board_bytes = u64::MAX;
    let store = Store::in_memory().unwrap();
    let chain = Chain::on(&naive(), rules, store);
    let parties = Party::several(16);
    let openings = (0..count).map(|number| {
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        chain.open_with(&parties, nonce).1
    });
    let openings = openings.collect();
    (chain, openings)
}

#[test]
fn a_block_has_at_most_max_work_and_a_proposer_keeps_to_it() {
    // 8 192 = 481 openings of 16 parties with 17 each, and 15 left.
    let (mut chain, openings) = openings(483);
    let block = chain.propose(&openings, 1 << 30);
    assert_eq!(block.len(), 1 + 481);
    let judged = |block| {
        chain
            .replica
            .judge(&proposed(&chain.context(), block))
            .unwrap()
    };
    judged(block.clone()).unwrap();
    // One more: refused for its work, before anything of it is checked. The last one isn't even decoded.
    let mut over = block.clone();
    over.push(openings[481].clone().into());
    over.push(b"garbage".to_vec().into());
    let checked = chain.replica.work().signatures;
    let (position, max) = (482, 8_192);
    let refused = InvalidBlock::TooMuchWork { position, max };
    assert_eq!(judged(over), Err(refused));
    assert_eq!(chain.replica.work().signatures, checked);
    chain.decide(block).unwrap();
}

#[test]
fn a_malformed_item_is_found_before_anything_is_checked() {
    let (chain, mut items) = openings(100);
    items.push(vec![0xff]);
    let seal = chain.propose(&[], 1 << 20).remove(0);
    let block = [seal].into_iter().chain(items.into_iter().map(Into::into));
    let before = chain.replica.work();
    let judged = chain
        .replica
        .judge(&proposed(&chain.context(), block.collect()));
    let refusal = Refusal::Malformed("not protobuf");
    let position = 101;
    assert_eq!(
        judged.unwrap(),
        Err(InvalidBlock::Refused { position, refusal })
    );
    let after = chain.replica.work();
    assert_eq!(
        (after.signatures, after.executions),
        (before.signatures, before.executions)
    );
}

#[test]
fn an_openings_quota_and_signature_are_checked_before_its_rosters_keys() {
    let (mut chain, openings) = openings(2);
    // Bytes that are no keys of a curve, in the last place of the roster: nothing is said of them while anything cheaper is wrong.
    let bad_key = |opening: &[u8]| {
        let key = Party::new(15);
        let at = opening
            .windows(32)
            .position(|bytes| bytes == key.key().as_bytes())
            .unwrap();
        let mut bytes = opening.to_vec();
        bytes[at..at + 32].fill(0xff);
        bytes
    };
    let (known, new) = (openings[0].clone(), bad_key(&openings[1]));
    chain.block(std::slice::from_ref(&known));
    let code = |tx: &[u8]| chain.replica.check_tx(tx).unwrap_err().code();
    assert_eq!(code(&known), 64);
    assert_eq!(code(&new), 34, "with the key the signature is another");
}

#[test]
fn what_is_new_in_proposals_has_a_credit_that_grows_with_the_height() {
    let (chain, openings) = openings(600);
    let proposal = |txs: &[Vec<u8>]| {
        // Somebody else's proposal: this replica has never seen what is in it.
        let store = Store::in_memory().unwrap();
        let rules = AppState {
            params: chain.network.params.clone(),
            charter: chain.network.charter.as_ref().clone(),
        };
        Chain::on(&naive(), rules, store).propose(txs, 1 << 30)
    };
    let first = proposal(&openings[..481]);
    chain
        .replica
        .judge(&proposed(&chain.context(), first))
        .unwrap()
        .unwrap();
    // The credit is used up. The same height refuses more of it, at first.
    let more = proposal(&openings[481..500]);
    let judged = |chain: &Chain| {
        chain
            .replica
            .judge(&proposed(&chain.context(), more.clone()))
            .unwrap()
    };
    let work = 19 * 17;
    let mut refused = 0;
    while let Err(invalid) = judged(&chain) {
        assert_eq!(invalid, InvalidBlock::Costly { work });
        refused += 1;
    }
    assert_eq!(refused, 2, "nothing, then 256, then 512");
}
