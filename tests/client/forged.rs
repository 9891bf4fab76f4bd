//! Validators who sign whatever they like: what a reader notices of it all the same.

use std::sync::Arc;

use prost::Message as _;
use tendermint::{
    Hash as TendermintHash,
    block::{Header, Height, Round},
};
use white_city_client::{
    Client, Error, Hash, Network, Trust,
    read::{Lie, ReadSession, check},
    trust::BadHeader,
    wire::{
        board::{Cause, Status},
        pb::{self, answer::Body},
    },
};
use white_city_tests::{
    forger::{ForgedReplica, Forger, Story},
    tampering::Ballot,
};

/// The outcome that the parties have signed, where they have.
pub const OUTCOME: Hash = Hash([7; 32]);
/// Everybody.
pub const ALL: [u16; 3] = [0, 1, 2];

/// The trust of the forger's victims.
pub fn trust() -> Trust {
    Trust::new(Forger::new().network().clone()).unwrap()
}

/// A session of three that everybody has joined; two are a quorum.
pub fn running() -> Story {
    Story::new(&Forger::new(), 3, 2).in_round(1, &ALL)
}

/// The result of observing a story that a replica with the validators' keys tells.
pub async fn observe(story: Story) -> Result<(), Error> {
    let id = story.id;
    let replica = ForgedReplica::start(story).await;
    let client = Client::builder(trust()).replicas([replica.url()]);
    client.build().unwrap().observe(id).await.map(drop)
}

/// The same for one answer about how the session stands.
pub fn read(story: &Story) -> Result<(), Lie> {
    read_as(story, story.now())
}

fn read_as(story: &Story, now: pb::SessionAnswer) -> Result<(), Lie> {
    let certified = Forger::new().certify(story.height, &story.leaf);
    let header = Arc::new(trust().verify(certified.header.clone()).unwrap());
    let answer = certified.answer(None, Body::SessionNow(now));
    let read = ReadSession {
        id: story.id,
        spec: story.spec(),
    };
    check(&read, &trust(), &answer.encode_to_vec(), &header).map(drop)
}

#[test]
fn a_header_needs_its_chain_its_validators_and_more_than_two_thirds_of_them() {
    let forger = Forger::new();
    let header = || forger.header(5, Hash([1; 32]));
    let verify = |header, votes| trust().verify(forger.council().sign(header, votes));
    assert!(verify(header(), 4).is_ok());
    assert!(verify(header(), 3).is_ok());
    assert!(matches!(verify(header(), 2), Err(BadHeader::Commit(_))));
    let other = TendermintHash::Sha256([9; 32]);
    let forged = [
        (
            "chain",
            Header {
                chain_id: "other".parse().unwrap(),
                ..header()
            },
        ),
        (
            "validators",
            Header {
                validators_hash: other,
                ..header()
            },
        ),
        (
            "data",
            Header {
                data_hash: None,
                ..header()
            },
        ),
    ];
    for (what, header) in forged {
        let refused = verify(header, 4).unwrap_err();
        let fits = match what {
            "chain" => matches!(refused, BadHeader::Chain(_)),
            "data" => matches!(
                refused,
                BadHeader::Field {
                    field: "data_hash",
                    ..
                }
            ),
            _ => matches!(refused, BadHeader::Ahead { .. }),
        };
        assert!(fits, "{what}: {refused}");
    }
}

/// Whoever has signed is named for it, so a vote that isn't its validator's is refused wherever it is in the commit.
#[test]
fn every_vote_of_a_commit_is_checked_also_those_that_are_not_needed() {
    use Ballot::{Absent, Block, ForgedBlock, ForgedNil, Nil};
    let forger = Forger::new();
    let verify = |ballots: [Ballot; 4]| {
        let header = forger.header(5, Hash([1; 32]));
        let place = (header.height, Round::default());
        trust().verify(forger.council().commit(header, place, &ballots))
    };
    for good in [
        [Block, Block, Block, Block],
        [Absent, Block, Block, Block],
        [Block, Block, Block, Nil],
        [Nil, Block, Block, Block],
    ] {
        assert!(verify(good).is_ok(), "{good:?}");
    }
    for bad in [
        [Block, Block, Block, ForgedBlock],
        [ForgedBlock, Block, Block, Block],
        [Block, Block, Block, ForgedNil],
        [ForgedNil, Block, Block, Block],
        [Block, Block, Nil, Nil],
        [Block, Block, Nil, Absent],
    ] {
        assert!(matches!(verify(bad), Err(BadHeader::Commit(_))), "{bad:?}");
    }
    let header = forger.header(5, Hash([1; 32]));
    let place = (header.height, Round::default());
    let mut signed = forger.council().commit(header, place, &[Block; 4]);
    signed.commit.signatures.swap(0, 1);
    let moved = trust().verify(signed);
    assert!(matches!(moved, Err(BadHeader::Commit(_))), "{moved:?}");
}

