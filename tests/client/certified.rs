//! All replicas malicious: what a board could never have become is refused, whoever certifies it: live, and in receipts.

use curve25519_dalek::{EdwardsPoint, Scalar, constants::EIGHT_TORSION};
use ed25519_dalek::hazmat::ExpandedSecretKey;
use sha2::{Digest as _, Sha512};
use white_city_client::{
    Bitmap, Client, Error, Hash, Receipt, Signature,
    read::{ReadLeaf, SessionRef},
    receipt::{BadReceipt, Proven},
    wire::{
        Entry, Kem,
        board::{Cause, Culprit, Offence, Status, Terminal},
        pb::{self, receipt::Body},
        signing::{Purpose, signed_bytes},
        tx::Leave,
    },
};
use white_city_tests::{
    forger::{ForgedReplica, Forger, Story},
    party::Party,
    rng::Rng,
    scene::each_kem,
};

use crate::forged::{ALL, OUTCOME, observe, read, running, trust};

/// The fault that is found in a receipt of this content.
pub fn refusal(body: Body) -> String {
    match verified(body) {
        Ok(proven) => format!("accepted: {proven}"),
        Err(bad) => bad.to_string(),
    }
}

/// The statement that a receipt of this content proves.
pub fn proven(body: Body) -> Proven {
    verified(body).unwrap()
}

fn verified(body: Body) -> Result<Proven, BadReceipt> {
    let receipt = pb::Receipt {
        version: 1,
        network_id: trust().network().id.0.to_vec(),
        links: Vec::new(),
        body: Some(body),
    };
    let message = prost::Message::encode_to_vec(&receipt);
    let sum = white_city_client::receipt::checksum(&message);
    let receipt = Receipt::from_bytes(&[&message[..], &sum.0].concat());
    receipt.and_then(|receipt| receipt.verify(&trust()))
}

fn ceremony(story: &Story) -> String {
    refusal(Body::Ceremony(story.ceremony_receipt(&Forger::new())))
}

fn end(story: &Story) -> String {
    refusal(Body::End(story.end_receipt(&Forger::new())))
}

async fn client_of(replica: &ForgedReplica) -> Client {
    Client::builder(trust())
        .replicas([replica.url()])
        .build()
        .unwrap()
}

/// The result of reading a session's leaf without knowing its spec.
async fn summary(story: Story) -> Result<(), Error> {
    let id = story.id;
    let replica = ForgedReplica::start(story).await;
    let read = ReadLeaf(SessionRef::Id(id));
    client_of(&replica).await.read(&read, 0).await.map(drop)
}

fn is_lie(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::ReplicaLied { .. }))
}

