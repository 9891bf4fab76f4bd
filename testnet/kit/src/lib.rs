//! For the tests of a protocol: a whole board in this process, the parties of a session, and what may go wrong.
//!
//! ```no_run
//! # async fn test() -> Result<(), white_city_kit::KitError> {
//! use white_city_kit::Board;
//!
//! let board = Board::solo().await?;
//! let spec = board.spec("my-protocol", 3);
//! let results = board
//!     .run(spec, async |party| {
//!         party.session.post(1, b"hello".to_vec(), Vec::new()).await?;
//!         party.session.inbox(1).await
//!     })
//!     .await?;
//! assert!(results.iter().all(|inbox| inbox.as_ref().is_ok_and(|inbox| inbox.posted.len() == 3)));
//! # Ok(())
//! # }
//! ```
//!
//! The board is *Solo*: the same application and the same proofs as on CometBFT, made by one key, which tolerates no fault.
//! Nothing is simulated in the client: it reads, checks, seals, signs and sends as ever. Identities and seeds are the
//! same in every run; what the operating system draws (session seeds, nonces of sessions) isn't, and shows in no message.
//!
//! What may go wrong is in [`Faults`]: requests that are lost, late or doubled, answers that lie, parties that are absent
//! or crash at a step and start again.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod board;
mod crash;
mod dice;
mod faults;
mod posts;
mod proxy;

pub use board::{Board, KitError, Party, app_state, identity};
pub use crash::Crashing;
pub use dice::Dice;
pub use faults::{Faults, Results};
pub use posts::{PostBytes, largest_posts};
pub use proxy::Habits;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/bring-your-own-protocol.md")]
struct BringYourOwnProtocol;
