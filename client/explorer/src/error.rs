//! Why there is no explorer.

/// Why an explorer can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplorerError {
    /// None, or too many.
    #[error("{0} replicas, expected 1 to 256")]
    Replicas(usize),
    /// Not an address.
    #[error("replica {got:?}: expected an http or https address, or NAME=ADDRESS")]
    Address {
        /// The text.
        got: String,
    },
    /// Not the verifier.
    #[error("the verifier isn't WebAssembly: expected white_city_wasm.wasm")]
    Verifier,
    /// Not what a party runs.
    #[error("what a party runs isn't WebAssembly: expected white_city_party_wasm.wasm")]
    Party,
    /// No TLS, or no HTTP.
    #[error("no HTTP client: {0}")]
    Http(String),
}