/// An end of the session that no board could have come to.
type Impossible = (&'static str, fn() -> Story);

/// Three have joined, and it is over.
fn never_ran() -> Story {
    Story::new(&Forger::new(), 3, 2).join(&ALL)
}

fn finished() -> Story {
    running().finish(&[0, 1], OUTCOME).finished(OUTCOME, &ALL)
}

fn disagreed() -> Story {
    let split = running().finish(&[0], OUTCOME).finish(&[1], Hash([8; 32]));
    split.end((Status::Aborted, Cause::Disagreement), Hash::ZERO, &ALL)
}

/// Contradictions that the leaf and the terminal record alone give away.
const BY_THE_RECORD: [Impossible; 24] = [
    ("finished while joining", || {
        never_ran().finished(OUTCOME, &ALL)
    }),
    ("finished while joining, without an outcome", || {
        never_ran().finished(Hash::ZERO, &ALL)
    }),
    ("finished while joining, and erased", || {
        let mut erased = never_ran().finished(OUTCOME, &ALL);
        (erased.height, erased.leaf.status) = (7, Status::Erased);
        erased
    }),
    ("finished with a cause", || {
        finished().with_record(|record| record.cause = Cause::TooFew)
    }),
    ("finished by somebody", || {
        finished().with_record(|record| record.by = 1)
    }),
    ("finished in a dispute", || {
        finished().with_leaf(|leaf| leaf.dispute = Hash([1; 32]))
    }),
    ("aborted with an outcome", || {
        disagreed().with_record(|record| record.outcome = OUTCOME)
    }),
    ("aborted without a cause", || {
        disagreed().with_record(|record| record.cause = Cause::None)
    }),
    ("caused by somebody past the roster", || {
        left().with_record(|record| record.by = 3)
    }),
    ("left, by nobody", || {
        left().with_record(|record| record.by = u16::MAX)
    }),
    ("left, but nobody did", || {
        left().with_leaf(|leaf| leaf.left = Hash::ZERO)
    }),
    ("disagreement by somebody", || {
        disagreed().with_record(|record| record.by = 0)
    }),
    ("disagreement while joining", || {
        let disagreed = (Status::Aborted, Cause::Disagreement);
        never_ran().end(disagreed, Hash::ZERO, &ALL)
    }),
    ("a dispute without a complaint", || {
        disagreed().with_record(|record| (record.cause, record.by) = (Cause::NoReveal, 1))
    }),
    ("a complaint, but another cause", || {
        let second = Story::new(&Forger::new(), 3, 2).in_round(2, &ALL);
        let ended = second.too_few(&ALL);
        ended.with_leaf(|leaf| leaf.dispute = Hash([1; 32]))
    }),
    (
        "a complaint before there was anything to complain about",
        || disagreed().with_leaf(|leaf| leaf.dispute = Hash([1; 32])),
    ),
    ("ended in the future", || {
        disagreed().with_record(|record| record.height = 6)
    }),
    ("ended at a time to come", || {
        disagreed().with_record(|record| record.board_ms += 1_000_000)
    }),
    ("last call after the end", || {
        disagreed().with_leaf(|leaf| leaf.call_blocks = 1)
    }),
    ("callers after the end", || {
        disagreed().with_leaf(|leaf| leaf.callers[0] = 1)
    }),
    ("erased before its time", || {
        disagreed().with_leaf(|leaf| leaf.status = Status::Erased)
    }),
    ("round 1 with the transcript of joining", || {
        let joining = Hash(disagreed().id.0);
        disagreed().with_leaf(|leaf| leaf.transcript = joining)
    }),
    ("joining with a transcript", || {
        never_ran()
            .too_few(&ALL)
            .with_leaf(|leaf| leaf.transcript = Hash([1; 32]))
    }),
    ("a record of another status", || {
        disagreed().with_leaf(|leaf| leaf.status = Status::Finished)
    }),
];

/// Party 2 has left by name, so that all three can't be there any more.
fn left() -> Story {
    let abort = Leave::Abort {
        cause: 1,
        about: 1,
        detail: Hash::ZERO,
    };
    let story = Story::new(&Forger::new(), 3, 3).in_round(1, &ALL);
    let story = story.leave(2, abort);
    let ended = story.end((Status::Aborted, Cause::Left), Hash::ZERO, &ALL);
    ended.with_record(|record| record.by = 2)
}

/// Contradictions that only somebody with the spec and the rounds sees.
const BY_THE_ROUNDS: [Impossible; 14] = [
    ("too few, but enough have written", || {
        disagreed().with_record(|record| record.cause = Cause::TooFew)
    }),
    ("a disagreement of too few", || {
        let one = running().finish(&[0], OUTCOME);
        one.end((Status::Aborted, Cause::Disagreement), Hash::ZERO, &ALL)
    }),
    ("a disagreement, but a quorum agrees", || {
        let two = running().finish(&[0, 1], OUTCOME);
        two.end((Status::Aborted, Cause::Disagreement), Hash::ZERO, &ALL)
    }),
    ("out of rounds before the last one", || {
        let two = running().post(&[0, 1]);
        two.end((Status::Aborted, Cause::OutOfRounds), Hash::ZERO, &ALL)
    }),
    ("out of rounds, but posts don't win", || {
        let last = Story::new(&Forger::new(), 3, 2).in_round(3, &ALL);
        let two = last.finish(&[0, 1], OUTCOME);
        two.end((Status::Aborted, Cause::OutOfRounds), Hash::ZERO, &ALL)
    }),
    ("a round past the last one", || {
        let past = Story::new(&Forger::new(), 3, 2).in_round(4, &ALL);
        past.too_few(&ALL)
    }),
    ("kept for another time than the spec says", || {
        disagreed().with_leaf(|leaf| leaf.deadline_ms -= 1)
    }),
    ("left because of one who left before", || {
        left().with_record(|record| record.by = 1)
    }),
    ("somebody left twice", || {
        left().with(|story| {
            story.left.push(story.left[0]);
            story.words.push(story.words[0].clone());
        })
    }),
    ("a decline of one who had joined", || {
        let story = Story::new(&Forger::new(), 3, 3).in_round(1, &ALL);
        let story = story.leave(2, Leave::Decline { reason: 1 });
        let ended = story.end((Status::Aborted, Cause::Left), Hash::ZERO, &ALL);
        ended.with_record(|record| record.by = 2)
    }),
    ("an abort of one who hadn't joined", || {
        let abort = Leave::Abort {
            cause: 1,
            about: 1,
            detail: Hash::ZERO,
        };
        let story = Story::new(&Forger::new(), 3, 3).join(&[0, 1]);
        let story = story.leave(2, abort);
        let ended = story.end((Status::Aborted, Cause::Left), Hash::ZERO, &ALL);
        ended.with_record(|record| record.by = 2)
    }),
    ("a broadcast's length without its hash", || {
        with_post(|header| (header.bcast_len, header.bcast_hash) = (1, Hash::ZERO))
    }),
    (
        "p2p bytes under an empty root in a round that has closed",
        || {
            let mut story = running();
            let mut post = story.post_of(0, b"");
            post.header.p2p_bytes = 50;
            let signed = story.signed(Entry::Post(post.header));
            story.put(signed, Vec::new());
            story.post(&[1, 2]).close().too_few(&ALL)
        },
    ),
    ("p2p bytes under an empty root", || {
        with_post(|header| header.p2p_bytes = 50)
    }),
];

/// Party 0 has signed a post that no board takes, with replicas that have taken it.
fn with_post(change: fn(&mut white_city_client::wire::PostHeader)) -> Story {
    let mut story = running();
    let mut post = story.post_of(0, b"");
    change(&mut post.header);
    let signed = story.signed(Entry::Post(post.header));
    story.put(signed, Vec::new());
    story.too_few(&ALL)
}

#[tokio::test]
async fn an_end_that_no_board_comes_to_is_refused_live_and_in_receipts() {
    for (what, honest) in [
        ("finished", finished()),
        ("disagreed", disagreed()),
        ("left", left()),
        (
            "never ran",
            Story::new(&Forger::new(), 3, 2).join(&[0]).too_few(&ALL),
        ),
    ] {
        for text in [end(&honest), ceremony(&honest)] {
            assert!(text.starts_with("accepted"), "{what}: {text}");
        }
        assert_eq!(observe(honest.clone()).await, Ok(()), "{what}");
        assert_eq!(summary(honest).await, Ok(()), "{what}");
    }
    let mut believed = Vec::new();
    let mut note = |what, by, is_refused: bool| {
        if !is_refused {
            believed.push((what, by));
        }
    };
    for (what, story) in BY_THE_RECORD {
        let story = story();
        note(what, "end", !end(&story).starts_with("accepted"));
        note(what, "leaf", is_lie(&summary(story).await));
    }
    for (what, story) in BY_THE_RECORD.into_iter().chain(BY_THE_ROUNDS) {
        let story = story();
        note(what, "ceremony", !ceremony(&story).starts_with("accepted"));
        note(what, "observer", is_lie(&observe(story).await));
    }
    assert_eq!(believed, []);
}

/// States that no board shows of a session that lives.
const LIVE: [Impossible; 9] = [
    ("joining in round 1", || {
        running().with_leaf(|leaf| leaf.status = Status::Joining)
    }),
    ("running while joining", || {
        never_ran().with_leaf(|leaf| leaf.status = Status::Running)
    }),
    ("running after a complaint", || {
        running().with_leaf(|leaf| leaf.dispute = Hash([1; 32]))
    }),
    ("in dispute about nothing", || {
        running().with_leaf(|leaf| leaf.status = Status::Dispute)
    }),
    ("in dispute before a round has closed", || {
        running().with_leaf(|leaf| {
            (leaf.status, leaf.dispute) = (Status::Dispute, Hash([1; 32]));
        })
    }),
    ("callers before last call", || {
        running().with_leaf(|leaf| (leaf.deadline_ms, leaf.callers[0]) = (1, 1))
    }),
    ("last call without a deadline", || {
        running().with_leaf(|leaf| leaf.call_blocks = 1)
    }),
    ("as many callers as end last call", || {
        running().with_leaf(|leaf| {
            (leaf.deadline_ms, leaf.call_blocks, leaf.callers[0]) = (1, 9, 0b11);
        })
    }),
    ("a caller who isn't a validator", || {
        running().with_leaf(|leaf| {
            (leaf.deadline_ms, leaf.call_blocks, leaf.callers[0]) = (1, 9, 0b1_0000);
        })
    }),
];

#[tokio::test]
async fn a_leaf_that_no_board_has_is_refused() {
    let last_call = running().with_leaf(|leaf| {
        (leaf.deadline_ms, leaf.call_blocks, leaf.callers[0]) = (1, 1, 0b1000);
    });
    assert_eq!(summary(last_call).await, Ok(()));
    let mut believed = Vec::new();
    for (what, story) in LIVE {
        if !is_lie(&summary(story()).await) {
            believed.push(what);
        }
    }
    assert_eq!(believed, <[&str; 0]>::default());
}

/// An honest party has signed one entry; the forger names it as evidence against it.
/// A party that has said two things in another session, accused of them in this one.
fn convicting_elsewhere() -> Story {
    let story = running();
    let elsewhere = |broadcast| {
        let mut post = story.post_of(0, broadcast).header;
        post.session.0[0] ^= 1;
        story.signed(Entry::Post(post))
    };
    let mut pair = [elsewhere(b"one"), elsewhere(b"two")];
    pair.sort_by_key(|signed| signed.entry.digest());
    story.accused_by(pair).post(&[0]).too_few(&ALL)
}

#[tokio::test]
async fn nobody_is_convicted_by_one_entry_twice_or_by_two_in_the_wrong_order() {
    let two = |story: &Story| {
        let one = story.signed(Entry::Post(story.post_of(0, b"one").header));
        let two = story.signed(Entry::Post(story.post_of(0, b"two").header));
        let mut pair = [one, two];
        pair.sort_by_key(|signed| signed.entry.digest());
        pair
    };
    let convicting = |pair: fn([white_city_client::wire::SignedEntry; 2]) -> _| {
        let story = running();
        let pair = pair(two(&story));
        story.accused_by(pair).post(&[0]).too_few(&ALL)
    };
    let guilty = convicting(|pair| pair);
    assert!(ceremony(&guilty).contains("culprits: 0"));
    let lies = [
        ("the same twice", convicting(|[a, _]| [a.clone(), a])),
        ("the wrong way round", convicting(|[a, b]| [b, a])),
        (
            "twice",
            guilty.clone().with(|story| {
                story.culprits.push(story.culprits[0].clone());
                story.evidence.push(story.evidence[0].clone());
            }),
        ),
        (
            "by two entries of two rounds",
            guilty.clone().with(|story| {
                let [first, _] = two(story);
                let later = Story::new(&Forger::new(), 3, 2).in_round(2, &ALL);
                let second = Entry::Post(later.post_of(0, b"two").header);
                story.evidence[0] = [first, story.signed(second)];
            }),
        ),
        (
            "by what was signed in another session",
            convicting_elsewhere(),
        ),
        (
            "a judged one without a dispute",
            guilty.clone().with(|story| {
                story.culprits[0].offence = Offence::BadPayload;
            }),
        ),
    ];
    for (what, story) in lies {
        let id = story.id;
        let text = ceremony(&story);
        assert!(!text.starts_with("accepted"), "{what}: {text}");
        let observed = observe(story.clone()).await;
        assert!(is_lie(&observed), "{what}: {observed:?}");
        let replica = ForgedReplica::start(story).await;
        let read = client_of(&replica).await.evidence(id).await.map(drop);
        assert!(is_lie(&read), "{what}: {read:?}");
    }
}

/// A signature with which its own author deceives whoever checks many at once: R has a component of order 2, which every
/// single check refuses, and a weighted sum doesn't see where its weight is even: for half of all nonces.
fn with_torsion(party: u64, message: &[u8], nonce: u64) -> Signature {
    let secret = ExpandedSecretKey::from(&Party::seed(party));
    let nonce = Scalar::from(nonce);
    let r = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[4]).compress();
    let public = Party::new(party);
    let hashed = Sha512::new()
        .chain_update(r.as_bytes())
        .chain_update(public.key().as_bytes())
        .chain_update(message);
    let k = Scalar::from_bytes_mod_order_wide(&hashed.finalize().into());
    let s = nonce + k * secret.scalar;
    Signature([*r.as_bytes(), s.to_bytes()].concat().try_into().unwrap())
}

