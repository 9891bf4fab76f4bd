//! Answers of replicas, as a reader checks them: of honest validators, and of validators that certify whatever the input says.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{Arc, LazyLock},
};

use prost::Message as _;
use white_city_client::{
    Trust, Verified,
    history::{ClosedRound, Contradiction, History},
    read::{
        InboxPage, Lie, Read, ReadEvidence, ReadInbox, ReadLeaf, ReadRoster, ReadRound,
        ReadSession, ReadSpec, ReadStatus, ReadTranscript, check,
    },
    trust::VerifiedHeader,
};
use white_city_tests::forger::{Certified, Forger, Story};
use white_city_wire::{
    Entry, Hash, SignedEntry,
    board::Status,
    pb::{self, query::Question},
    proof::{RoundProof, SessionProof},
    tx::Leave,
};

use crate::Target;

/// Answers below a header that the validators have signed for another purpose: nothing is taken but the one true answer.
pub const READS: Target = Target::new("reads", seeds, take);

/// Answers whose session the validators certify as it is there: nothing is taken that its parties haven't signed.
pub const CERTIFIED: Target = Target::new("certified-reads", seeds, take_certified).costing(10);

/// Everybody.
const ALL: [u16; 3] = [0, 1, 2];
/// Index of the party that reads.
const READER: u16 = 1;
const OUTCOME: Hash = Hash([7; 32]);
/// Heights that a header is made for: later ones have no time.
const HEIGHT_MAX: u64 = 1_000_000;

/// All of the validators' keys.
pub static FORGER: LazyLock<Forger> = LazyLock::new(Forger::new);
/// Whoever trusts them.
pub static TRUST: LazyLock<Trust> =
    LazyLock::new(|| Trust::new(FORGER.network().clone()).expect("a network"));

/// Subject of a question.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Status,
    Spec,
    Leaf,
    Session,
    Roster,
    Evidence,
    Transcript,
    Round(u32),
    Inbox(u32),
}

/// A session, and what a reader of it knows.
struct Subject {
    story: Story,
    /// All before each round, in the order of the rounds.
    histories: Vec<History>,
    /// Digests that its parties have signed.
    signed: BTreeSet<Hash>,
}

/// A question about a session, and the true answer.
struct Case {
    subject: Arc<Subject>,
    asked: Asked,
    header: Arc<VerifiedHeader>,
    answer: Vec<u8>,
    truth: String,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let cases: Vec<Case> = stories().into_iter().flat_map(cases_of).collect();
    assert!(cases.len() > 40, "{} cases", cases.len());
    cases
});

/// Sessions in which everything happens that can be asked about.
fn stories() -> Vec<Story> {
    let new = || Story::new(&FORGER, 3, 2);
    let pair = |story: &Story| {
        let mut pair = [&b"one"[..], b"other"].map(|words| {
            let post = story.post_of(1, words);
            story.signed(Entry::Post(post.header))
        });
        pair.sort_by_key(|signed| signed.entry.digest());
        pair
    };
    let abort = Leave::Abort {
        cause: 9,
        about: 1,
        detail: Hash::ZERO,
    };
    let accused = new().in_round(1, &ALL);
    let pair = pair(&accused);
    vec![
        new().join(&[0, 2]),
        new().in_round(3, &[0, 1]).post(&[0]),
        accused.post(&[0]).accused_by(pair).leave(2, abort),
        new().in_round(1, &ALL).post(&[0]).too_few(&ALL),
        new()
            .in_round(2, &ALL)
            .finish(&[0, 1], OUTCOME)
            .finished(OUTCOME, &ALL),
    ]
}

fn cases_of(story: Story) -> Vec<Case> {
    let certified = FORGER.certify(story.height, &story.leaf);
    let header = header_of(&certified);
    let answer = |story: &Story, asked| {
        let (round, body) = story.answer(&question(story, asked));
        certified.answer(round.as_ref(), body).encode_to_vec()
    };
    let mut history = History::new(FORGER.network().id, story.id, story.spec().clone());
    let mut histories = vec![history.clone()];
    for round in 0..story.leaf.open_round {
        let answer = answer(&story, Asked::Inbox(round));
        let page = check(&inbox(&story, round), &TRUST, &answer, &header);
        let page = page.unwrap_or_else(|lie| panic!("round {round}: {lie}"));
        let closed = follow(&history, &page, &story).expect("a true round");
        history.push(closed.expect("a round that has closed"));
        histories.push(history.clone());
    }
    let mut asked = vec![
        Asked::Status,
        Asked::Spec,
        Asked::Leaf,
        Asked::Session,
        Asked::Roster,
        Asked::Evidence,
        Asked::Transcript,
    ];
    for round in 0..=story.leaf.open_round {
        asked.extend([Asked::Round(round), Asked::Inbox(round)]);
    }
    let subject = Arc::new(Subject {
        signed: signed(&story),
        histories,
        story,
    });
    let cases = asked.into_iter().map(|asked| {
        let answer = answer(&subject.story, asked);
        let read = read(&subject, asked, &answer, &header);
        let (truth, found) = read.unwrap_or_else(|lie| panic!("{asked:?}: {lie}"));
        assert!(found.is_subset(&subject.signed), "{asked:?}");
        Case {
            subject: Arc::clone(&subject),
            asked,
            header: Arc::clone(&header),
            answer,
            truth,
        }
    });
    cases.collect()
}

