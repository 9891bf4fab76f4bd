//! `white-city-eddsa`: our own, a chain of values between rounds, on either backend.

use std::collections::{BTreeMap, BTreeSet};

use white_city_client::Session;
use white_city_eddsa::{Backend, KeyShare, Outgoing, Randomness, keygen, sign};

use crate::{Failure, agree, exchange};

/// This session, as the protocol sees it.
fn context(session: &Session) -> Result<white_city_eddsa::Session, Failure> {
    let roster = session.spec().roster.iter().map(|key| *key.as_bytes());
    let roster: Vec<[u8; 32]> = roster.collect();
    Ok(white_city_eddsa::Session::new(
        session.execution_id("eddsa").0,
        &roster,
        session.index(),
    )?)
}

/// Makes a key that any `threshold` parties can sign with.
///
/// # Errors
/// The protocol's and the session's.
pub async fn keygen<B: Backend>(
    session: &mut Session,
    threshold: u16,
) -> Result<KeyShare, Failure> {
    let (n, randomness) = (
        session.n(),
        Randomness::from_seed(*session.randomness("eddsa/keygen")),
    );
    let degree = threshold.saturating_sub(1);
    let (round1, post) = keygen::start_with::<B>(context(session)?, degree, n, randomness)?;
    let Outgoing { broadcast, p2p } = post;
    let mut rounds = session.rounds();
    let inbox = exchange(&mut rounds, broadcast, p2p).await?;
    let (round2, Outgoing { broadcast, p2p }) = round1.close(&inbox.broadcasts)?;
    let inbox = exchange(&mut rounds, broadcast, p2p).await?;
    let shares: BTreeMap<u16, &[u8]> = inbox.p2p.iter().map(|(from, s)| (*from, &***s)).collect();
    let share = round2.close(&inbox.broadcasts, &shares)?;
    agree(session, &share.outcome()).await?;
    Ok(share)
}

/// Signs with the shares of this session's parties. `signers` are their indices in the session that made the key.
///
/// # Errors
/// As [`keygen()`].
pub async fn sign<B: Backend>(
    session: &mut Session,
    share: &KeyShare,
    signers: &[u16],
    message: &[u8],
) -> Result<[u8; 64], Failure> {
    let randomness = Randomness::from_seed(*session.randomness("eddsa/sign"));
    let context = context(session)?;
    let (round1, post) = sign::start_with::<B>(context, share, signers, message, randomness)?;
    let Outgoing { broadcast, p2p } = post;
    let mut rounds = session.rounds();
    let inbox = exchange(&mut rounds, broadcast, p2p).await?;
    let (round2, Outgoing { broadcast, p2p }) = round1.close(&inbox.broadcasts)?;
    let inbox = exchange(&mut rounds, broadcast, p2p).await?;
    let shares: BTreeMap<u16, &[u8]> = inbox.p2p.iter().map(|(from, s)| (*from, &***s)).collect();
    let round3 = round2.close(&inbox.broadcasts, &shares)?;
    // A round without content, before what may be revealed only once.
    let inbox = exchange(&mut rounds, Vec::new(), BTreeMap::new()).await?;
    let confirmed: BTreeSet<u16> = inbox.posted.iter().copied().collect();
    let (round4, Outgoing { broadcast, p2p }) = round3.close(&confirmed)?;
    let inbox = exchange(&mut rounds, broadcast, p2p).await?;
    let signed = round4.close(&inbox.broadcasts)?;
    agree(session, &signed.outcome()).await?;
    Ok(signed.signature)
}