/// One replica serves such a signature in place of the one on the board, as often as it takes: the reader would keep it, and
/// its ceremony receipt would fail.
#[tokio::test]
async fn a_signature_that_a_receipt_refuses_is_refused_where_it_is_read() {
    let running = || running().post(&[0, 1]);
    let honest = observe(running().post(&[2]).close()).await;
    assert_eq!(honest, Ok(()));
    let network = trust().network().id;
    for nonce in 1..=16 {
        let mut story = running();
        let post = story.post_of(2, b"words");
        let mut signed = story.signed(Entry::Post(post.header));
        signed.signature = with_torsion(2, &signed.signed_bytes(&network), nonce);
        assert!(!signed.is_signed_by(Party::new(2).key(), &network));
        story.put(signed, post.broadcast);
        let observed = observe(story.close()).await;
        assert!(is_lie(&observed), "{nonce}: {observed:?}");
    }
}

/// Evidence that nobody has signed names an honest party.
#[tokio::test]
async fn nobody_is_named_as_a_culprit_on_the_replicas_word() {
    let framed = |story: Story| {
        story.with(|story| {
            story.culprits.push(Culprit {
                index: 1,
                offence: Offence::Equivocation,
                round: 1,
                a: Hash([1; 32]),
                b: Hash([2; 32]),
            });
        })
    };
    let ended = observe(framed(running().too_few(&ALL))).await;
    assert!(is_lie(&ended), "{ended:?}");
    // As long as the session lives, nobody has to be named; whoever asks for names gets those with evidence.
    let story = framed(running());
    let id = story.id;
    let replica = ForgedReplica::start(story).await;
    let client = client_of(&replica).await;
    let mut observer = client.observe(id).await.unwrap();
    let named = observer.culprits().await.map(drop);
    assert!(is_lie(&named), "{named:?}");
    let story = running();
    let one = story.signed(Entry::Post(story.post_of(0, b"one").header));
    let two = story.signed(Entry::Post(story.post_of(0, b"two").header));
    let mut pair = [one, two];
    pair.sort_by_key(|signed| signed.entry.digest());
    replica.tell(story.accused_by(pair));
    let mut observer = client.observe(id).await.unwrap();
    let named = observer.culprits().await.unwrap();
    assert_eq!(named.iter().map(|c| c.index).collect::<Vec<_>>(), [0]);
}

