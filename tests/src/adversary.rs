//! Names of all that the program `white-city-hostile` can do to a running network: its command line, its files and
//! the tests share.

mod clock;
mod direct_flood;
mod flood;
mod lie;
mod tally;

pub use clock::Clock;
pub use direct_flood::DirectFlood;
pub use flood::Flood;
pub use lie::Lie;
pub use tally::Tally;
