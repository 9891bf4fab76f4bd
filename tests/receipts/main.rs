//! Receipts: each kind is made over a board in process, and checked when the board is gone.

mod bytes;
mod forge;
mod frozen;
mod kinds;
mod sizes;
mod tampered;
mod world;
