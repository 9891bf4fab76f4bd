//! Proofs of a fork: the validators that one convicts, and what is none. All replicas malicious, all keys at hand.

use tendermint::{
    Hash as TendermintHash,
    block::{self, Header, Height, Round, signed_header::SignedHeader},
};
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as Raw};
use white_city_client::{
    Client, Error, Hash,
    receipt::{Claim, ForkClaim},
    wire::{board::Status, pb, pb::receipt::Body},
};
use white_city_tests::{
    forger::{ForgedReplica, Forger, Story},
    tampering::Ballot,
};

use crate::{
    certified::{proven, refusal},
    forged::{ALL, OUTCOME, running, trust},
};

/// A header of this height and data under these votes of one consensus round.
fn header(height: u64, data: u8, round: u16, ballots: [Ballot; 4]) -> Vec<u8> {
    changed(height, data, round, ballots, |_| {})
}

/// The same with a change.
fn changed(
    height: u64,
    data: u8,
    round: u16,
    ballots: [Ballot; 4],
    change: fn(&mut Header),
) -> Vec<u8> {
    let forger = Forger::new();
    let mut header = forger.header(height, Hash([data; 32]));
    change(&mut header);
    let place = (Height::try_from(height).unwrap(), Round::from(round));
    let signed = forger.council().commit(header, place, &ballots);
    <SignedHeader as Protobuf<Raw>>::encode_vec(signed)
}

fn two(first: Vec<u8>, second: Vec<u8>) -> Body {
    let fork = pb::fork_receipt::Fork::Headers(pb::HeaderFork { first, second });
    Body::Fork(pb::ForkReceipt { fork: Some(fork) })
}

fn back(earlier: &Story, later: &Story) -> Body {
    let anchor = |story: &Story| Some(Forger::new().certify(story.height, &story.leaf).anchor());
    let fork = pb::fork_receipt::Fork::Back(pb::WentBack {
        earlier: anchor(earlier),
        later: anchor(later),
    });
    Body::Fork(pb::ForkReceipt { fork: Some(fork) })
}

/// The places in the set of those whom two headers convict.
fn convicted(first: Vec<u8>, second: Vec<u8>) -> Vec<usize> {
    let Claim::Fork(ForkClaim::Headers { convicted, .. }) = proven(two(first, second)).claim else {
        panic!("a fork of headers");
    };
    let addresses = Forger::new().council().addresses();
    let place = |address: &[u8; 20]| addresses.iter().position(|known| known == address);
    convicted.iter().map(|a| place(a).unwrap()).collect()
}

#[test]
fn two_headers_convict_those_who_signed_both_as_no_honest_one_does_and_nobody_else() {
    use Ballot::{Absent, Block, ForgedBlock, Nil};
    let without_last = [Block, Block, Block, Absent];
    let without_first = [Nil, Block, Block, Block];
    let one = || header(5, 1, 0, without_last);
    assert_eq!(convicted(one(), header(5, 2, 0, without_first)), [1, 2]);
    // Whoever has voted in one round may vote for another block in the next one.
    assert_eq!(convicted(one(), header(5, 2, 1, without_first)), [0; 0]);
    assert_eq!(convicted(one(), header(6, 2, 0, without_first)), [0; 0]);
    // But not for one with another parent, or other validators of the next block: these were decided before.
    let decided: [fn(&mut Header); 2] = [
        |header| {
            let hash = TendermintHash::Sha256([9; 32]);
            let part_set_header = block::parts::Header::new(1, hash).unwrap();
            header.last_block_id = Some(block::Id {
                hash,
                part_set_header,
            });
        },
        |header| header.next_validators_hash = TendermintHash::Sha256([9; 32]),
    ];
    for change in decided {
        let other = changed(5, 2, 1, without_first, change);
        assert_eq!(convicted(one(), other), [1, 2]);
        assert_eq!(
            convicted(one(), changed(6, 2, 1, without_first, |_| {})),
            [0; 0]
        );
    }
    let text = proven(two(one(), header(5, 2, 1, [Block; 4]))).to_string();
    assert!(text.contains("nobody is convicted by name"), "{text}");
    // A vote that the last validator never gave doesn't get it convicted, whether it is needed or not.
    let framed = [Block, Block, Block, ForgedBlock];
    let text = refusal(two(header(5, 1, 0, framed), header(5, 2, 0, [Block; 4])));
    assert!(text.contains("isn't its validator's"), "{text}");
}

