//! End to end on real CometBFT: four replicas, real keys, real sessions, and faults.
//!
//! Where CometBFT can't be built these tests say so loudly and pass without having run, unless
//! `WHITE_CITY_REQUIRE_COMETBFT=1` forbids that, as CI does.

mod absence;
mod bad_sender;
mod charters;
mod complaint;
mod crash;
mod equivocation;
mod explorer;
mod gateway;
#[path = "../wasm/module.rs"]
mod module;
mod monitoring;
mod outage;
mod party_page;
mod proxy;
mod replicas;
mod resized;
mod resume;
mod rounds;
mod secrets;
mod stamps;
mod state_sync;
mod stolen;
mod tampering;
mod upgrade;
mod world;
