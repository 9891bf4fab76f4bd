//! The protocols as their parties see them: everything goes through the public interface.

mod aggregate;
#[cfg(feature = "curv")]
mod backends;
mod encoding;
mod harness;
mod keygen;
mod many;
mod refresh;
mod reshare;
mod sign;
mod tamper;
