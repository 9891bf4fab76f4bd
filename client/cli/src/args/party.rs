//! `white-city party …`

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};
use white_city_client::SessionId;

use super::{IdentityArgs, UnlockArgs, values::session_id};

/// Examples of serving, and of a policy.
const SERVE_EXAMPLES: &str = "Example:
  white-city party serve --identity alice.key --key-file alice.key32 --policy policy.toml --dir alice.party

A policy:
  version = 1

  [[rule]]
  name = \"payments\"
  protocols = [\"eddsa-sign\"]
  group = \"treasury\"
  messages = { pattern = \"pay [0-9]{1,3} to .*\" }
  rate = { sessions = 20, per = \"1h\" }

docs/service.md says what else it can have.";

#[derive(Debug, Subcommand)]
pub enum PartyCommand {
    /// Join by a policy whatever sessions name this party, and run it in them, until told to stop
    ///
    /// Killed at any time, it goes on where it was. SIGHUP has it read the policy again.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Say whether a policy can be read; with a session, what it says to it. Nothing is joined
    Check {
        /// The policy
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// Id of a session
        #[arg(long, value_name = "ID", value_parser = session_id)]
        session: Option<SessionId>,
    },
    /// List the sessions that a service asks people about
    Pending {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Say yes to a session that people are asked about
    Approve(AnswerArgs),
    /// Say no to a session that people are asked about
    Decline(AnswerArgs),
}

/// The folder of a service.
#[derive(Debug, Args)]
pub struct DirArgs {
    /// Folder of the service
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

/// An answer to what people are asked.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// Id of the session
    #[arg(value_parser = session_id)]
    pub session: SessionId,
    #[command(flatten)]
    pub dir: DirArgs,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub identity: IdentityArgs,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// The policy
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// Folder for journals, shares, receipts, the audit log and what people are asked; made if it isn't there
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// A share that was made before, which the service signs with, too
    #[arg(long, value_name = "SHARE_FILE")]
    pub share: Vec<PathBuf>,
    /// A signing key of this party, for aggregated signatures
    #[arg(long, value_name = "FILE")]
    pub signing_key: Vec<PathBuf>,
    /// Address for /metrics, /live and /ready
    #[arg(long, value_name = "IP:PORT")]
    pub health: Option<SocketAddr>,
}