/// Checks a page against what was read before it, as whoever follows a session does: the round, if it has closed. Of one that is
/// open nothing counts while the session lives.
fn follow(
    history: &History,
    page: &Verified<InboxPage>,
    story: &Story,
) -> Result<Option<ClosedRound>, Contradiction> {
    let leaf = page.leaf().unwrap_or(&story.leaf);
    let closed = match (&page.proof, history.open_round()) {
        (Some(proof), 0) => history.check_joining(&page.joins, proof, leaf)?,
        (Some(proof), _) => history.check_round(Some(READER), &page.entries, proof, leaf)?,
        (None, 0) => return Ok(None),
        (None, _) => {
            let terminal = page.now.as_ref().and_then(|now| now.terminal.as_ref());
            if let Some(terminal) = terminal {
                let outcome = (terminal.status == Status::Finished).then_some(&terminal.outcome);
                history.check_last_round(outcome, &page.entries, leaf)?;
            }
            return Ok(None);
        }
    };
    Ok(Some(closed))
}

fn header_of(certified: &Certified) -> Arc<VerifiedHeader> {
    let header = TRUST.verify(certified.header.clone());
    Arc::new(header.expect("a header of the validators"))
}

/// Digests of all that a story's parties have signed.
fn signed(story: &Story) -> BTreeSet<Hash> {
    let joins = story.joins.iter().map(|(join, _)| join.digest());
    let entries = story.rounds.iter().flatten();
    let entries = entries.map(|(signed, _)| signed.entry.digest());
    let evidence = story.evidence.iter().flatten();
    let evidence = evidence.map(|signed| signed.entry.digest());
    let words = story.left.iter().map(|(_, digest)| *digest);
    joins.chain(entries).chain(evidence).chain(words).collect()
}

fn question(story: &Story, asked: Asked) -> Question {
    let (id, spec) = (story.id, story.spec());
    match asked {
        Asked::Status => ReadStatus.question(),
        Asked::Spec => ReadSpec(id).question(),
        Asked::Leaf => ReadLeaf(id.into()).question(),
        Asked::Session => ReadSession { id, spec }.question(),
        Asked::Roster => ReadRoster { id, spec }.question(),
        Asked::Evidence => ReadEvidence { id, spec }.question(),
        Asked::Transcript => ReadTranscript(id).question(),
        Asked::Round(round) => ReadRound { id, spec, round }.question(),
        Asked::Inbox(round) => inbox(story, round).question(),
    }
}

fn inbox(story: &Story, round: u32) -> ReadInbox<'_> {
    ReadInbox {
        id: story.id,
        spec: story.spec(),
        round,
        reader: Some(READER),
        from_index: 0,
    }
}

/// What a reader takes from an answer, and the digests in it that parties are said to have signed.
fn read(
    subject: &Subject,
    asked: Asked,
    answer: &[u8],
    header: &Arc<VerifiedHeader>,
) -> Result<(String, BTreeSet<Hash>), Lie> {
    let story = &subject.story;
    let (id, spec) = (story.id, story.spec());
    let none = BTreeSet::new;
    match asked {
        Asked::Status => taken(&ReadStatus, answer, header, |_| none()),
        Asked::Spec => taken(&ReadSpec(id), answer, header, |open| {
            assert_eq!(*open, story.open, "another opening with the same id");
            none()
        }),
        Asked::Leaf => taken(&ReadLeaf(id.into()), answer, header, |_| none()),
        Asked::Session => taken(&ReadSession { id, spec }, answer, header, |_| none()),
        Asked::Roster => taken(&ReadRoster { id, spec }, answer, header, |joins| {
            joins.iter().map(|join| join.digest()).collect()
        }),
        Asked::Evidence => taken(&ReadEvidence { id, spec }, answer, header, |told| {
            let pairs = told.culprits.iter().filter_map(|(_, pair)| pair.as_ref());
            let words = told.left.iter();
            let words = words.map(|(index, leave, _)| leave.digest(&id, *index));
            digests(pairs.flatten()).into_iter().chain(words).collect()
        }),
        Asked::Transcript => taken(&ReadTranscript(id), answer, header, |_| none()),
        Asked::Round(round) => taken(&ReadRound { id, spec, round }, answer, header, |_| none()),
        Asked::Inbox(round) => {
            let page = check(&inbox(story, round), &TRUST, answer, header)?;
            read_page(subject, round, &page)
        }
    }
}

