//! The front of a board: what it answers to those who use it, in the project's own types.
//!
//! The engine's connection ([`abci`]) and the direct port ([`direct`](crate::direct)) are two ways to the same [`Board`]. It is a trait
//! because not every board is a [`Replica`](crate::Replica): somebody may stand in front of one, as tests do that lie.

pub mod abci;

use white_city_wire::Refusal;

/// A board, as its clients and its engine's mempool see it. Nothing here is consensus.
pub trait Board: Clone + Send + Sync + 'static {
    /// Answers a query from the last committed state.
    fn answer(&self, path: &str, data: &[u8]) -> Answer;

    /// Takes a transaction, so that it is proposed, or says why not.
    ///
    /// # Errors
    /// A [`Refusal`].
    fn take(&self, tx: &[u8], source: Source) -> Result<Taken, Refusal>;
}

/// An answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Height of the state that it was given from; 0 before there is one.
    pub height: u64,
    /// The finding, or why nothing is told.
    pub told: Result<Told, Refusal>,
}

/// The finding of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// For programs.
    pub value: Vec<u8>,
    /// For people, or a hint.
    pub info: String,
}

/// From whom a transaction came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The engine, which is about to have it in its mempool, and makes a block for what is there.
    Engine,
    /// The engine, which has it and asks again after a block.
    EngineAgain,
    /// Somebody who handed it to the replica: the engine knows nothing of it.
    Client,
}

/// The next step of a transaction that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is in the first block that is proposed here: when there is one is the engine's affair.
    Held,
    /// A block comes anyway that can have it.
    BlockComes,
}
