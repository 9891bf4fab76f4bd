//! The protocols as their parties see them: everything goes through the public interface.

mod aggregate;
#[cfg(feature = "curv")]
mod backends;
mod encoding;
mod harness;
mod keygen;
mod refresh;
mod sign;
mod tamper;
