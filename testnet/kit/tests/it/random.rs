//! Protocols that are drawn at random, with faults that are drawn at random: everybody who ends has got exactly what was sent.
//!
//! `WHITE_CITY_RUNS` says how many, `WHITE_CITY_SEED` which one alone.

use std::{
    cell::Cell,
    collections::BTreeMap,
    env,
    time::{Duration, Instant},
};

use futures::{SinkExt as _, StreamExt as _, stream};
use white_city_client::{
    Error, Hash, RoundBytes, SpecBuilder,
    delivery::{
        DeliveryError, RunError,
        round_based::{Delivery as _, Mpc, MpcParty},
    },
    wire::{limits::NOBODY, tx::Leave},
};
use white_city_kit::{Board, Dice, Faults, Habits, Party};

use super::random_plan::{Plan, Words};

/// Number of runs where no more are asked for.
const RUNS: u64 = 200;
/// Number of runs at once.
const AT_ONCE: usize = 24;
/// Time that a round may take, and that payloads stay.
const LONG: Duration = Duration::from_secs(300);
/// Time that a round may take that waits for an absent party.
const SHORT: Duration = Duration::from_secs(2);

/// Words that a party has heard, by sender, in the order of their coming: whether it was a broadcast, and the words.
type Heard = BTreeMap<u16, Vec<(bool, Words)>>;

/// Bytes of a broadcast or a plaintext in one part, where posts come in parts: the least, and how many sizes there are.
const PART_BYTES: (u32, u32) = (40, 200);

/// Counts over some runs.
#[derive(Debug, Default)]
struct Figures {
    finished: u64,
    failed: u64,
    messages: u64,
    crashes: u64,
    absences: u64,
    /// Runs whose posts came in parts, and those of them with a liar.
    parts: u64,
    liars: u64,
    /// Parties that named the liar.
    named: u64,
}

async fn protocol<M>(party: M, plan: &Plan, me: u16) -> Result<Heard, DeliveryError>
where
    M: Mpc<ProtocolMessage = Words, SendError = DeliveryError, ReceiveError = DeliveryError>,
{
    let MpcParty { delivery, .. } = party.into_party();
    let (mut incomings, mut outgoings) = delivery.split();
    let (mut heard, mut count) = (Heard::new(), 0);
    for round in 0..plan.rounds() {
        for message in plan.says(round, me) {
            outgoings.send(message).await?;
        }
        while count < plan.awaited(round, me) {
            let message = incomings.next().await.expect("it has no end")?;
            if Some(message.sender) == plan.liar {
                continue;
            }
            let from = heard.entry(message.sender).or_default();
            from.push((message.is_broadcast(), message.msg));
            count += 1;
        }
    }
    Ok(heard)
}

async fn party(party: &mut Party, plan: &Plan) -> Result<Heard, RunError<DeliveryError>> {
    let me = party.session.index();
    let mut delivery = party.session.delivery();
    let run = delivery.run(|party| protocol(party, plan, me)).await;
    drop(delivery);
    if let (Err(RunError::Delivery(error)), Some(_)) = (&run, plan.liar) {
        // Or whoever doesn't see the lie would wait for this party. It may be that the session has ended by now.
        let _ = party.session.give_up(77, error).await;
    }
    let heard = run?;
    let finished = party.session.finish(Hash([1; 32])).await;
    finished.map_err(DeliveryError::from)?;
    Ok(heard)
}

/// A party that posts parts as it likes: some of them as they should be.
async fn liar(party: &mut Party, plan: &Plan, dice: &mut Dice) -> Result<(), Error> {
    let session = &mut party.session;
    let (max_bcast, max_p2p) = (session.spec().max_bcast, PART_BYTES.0);
    let (mut following, me) = (0, session.index());
    for round in 1.. {
        let length = usize::try_from(dice.below(max_bcast - 1)).unwrap();
        let mut bytes: Vec<u8> = dice.bytes().into_iter().cycle().take(length).collect();
        following = match following {
            0 => u16::try_from(dice.below(4)).unwrap(),
            more => more - 1,
        };
        match dice.below(8) {
            0 => bytes = Vec::new(),
            // As it comes.
            1 => {}
            _ => drop(bytes.splice(..0, following.to_be_bytes())),
        }
        let to = u16::try_from(dice.below(plan.n.into())).unwrap();
        let p2p = vec![7; usize::try_from(1 + dice.below(max_p2p)).unwrap()];
        let p2p = (to != me && dice.percent(20)).then(|| (to, p2p.into()));
        session
            .post(round, bytes, p2p.into_iter().collect())
            .await?;
        session.inbox(round).await?;
    }
    Ok(())
}

/// A spec for a plan, with posts of one part or of several small ones.
fn spec_of(board: &Board, plan: &Plan, dice: &mut Dice) -> SpecBuilder {
    let spec = board.spec("kit/random", plan.n);
    // A busy machine may take its time. Erased some time later, so that many runs need little more memory than few.
    let spec = spec.times(LONG, LONG, LONG).retention(LONG);
    if !plan.is_in_parts {
        return spec.max_rounds(16).payloads(4_096, 4_096);
    }
    let [broadcast, p2p] = [(); 2].map(|()| PART_BYTES.0 + dice.below(PART_BYTES.1));
    let round = RoundBytes {
        broadcast: 4_096,
        p2p: 4_096,
    };
    spec.payloads(broadcast, p2p).any_size(&[round; 16])
}