/// What is taken from a page by whoever has read all before it.
fn read_page(
    subject: &Subject,
    round: u32,
    page: &Verified<InboxPage>,
) -> Result<(String, BTreeSet<Hash>), Lie> {
    let history = usize::try_from(round).ok();
    let history = history.and_then(|at| subject.histories.get(at));
    let history = history.ok_or_else(|| Lie::new("no such round"))?;
    let closed = follow(history, page, &subject.story);
    let closed = closed.map_err(|contradiction| Lie::new(contradiction.to_string()))?;
    let ended = page.now.as_ref().is_some_and(|now| now.terminal.is_some());
    if closed.is_none() && !(ended && round > 0) {
        return Ok((format!("{:?}", page.now), BTreeSet::new()));
    }
    let entries = page.entries.iter();
    let said: Vec<_> = entries
        .map(|e| (&e.signed, &e.broadcast, &e.ciphertext))
        .collect();
    let joins = page.joins.iter().map(|(join, _)| join.digest());
    let signed = digests(page.entries.iter().map(|entry| &entry.signed));
    Ok((
        format!("{:?} {:?} {said:?}", page.now, page.joins),
        signed.into_iter().chain(joins).collect(),
    ))
}

fn digests<'a>(entries: impl Iterator<Item = &'a SignedEntry>) -> Vec<Hash> {
    entries.map(|signed| signed.entry.digest()).collect()
}

fn taken<R: Read>(
    read: &R,
    answer: &[u8],
    header: &Arc<VerifiedHeader>,
    signed: impl FnOnce(&R::Value) -> BTreeSet<Hash>,
) -> Result<(String, BTreeSet<Hash>), Lie>
where
    R::Value: Debug,
{
    let value: Verified<R::Value> = check(read, &TRUST, answer, header)?;
    Ok((format!("{:?}", *value), signed(&value)))
}

/// The number of a case, then its answer.
fn seeds() -> Vec<Vec<u8>> {
    let cases = (0_u8..).zip(CASES.iter());
    let seeds = cases.map(|(number, case)| [&[number], &case.answer[..]].concat());
    seeds.collect()
}

/// The case that an input names, and the answer to it.
fn case(input: &[u8]) -> Option<(&'static Case, &[u8])> {
    let (number, answer) = input.split_first()?;
    Some((CASES.get(usize::from(*number))?, answer))
}

fn take(input: &[u8]) -> bool {
    let Some((case, answer)) = case(input) else {
        return false;
    };
    match read(&case.subject, case.asked, answer, &case.header) {
        Ok((value, _)) => {
            assert_eq!(value, case.truth, "{:?}: not what is certified", case.asked);
            true
        }
        Err(lie) => {
            assert!(!lie.to_string().is_empty());
            false
        }
    }
}

fn take_certified(input: &[u8]) -> bool {
    let Some((case, answer)) = case(input) else {
        return false;
    };
    let Some((answer, header)) = pb::Answer::decode(answer).ok().and_then(certify) else {
        return false;
    };
    match read(&case.subject, case.asked, &answer, &header) {
        Ok((_, found)) => {
            assert!(
                found.is_subset(&case.subject.signed),
                "{:?}: forged",
                case.asked
            );
            true
        }
        Err(_) => false,
    }
}

/// Has the validators certify the session that an answer tells of, if it tells of one.
fn certify(answer: pb::Answer) -> Option<(Vec<u8>, Arc<VerifiedHeader>)> {
    let session = SessionProof::try_from(answer.session.as_ref()?).ok()?;
    let height = answer.height.clamp(1, HEIGHT_MAX);
    let certified = FORGER.certify(height, &session.leaf);
    let round = answer.round.as_ref().map(RoundProof::try_from);
    let round = round.transpose().ok()?;
    let answer = certified.answer(round.as_ref(), answer.body?);
    Some((answer.encode_to_vec(), header_of(&certified)))
}
