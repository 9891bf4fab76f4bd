//! Cost of key generation and signing for one party as the roster grows: `cargo run --release --example scaling -p
//! white-city-eddsa`.
//!
//! Degree is n / 2, and the fewest possible signers sign. Only one party's work is timed; the others' posts are made beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use white_city_eddsa::{
    Backend, Dalek, Error, KeyShare, Outgoing, Randomness, Session, keygen, sign,
};

type Broadcasts = BTreeMap<u16, Vec<u8>>;
type Shares = BTreeMap<u16, Vec<u8>>;

fn session(sid: u8, parties: u16, index: u16) -> Result<Session, Error> {
    let roster: Vec<[u8; 32]> = (0..parties)
        .map(|party| std::array::from_fn(|i| party.to_be_bytes().get(i).copied().unwrap_or(0)))
        .collect();
    Session::new([sid; 32], &roster, index)
}

fn randomness() -> Randomness {
    Randomness::from_rng(&mut getrandom::rand_core::UnwrapErr(getrandom::SysRng))
}

fn broadcasts(posts: &BTreeMap<u16, Outgoing>) -> Broadcasts {
    posts
        .iter()
        .map(|(&party, post)| (party, post.broadcast.clone()))
        .collect()
}

fn shares(posts: &BTreeMap<u16, Outgoing>, to: u16) -> Shares {
    posts
        .iter()
        .filter_map(|(&from, post)| Some((from, post.p2p.get(&to)?.to_vec())))
        .collect()
}

/// Gives the shares of the last `finishing` parties.
fn generate<B: Backend>(
    parties: u16,
    degree: u16,
    finishing: u16,
) -> Result<(Vec<KeyShare>, Duration), Error> {
    let (mut rounds, mut posts) = (Vec::new(), BTreeMap::new());
    let mut own = Duration::ZERO;
    for index in 0..parties {
        let clock = Instant::now();
        let (round, post) =
            keygen::start_with::<B>(session(1, parties, index)?, degree, parties, randomness())?;
        own = clock.elapsed();
        rounds.push(round);
        posts.insert(index, post);
    }
    let read = broadcasts(&posts);
    let mut next = Vec::new();
    let mut last = Duration::ZERO;
    for (index, round) in (0..).zip(rounds) {
        let clock = Instant::now();
        let (round, post) = round.close(&read)?;
        last = clock.elapsed();
        next.push(round);
        posts.insert(index, post);
    }
    own += last;
    let read = broadcasts(&posts);
    let mut keys = Vec::new();
    for (index, round) in (0..).zip(next).skip(usize::from(parties - finishing)) {
        let received = shares(&posts, index);
        let clock = Instant::now();
        keys.push(round.close(&read, &received)?);
        last = clock.elapsed();
    }
    Ok((keys, own + last))
}

/// One party's time for all rounds, the last party's.
fn sign<B: Backend>(keys: &[KeyShare], signers: u16) -> Result<Duration, Error> {
    let list: Vec<u16> = keys.iter().map(KeyShare::index).collect();
    let (mut rounds, mut posts) = (Vec::new(), BTreeMap::new());
    let mut times = [Duration::ZERO; 5];
    for (index, key) in (0..signers).zip(keys) {
        let clock = Instant::now();
        let session = session(2, signers, index)?;
        let (round, post) = sign::start_with::<B>(session, key, &list, b"message", randomness())?;
        times[0] = clock.elapsed();
        rounds.push(round);
        posts.insert(index, post);
    }
    let (read, mut next) = (broadcasts(&posts), Vec::new());
    for (index, round) in (0..).zip(rounds) {
        let clock = Instant::now();
        let (round, post) = round.close(&read)?;
        times[1] = clock.elapsed();
        next.push(round);
        posts.insert(index, post);
    }
    let (read, mut last) = (broadcasts(&posts), Vec::new());
    let confirmed: BTreeSet<u16> = (0..signers).collect();
    let received: Vec<_> = (0..signers).map(|index| shares(&posts, index)).collect();
    for ((index, round), received) in (0..).zip(next).zip(&received) {
        let clock = Instant::now();
        let round = round.close(&read, received)?;
        times[2] = clock.elapsed();
        let clock = Instant::now();
        let (round, post) = round.close(&confirmed)?;
        times[3] = clock.elapsed();
        last.push(round);
        posts.insert(index, post);
    }
    let read = broadcasts(&posts);
    if let Some(round) = last.pop() {
        let clock = Instant::now();
        round.close(&read)?;
        times[4] = clock.elapsed();
    }
    Ok(times.iter().sum())
}

fn measure<B: Backend>(name: &str, sizes: &[u16]) -> Result<(), Error> {
    for &parties in sizes {
        let degree = parties / 2;
        let signers = degree + 1;
        let (keys, keygen) = generate::<B>(parties, degree, signers)?;
        let signing = sign::<B>(&keys, signers)?;
        println!(
            "{name}: n = {parties}, degree = {degree}: key generation {:.1} ms, signing {:.1} ms per party",
            keygen.as_secs_f64() * 1e3,
            signing.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    measure::<Dalek>("dalek", &[16, 64, 128])?;
    // All the signers' shares for the largest rosters would take minutes to make: one party's share.
    for parties in [256, 512] {
        let (_, keygen) = generate::<Dalek>(parties, parties / 2, 1)?;
        let milliseconds = keygen.as_secs_f64() * 1e3;
        println!(
            "dalek: n = {parties}, degree = {}: key generation {milliseconds:.1} ms per party",
            parties / 2
        );
    }
    #[cfg(feature = "curv")]
    measure::<white_city_eddsa::Curv>("curv", &[16])?;
    Ok(())
}
