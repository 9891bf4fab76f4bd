//! Properties of the wire format over generated values.

mod bitmaps;
mod generators;
mod payloads;
mod transactions;
mod trees;