/// A key that the replicas have put into a party's join: whoever seals to it seals for them.
#[tokio::test]
async fn a_join_that_its_author_has_not_signed_is_refused_also_by_whoever_remembers_signatures() {
    for kem in each_kem() {
        let forged = |joined: Story| {
            joined.with(|story| {
                let (join, _) = &story.joins[1];
                let mut join = join.clone();
                join.key = story.parties[1].encryption_key_of(kem, 9);
                let by = story.joins[1].1;
                story.slots[1] = Some(join.digest());
                story.joins[1] = (join, by);
            })
        };
        let joined = || Story::of(&Forger::new(), kem, 3, 2).join(&ALL);
        assert_eq!(observe(joined().close()).await, Ok(()));
        let observed = observe(forged(joined()).close()).await;
        assert!(is_lie(&observed), "{observed:?}");
    }
}

/// Its author has signed it, and no board would have taken it.
#[tokio::test]
async fn a_join_with_another_kind_of_key_than_the_specs_is_a_lie() {
    for (kem, other) in [(Kem::X25519, Kem::XWing), (Kem::XWing, Kem::X25519)] {
        let joined = Story::of(&Forger::new(), kem, 3, 2).join(&ALL);
        let story = joined.with(|story| {
            let (join, by) = &mut story.joins[1];
            join.key = story.parties[1].encryption_key_of(other, 0);
            let network = Forger::new().network().id;
            let message = signed_bytes(Purpose::Join, &network, &join.digest());
            *by = story.parties[1].sign(&message);
            story.slots[1] = Some(join.digest());
        });
        let observed = observe(story.close()).await;
        assert!(is_lie(&observed), "{observed:?}");
    }
}

