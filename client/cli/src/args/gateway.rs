//! `white-city gateway`

use std::path::PathBuf;

use clap::Args;
use white_city_gateway::Address;

use super::{IdentityArgs, MaybeUnlockArgs};

/// Example of a gateway.
pub const EXAMPLES: &str = "Example:
  white-city gateway --identity alice.key --key-file alice.key32 --listen unix:alice.sock --token-file alice.token
  curl --unix-socket alice.sock --header \"Authorization: Bearer $(cat alice.token)\" http://localhost/v1/party";

#[derive(Debug, Args)]
pub struct GatewayArgs {
    #[command(flatten)]
    pub identity: IdentityArgs,
    #[command(flatten)]
    pub unlock: MaybeUnlockArgs,
    /// Address to listen at, on this machine: IP:PORT, where port 0 lets the system choose one, or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    pub listen: Address,
    /// File with the word that callers have to know, readable by its owner only; made where there is none
    #[arg(long, value_name = "FILE")]
    pub token_file: PathBuf,
    /// Most sessions that are followed at once
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub max_sessions: u16,
    /// Listen also where other machines reach it: the token and all payloads go over the network unencrypted
    #[arg(long)]
    pub exposed: bool,
}