#[test]
fn a_header_is_of_its_commits_height_and_not_before_the_first() {
    let forger = Forger::new();
    let header = || forger.header(5, Hash([1; 32]));
    // The same validators have signed a later commit for this block.
    let later = forger
        .council()
        .sign_at(header(), 4, Height::try_from(6_u64).unwrap());
    let refused = trust().verify(later);
    assert!(
        matches!(
            refused,
            Err(BadHeader::Field {
                field: "height",
                ..
            })
        ),
        "{refused:?}"
    );
    let network = Network {
        initial_height: 6,
        ..forger.network().clone()
    };
    let before_the_first = Trust::new(network)
        .unwrap()
        .verify(forger.council().sign(header(), 4));
    assert!(matches!(
        before_the_first,
        Err(BadHeader::Field {
            field: "height",
            ..
        })
    ));
}

#[test]
fn a_terminal_record_that_does_not_fit_the_slots_is_a_lie_whoever_has_signed_it() {
    let story = || running().finish(&[0], OUTCOME).finish(&[1], Hash([8; 32]));
    let disagreed = (Status::Aborted, Cause::Disagreement);
    let ended = || story().end(disagreed, Hash::ZERO, &ALL);
    let filled = |indices: &[u16]| {
        let mut bitmap = white_city_client::Bitmap::empty(3);
        indices.iter().for_each(|index| {
            bitmap.insert(*index);
        });
        bitmap
    };
    assert_eq!(read(&story()), Ok(()));
    assert_eq!(read(&ended()), Ok(()));
    for (what, story) in [
        (
            "status",
            ended().with_leaf(|leaf| leaf.status = Status::Finished),
        ),
        (
            "filled",
            ended().with_record(|record| record.filled = filled(&[0])),
        ),
        (
            "as many filled, but others",
            ended().with_record(|record| record.filled = filled(&[0, 2])),
        ),
        (
            "members",
            ended().with_record(|record| record.members = filled(&[0, 2])),
        ),
    ] {
        assert!(read(&story).is_err(), "{what}");
    }
    let padded = story();
    let mut now = padded.now();
    now.slots.extend([0; 32]);
    assert!(
        read_as(&padded, now).is_err(),
        "the same root over another roster"
    );
}

#[tokio::test]
async fn whoever_follows_a_session_notices_an_end_that_can_not_be() {
    let honest = [
        observe(running()).await,
        observe(running().finish(&[0, 1], OUTCOME).finished(OUTCOME, &ALL)).await,
    ];
    assert_eq!(honest, [Ok(()), Ok(())]);
    let lies = [
        ("other members", running().too_few(&[0, 1])),
        (
            "an outcome of one party",
            running().finish(&[1], OUTCOME).finished(OUTCOME, &ALL),
        ),
        (
            "another outcome than the parties'",
            running()
                .finish(&[0, 1], Hash([8; 32]))
                .finished(OUTCOME, &ALL),
        ),
        (
            "an outcome that nobody has signed",
            running()
                .finish(&[0, 1], OUTCOME)
                .finished(OUTCOME, &ALL)
                .with(|story| story.rounds[0].clear()),
        ),
    ];
    for (what, story) in lies {
        let observed = observe(story).await;
        assert!(
            matches!(observed, Err(Error::ReplicaLied { .. })),
            "{what}: {observed:?}"
        );
    }
    // Its retention ends two heights after the end.
    let mut erased = running().too_few(&ALL);
    (erased.height, erased.leaf.status) = (7, Status::Erased);
    assert_eq!(observe(erased).await, Err(Error::Erased));
}

#[test]
fn an_answer_is_of_its_headers_height() {
    let story = running();
    let certified = Forger::new().certify(story.height, &story.leaf);
    let header = Arc::new(trust().verify(certified.header.clone()).unwrap());
    let mut answer = certified.answer(None, Body::SessionNow(story.now()));
    let read = ReadSession {
        id: story.id,
        spec: story.spec(),
    };
    let refused =
        |answer: &pb::Answer| check(&read, &trust(), &answer.encode_to_vec(), &header).is_err();
    assert!(!refused(&answer));
    answer.height += 1;
    assert!(refused(&answer));
}

#[test]
fn a_header_past_the_limit_is_not_decoded() {
    let refused = |bytes: usize| {
        let refused = trust().decode_header(&vec![0; bytes]).unwrap_err();
        refused.to_string().contains("at most")
    };
    let max = white_city_client::trust::SIGNED_HEADER_BYTES_MAX;
    assert_eq!([max, max + 1].map(refused), [false, true]);
}