#[tokio::test]
async fn the_header_of_another_height_is_a_lie_of_whoever_gives_it() {
    let story = running();
    let id = story.id;
    let replica = ForgedReplica::start(story).await;
    replica.misplace_headers();
    let Err(Error::ReplicaLied { what, .. }) = client_of(&replica).await.state(id).await else {
        panic!("believed");
    };
    assert!(what.contains("the header of another height"), "{what}");
}

/// One random change of the leaf or the record of an end.
fn changed(mut story: Story, rng: &mut Rng) -> Story {
    let causes = (0..8).map(|number| Cause::from_number(number).unwrap());
    let causes: Vec<Cause> = causes.collect();
    let statuses = (1..7).map(|number| Status::from_number(number).unwrap());
    let statuses: Vec<Status> = statuses.collect();
    let hash = [Hash::ZERO, OUTCOME, Hash(story.id.0)][rng.below(3) as usize];
    let mut record = |change: &dyn Fn(&mut Terminal)| {
        change(story.terminal.as_mut().unwrap());
        story.leaf.terminal = story.terminal.as_ref().unwrap().hash();
    };
    let (number, place) = (rng.below(5), rng.below(5));
    match rng.below(13) {
        0 => record(&|record| record.cause = causes[(number + place) as usize % 8]),
        1 => record(&|record| record.by = [0, 2, 3, u16::MAX, 1][number as usize]),
        2 => record(&|record| record.outcome = hash),
        3 => record(&|record| record.height = number * 2),
        4 => record(&|record| record.board_ms = record.board_ms + number * 1_000 - 2_000),
        5 => record(&|record| record.status = statuses[(number + 1) as usize]),
        6 => record(&|record| {
            let bits = [[0b111], [0b011], [0b001], [0b110], [0]];
            record.members = Bitmap::from_bytes(3, &bits[number as usize]).unwrap();
        }),
        7 => story.leaf.status = statuses[(number + place) as usize % 6],
        8 => story.leaf.open_round = number as u32,
        9 => story.leaf.transcript = hash,
        10 => story.leaf.dispute = hash,
        11 => story.leaf.call_blocks = number as u32,
        // Later it may be kept for what opened it, which a reader of the spec alone hasn't.
        _ => story.leaf.deadline_ms = story.leaf.deadline_ms.saturating_sub(number * 1_000),
    }
    story.height += rng.below(3);
    story
}

/// An end that a reader believes by a leaf and its record, a receipt of the end believes, and the other way round.
#[test]
fn readers_and_receipts_believe_the_same_ends() {
    let (mut believed, mut refused) = (0, 0);
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let truths = [finished(), disagreed(), left(), running().too_few(&ALL)];
        let mut story = truths[rng.below(4) as usize].clone();
        for _ in 0..rng.below(3) {
            story = changed(story, &mut rng);
        }
        let as_receipt = end(&story);
        let is_believed = as_receipt.starts_with("accepted");
        let as_read = read(&story);
        // How long exactly it is kept follows from what opened it, which a reader with the spec alone hasn't.
        let is_kept_otherwise = as_receipt.contains("isn't kept for as long");
        assert!(
            is_believed == as_read.is_ok() || is_kept_otherwise,
            "{seed}: {as_receipt}, {as_read:?}"
        );
        let whole = ceremony(&story);
        assert!(
            is_believed || !whole.starts_with("accepted"),
            "{seed}: {whole}"
        );
        (believed, refused) = match is_believed {
            true => (believed + 1, refused),
            false => (believed, refused + 1),
        };
    }
    assert!(believed > 30 && refused > 30, "{believed} {refused}");
}
