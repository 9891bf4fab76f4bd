//! A protocol's run, round by round, for whoever carries the messages: what to post, and in the end what was made.
//!
//! ```
//! use std::collections::BTreeMap;
//! use white_city_eddsa::{Error, KeyShare, Outgoing, Randomness, Session, keygen, run::{Heard, Next, Run}};
//!
//! # fn main() -> Result<(), Error> {
//! /// Runs a protocol; `exchange` posts, and gives what everybody posted in the same round.
//! fn play(
//!     session: Session,
//!     mut exchange: impl FnMut(Outgoing) -> Heard,
//! ) -> Result<KeyShare, Error> {
//!     let seed = Randomness::from_seed([7; 32]);
//!     let (first, mut outgoing) = keygen::start(session, 1, 2, seed)?;
//!     let mut run = Run::from(first);
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
    Backend, Error, KeyShare, Outgoing, Signed, aggregate, keygen, refresh,
    reshare::{self, Reshared},
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

/// A protocol that waits for a round to close. It is made of the protocol's own first round.
pub struct Run<T>(Close<T>);

impl<T: 'static> Run<T> {
    /// A round, and what comes after it.
    fn then<R>(
        close: impl FnOnce(&Heard) -> Result<(R, Outgoing), Error> + Send + Sync + 'static,
        next: impl FnOnce(R) -> Self + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(move |heard| {
            let (round, outgoing) = close(heard)?;
            Ok(Next::Post(next(round), outgoing))
        }))
    }

    /// The last round.
    fn last(close: impl FnOnce(&Heard) -> Result<T, Error> + Send + Sync + 'static) -> Self {
        Self(Box::new(move |heard| close(heard).map(Next::Made)))
    }
}

impl<T> Run<T> {
    /// Takes what was posted in the round.
    ///
    /// # Errors
    /// As the protocol's own `close`; [`Error::culprit`] says whose fault it is.
    pub fn close(self, heard: &Heard) -> Result<Next<T>, Error> {
        (self.0)(heard)
    }
}

/// Protocols that deal, and make something of what was dealt.
macro_rules! dealings {
    ($($protocol:ident => $made:ty),+) => {$(
        impl<B: Backend> From<$protocol::Round1<B>> for Run<$made> {
            fn from(round: $protocol::Round1<B>) -> Self {
                Self::then(
                    move |heard| round.close(&heard.broadcasts),
                    |round| Self::last(move |heard| round.close(&heard.broadcasts, &heard.shares())),
                )
            }
        }
    )+};
}

/// Protocols that deal a nonce, and sign with it.
macro_rules! signatures {
    ($($protocol:ident => $made:ty),+) => {$(
        impl<B: Backend> From<$protocol::Round1<B>> for Run<$made> {
            fn from(round: $protocol::Round1<B>) -> Self {
                Self::then(
                    move |heard| round.close(&heard.broadcasts),
                    |round| Self::then(
                        // An empty round: whoever is shown another history can't get past it, and no partial signature is out yet.
                        move |heard| {
                            let round = round.close(&heard.broadcasts, &heard.shares())?;
                            Ok((round, Outgoing::default()))
                        },
                        |round| Self::then(
                            move |heard| round.close(&heard.posted),
                            |round| Self::last(move |heard| round.close(&heard.broadcasts)),
                        ),
                    ),
                )
            }
        }
    )+};
}

dealings!(keygen => KeyShare, refresh => KeyShare, reshare => Reshared);
signatures!(sign => Signed, many => SignedMany);

impl<B: Backend> From<aggregate::Round1<B>> for Run<Signed> {
    fn from(round: aggregate::Round1<B>) -> Self {
        Self::then(
            move |heard| round.close(&heard.broadcasts),
            |round| {
                Self::then(
                    move |heard| round.close(&heard.broadcasts),
                    |round| Self::last(move |heard| round.close(&heard.broadcasts)),
                )
            },
        )
    }
}