/// One run; what its parties heard is compared with what was sent.
async fn run(board: &Board, seed: u64) -> Figures {
    let mut dice = Dice::new(seed);
    let plan = Plan::draw(&mut dice);
    let mut faults = Faults::default();
    for index in 0..plan.n {
        if dice.percent(30) {
            let steps = (0..=dice.below(3)).map(|_| dice.below(60)).collect();
            faults.crashes.insert(index, steps);
        }
    }
    let mut spec = spec_of(board, &plan, &mut dice);
    if plan.liar.is_none() && dice.percent(5) {
        let index = u16::try_from(dice.below(u32::from(plan.n))).unwrap();
        faults.absent.push(index);
        spec = spec.times(LONG, SHORT, SHORT);
    }
    let starts = Cell::new(0);
    let results = board.run_with(spec, &faults, async |member: &mut Party| {
        starts.set(starts.get() + 1);
        let me = member.session.index();
        if plan.liar == Some(me) {
            // It goes on until nobody goes on with it.
            let _ = liar(member, &plan, &mut Dice::new(seed)).await;
            return Ok(None);
        }
        Ok(Some((me, party(member, &plan).await?)))
    });
    let results: Vec<Result<_, RunError<DeliveryError>>> = results
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", again(seed)));
    let mut figures = Figures {
        crashes: starts.get() - u64::try_from(results.len()).unwrap(),
        absences: u64::from(!faults.absent.is_empty()),
        parts: u64::from(plan.is_in_parts),
        liars: u64::from(plan.liar.is_some()),
        ..Figures::default()
    };
    let mut seen = None;
    for result in results {
        match result {
            Ok(None) => {}
            Ok(Some((me, heard))) => {
                figures.finished += 1;
                figures.messages += check(&plan, me, &heard, seed);
            }
            Err(RunError::Delivery(error)) if plan.liar.is_some() => {
                figures.named += u64::from(error.about() == plan.liar);
                check_blame(&plan, error, &mut seen, seed);
            }
            // Without an absent party, everybody ends.
            Err(error) => {
                assert!(figures.absences > 0, "{}: {error}", again(seed));
                figures.failed += 1;
            }
        }
    }
    figures
}

/// Everything that was sent to this party, in order, once. Gives how much that was.
fn check(plan: &Plan, me: u16, heard: &Heard, seed: u64) -> u64 {
    let mut count = 0;
    for from in plan.honest().filter(|from| *from != me) {
        let expected = plan.heard(from, me);
        let got = heard.get(&from).map_or(&[][..], Vec::as_slice);
        assert_eq!(got, expected, "{}: {from} to {me}", again(seed));
        count += u64::try_from(got.len()).unwrap();
    }
    for nobody in [Some(me), plan.liar].into_iter().flatten() {
        assert!(!heard.contains_key(&nobody), "{}: its own", again(seed));
    }
    count
}

/// Nobody but the liar is blamed, and whoever sees that it posted no part sees the same.
fn check_blame(plan: &Plan, error: DeliveryError, seen: &mut Option<Error>, seed: u64) {
    let liar = plan.liar;
    match error {
        DeliveryError::Stuck { .. } => {}
        DeliveryError::Session(Error::Aborted(record)) => {
            for leaver in &record.left {
                let about = match leaver.word {
                    Some(Leave::Abort { about, .. }) => about,
                    _ => NOBODY,
                };
                assert!([liar.unwrap(), NOBODY].contains(&about), "{}", again(seed));
            }
        }
        DeliveryError::Session(part @ Error::Part { .. }) => {
            let seen = seen.get_or_insert_with(|| part.clone());
            assert_eq!(*seen, part, "{}", again(seed));
            assert_eq!(DeliveryError::from(part).about(), liar, "{}", again(seed));
        }
        other => assert_eq!(other.about(), liar, "{}: {other}", again(seed)),
    }
}

fn again(seed: u64) -> String {
    format!("WHITE_CITY_SEED={seed} cargo test -p white-city-kit --test it -- random")
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: expected a number, not {text}")),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_ends_has_exactly_what_was_sent_in_order_once() {
    let mut board = Board::solo().await.unwrap();
    let habits = Habits {
        drop: 5,
        delay: 1,
        duplicate: 10,
        lie: 5,
    };
    board.add_bad_replica(1, habits).await.unwrap();
    let seeds = match number("WHITE_CITY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WHITE_CITY_RUNS").unwrap_or(RUNS),
    };
    let (runs, began) = (seeds.end - seeds.start, Instant::now());
    let all = stream::iter(seeds)
        .map(|seed| run(&board, seed))
        .buffer_unordered(AT_ONCE)
        .fold(Figures::default(), async |sum, figures| Figures {
            finished: sum.finished + figures.finished,
            failed: sum.failed + figures.failed,
            messages: sum.messages + figures.messages,
            crashes: sum.crashes + figures.crashes,
            absences: sum.absences + figures.absences,
            parts: sum.parts + figures.parts,
            liars: sum.liars + figures.liars,
            named: sum.named + figures.named,
        })
        .await;
    let bad = board.bad_answers();
    println!(
        "{runs} runs in {:.0?}, {bad} bad answers: {all:?}",
        began.elapsed()
    );
    assert!(all.finished > runs);
    if runs >= RUNS {
        // The faults are there, and don't prevent everything.
        assert!(all.crashes > 10 && all.absences > 0 && bad > 100);
        assert!(all.messages > runs && all.failed < all.finished / 4);
        assert!(all.parts > runs / 5 && all.liars > 5 && all.named > all.liars / 2);
    }
    board.stop().await.unwrap();
}
