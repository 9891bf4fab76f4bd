//! `white-city journal …`

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};
use white_city_client::SessionId;

use super::values::session_id;

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// List what lies in the folder of an identity's journals, IDENTITY.journals: nothing is opened, no replica is asked
    List {
        /// File of the identity; it may be anywhere, and isn't read
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
    },
    /// Delete the journal of a session for ever, and with it this party's keys of that session
    #[command(group(ArgGroup::new("which").args(["identity", "journal"]).required(true).multiple(true)))]
    Forget {
        /// Id of the session
        #[arg(value_parser = session_id)]
        session: SessionId,
        /// File of the identity; it isn't read
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// The journal [default: IDENTITY.journals/SESSION]
        #[arg(long, value_name = "FILE")]
        journal: Option<PathBuf>,
        /// Don't ask the board whether the session has ended: where it hasn't, this party can't go on in it
        #[arg(long)]
        even_if_live: bool,
    },
}