/// Every kind of thing that a later state can't undo, and its name.
#[test]
fn a_session_that_goes_back_is_a_fork_with_a_form_of_its_own() {
    let at = |height: u64, mut story: Story| {
        story.height = height;
        story
    };
    let in_round = |round| Story::new(&Forger::new(), 3, 2).in_round(round, &ALL);
    let finished = || running().finish(&[0, 1], OUTCOME).finished(OUTCOME, &ALL);
    for (earlier, later, undone) in [
        (in_round(3), in_round(2), "open again"),
        (in_round(2), in_round(2).post(&[0]), ""),
        (in_round(2), in_round(3), ""),
        (finished(), finished(), ""),
        (finished(), running(), "had ended otherwise"),
        (finished(), running().too_few(&ALL), "had ended otherwise"),
        (
            in_round(2),
            Story::new(&Forger::new(), 3, 2).in_round(2, &[0, 1]),
            "another past",
        ),
        (
            running().with_leaf(|leaf| leaf.evidence = OUTCOME),
            running(),
            "the evidence is gone",
        ),
        (
            running().with_leaf(|leaf| leaf.left = OUTCOME),
            running(),
            "are back",
        ),
        (
            in_round(2).with_leaf(|leaf| (leaf.status, leaf.dispute) = (Status::Dispute, OUTCOME)),
            in_round(2),
            "the complaint is gone",
        ),
    ] {
        let (earlier, later) = (at(5, earlier), at(9, later));
        let text = refusal(back(&earlier, &later));
        if undone.is_empty() {
            assert!(text.contains("may go on"), "{text}");
            continue;
        }
        assert!(
            text.starts_with("accepted") && text.contains(undone),
            "{text}"
        );
        let text = refusal(back(&later, &earlier));
        assert!(text.contains("isn't later"), "{text}");
        let text = refusal(back(&at(9, earlier.clone()), &later));
        assert!(text.contains("isn't later"), "{text}");
    }
    let other = Story::new(&Forger::new(), 4, 3).in_round(1, &[0, 1, 2, 3]);
    let text = refusal(back(&at(5, in_round(3)), &at(9, other)));
    assert!(text.contains("another session"), "{text}");
}

/// The error, and the claim that can be proven, of a reader who is in round 3 and is shown this at a later height.
async fn shown_in_round_3(later: Story) -> (String, ForkClaim) {
    let story = |round| Story::new(&Forger::new(), 3, 2).in_round(round, &ALL);
    let replica = ForgedReplica::start(story(3)).await;
    let client = Client::builder(trust()).replicas([replica.url()]);
    let client = client.build().unwrap();
    let mut observer = client.observe(story(3).id).await.unwrap();
    assert_eq!(observer.history().open_round(), 3);
    replica.tell(story(3).post(&[0]));
    observer.sync().await.unwrap();
    replica.tell(later);
    // A look that is answered from before is no reason to stop; the next one isn't.
    let stopped = loop {
        match observer.sync().await {
            Ok(()) => observer.wait_news().await,
            Err(error) => break error,
        }
    };
    let Error::Fork(fork) = stopped else {
        panic!("{stopped}");
    };
    let proven = fork.receipt(&trust()).unwrap().verify(&trust()).unwrap();
    match proven.claim {
        Claim::Fork(claim) => (fork.to_string(), claim),
        other => panic!("{other:?}"),
    }
}

/// The replicas show a reader round 3, and then, at a later height, round 2 again.
#[tokio::test]
async fn a_reader_that_is_shown_an_earlier_round_at_a_later_height_has_a_proof() {
    let again = Story::new(&Forger::new(), 3, 2).in_round(2, &ALL);
    let (_, claim) = shown_in_round_3(again).await;
    assert!(
        matches!(claim, ForkClaim::Back { rounds: [3, 2], .. }),
        "{claim:?}"
    );
}

/// The same round after another past: two transcripts prove it, whatever the heights.
#[tokio::test]
async fn a_reader_that_is_shown_another_past_has_a_proof_of_two_transcripts() {
    let other = Story::new(&Forger::new(), 3, 2).in_round(3, &[0, 1]);
    let (said, claim) = shown_in_round_3(other).await;
    assert!(said.contains("two transcripts before round 3"), "{said}");
    assert!(
        matches!(claim, ForkClaim::Session { round: 3, .. }),
        "{claim:?}"
    );
}
