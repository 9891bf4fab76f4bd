//! A protocol's run, round by round, for whoever carries the messages: what to post, and in the end what was made.
//!
//! ```
//! use std::collections::BTreeMap;
//! use white_city_eddsa::{Error, KeyShare, Outgoing, Randomness, Session, run::{self, Heard, Next}};
//!
//! # fn main() -> Result<(), Error> {
//! /// Runs a protocol; `exchange` posts, and gives what everybody posted in the same round.
//! fn play(
//!     session: Session,
//!     mut exchange: impl FnMut(Outgoing) -> Heard,
//! ) -> Result<KeyShare, Error> {
//!     let seed = Randomness::from_seed([7; 32]);
//!     let (mut run, mut outgoing) = run::keygen(session, 1, 2, seed)?;
//!     loop {
//!         match run.close(&exchange(outgoing))? {
//!             Next::Post(next, post) => (run, outgoing) = (next, post),
//!             Next::Made(share) => return Ok(share),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use crate::{
    Error, KeyShare, Outgoing, Randomness, Session, Signed, keygen, refresh,
    reshare::{self, Held, Plan, Reshared},
    sign::{
        self,
        many::{self, SignedMany},
    },
};

/// Everything that was posted in one round.
#[derive(Default)]
pub struct Heard {
    /// Indices of those who posted.
    pub posted: BTreeSet<u16>,
    /// Broadcasts by author, the own one too.
    pub broadcasts: BTreeMap<u16, Vec<u8>>,
    /// Plaintexts for this party by author.
    pub p2p: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

impl Heard {
    fn shares(&self) -> BTreeMap<u16, &[u8]> {
        let shares = self.p2p.iter();
        shares.map(|(from, share)| (*from, &***share)).collect()
    }
}

/// What comes after a round.
pub enum Next<T> {
    /// Another round, and what to post in it.
    Post(Run<T>, Outgoing),
    /// The result.
    Made(T),
}

type Close<T> = Box<dyn FnOnce(&Heard) -> Result<Next<T>, Error> + Send + Sync>;

/// A protocol that waits for a round to close.
pub struct Run<T>(Close<T>);

impl<T> Run<T> {
    fn new(close: impl FnOnce(&Heard) -> Result<Next<T>, Error> + Send + Sync + 'static) -> Self {
        Self(Box::new(close))
    }

    /// Takes what was posted in the round.
    ///
    /// # Errors
    /// As the protocol's own `close`; [`Error::culprit`] says whose fault it is.
    pub fn close(self, heard: &Heard) -> Result<Next<T>, Error> {
        (self.0)(heard)
    }
}

/// A key generation: [`keygen::start`].
///
/// # Errors
/// As there.
pub fn keygen(
    session: Session,
    degree: u16,
    quorum: u16,
    randomness: Randomness,
) -> Result<(Run<KeyShare>, Outgoing), Error> {
    let (round, outgoing) = keygen::start(session, degree, quorum, randomness)?;
    let run = Run::new(move |heard| {
        let (round, outgoing) = round.close(&heard.broadcasts)?;
        let last = Run::new(move |heard| {
            let share = round.close(&heard.broadcasts, &heard.shares())?;
            Ok(Next::Made(share))
        });
        Ok(Next::Post(last, outgoing))
    });
    Ok((run, outgoing))
}

/// A refresh: [`refresh::start`].
///
/// # Errors
/// As there.
pub fn refresh(
    session: Session,
    share: &KeyShare,
    holders: &[u16],
    randomness: Randomness,
) -> Result<(Run<KeyShare>, Outgoing), Error> {
    let (round, outgoing) = refresh::start(session, share, holders, randomness)?;
    let run = Run::new(move |heard| {
        let (round, outgoing) = round.close(&heard.broadcasts)?;
        let last = Run::new(move |heard| {
            let share = round.close(&heard.broadcasts, &heard.shares())?;
            Ok(Next::Made(share))
        });
        Ok(Next::Post(last, outgoing))
    });
    Ok((run, outgoing))
}

/// A signature with a shared key: [`sign::start`].
///
/// # Errors
/// As there.
pub fn sign(
    session: Session,
    key: &KeyShare,
    signers: &[u16],
    message: &[u8],
    randomness: Randomness,
) -> Result<(Run<Signed>, Outgoing), Error> {
    let (round, outgoing) = sign::start(session, key, signers, message, randomness)?;
    let run = Run::new(move |heard| {
        let (round, outgoing) = round.close(&heard.broadcasts)?;
        let second = Run::new(move |heard| {
            let round = round.close(&heard.broadcasts, &heard.shares())?;
            // An empty round: whoever is shown another history can't get past it, and no partial signature is out yet.
            let third = Run::new(move |heard| {
                let (round, outgoing) = round.close(&heard.posted)?;
                let last = Run::new(move |heard| Ok(Next::Made(round.close(&heard.broadcasts)?)));
                Ok(Next::Post(last, outgoing))
            });
            Ok(Next::Post(third, Outgoing::default()))
        });
        Ok(Next::Post(second, outgoing))
    });
    Ok((run, outgoing))
}

/// Other holders for a key: [`reshare::start`].
///
/// # Errors
/// As there.
pub fn reshare(
    session: Session,
    plan: Plan,
    held: Option<Held<'_>>,
    randomness: Randomness,
) -> Result<(Run<Reshared>, Outgoing), Error> {
    let (round, outgoing) = reshare::start(session, plan, held, randomness)?;
    let run = Run::new(move |heard| {
        let (round, outgoing) = round.close(&heard.broadcasts)?;
        let last = Run::new(move |heard| {
            let reshared = round.close(&heard.broadcasts, &heard.shares())?;
            Ok(Next::Made(reshared))
        });
        Ok(Next::Post(last, outgoing))
    });
    Ok((run, outgoing))
}

/// Signatures of many messages with a shared key: [`many::start`].
///
/// # Errors
/// As there.
pub fn sign_many<M: AsRef<[u8]>>(
    session: &Session,
    key: &KeyShare,
    signers: &[u16],
    messages: &[M],
    randomness: Randomness,
) -> Result<(Run<SignedMany>, Outgoing), Error> {
    let (round, outgoing) = many::start(session, key, signers, messages, randomness)?;
    let run = Run::new(move |heard| {
        let (round, outgoing) = round.close(&heard.broadcasts)?;
        let second = Run::new(move |heard| {
            let round = round.close(&heard.broadcasts, &heard.shares())?;
            // As in `sign`.
            let third = Run::new(move |heard| {
                let (round, outgoing) = round.close(&heard.posted)?;
                let last = Run::new(move |heard| Ok(Next::Made(round.close(&heard.broadcasts)?)));
                Ok(Next::Post(last, outgoing))
            });
            Ok(Next::Post(third, Outgoing::default()))
        });
        Ok(Next::Post(second, outgoing))
    });
    Ok((run, outgoing))
}
