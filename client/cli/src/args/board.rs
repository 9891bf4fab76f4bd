//! `white-city board …`

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;

use super::{
    SignerArgs,
    values::{Bytes, duration, hex_bytes},
};

#[derive(Debug, Subcommand)]
pub enum BoardCommand {
    /// Say how far the board is, as its validators certify it, how old its newest block is, and how far each replica is
    Status,
    /// What the operators may change together: replicas and operators, openers, what strangers may do, the protocol's number
    #[command(subcommand)]
    Charter(CharterCommand),
    /// Trust files: the genesis, whom its validators have handed over to, and the highest state that was verified
    #[command(subcommand)]
    Trust(TrustCommand),
}

#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Verify everything in a trust file and say what it knows; with --trust or --network, also that it is of that network, and goes on
    /// from what is known there. No replica is asked
    Show {
        /// The trust file
        file: PathBuf,
    },
    /// Ask the replicas how far the board is, and write all that was verified into a trust file, for yourself or for whoever trusts you
    Export {
        /// The file; one that is there already goes forward
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum CharterCommand {
    /// Print the charter in force, as the validators certify it
    Show,
    /// Say who has approved what, how many are missing, and which replicas have been seen to vote
    Status,
    /// Write the charter that would follow the one in force without changing anything, to be edited
    Draft {
        /// New file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Time on the board's clock within which it has to be approved
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
        within: Duration,
    },
    /// Say in words what a charter changes
    Diff {
        /// The charter
        file: PathBuf,
    },
    /// Accept a place as a new operator, and print the signature that whoever approves the charter needs
    Accept {
        /// The charter
        file: PathBuf,
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Approve a charter as an operator, once it was said what it changes
    Approve {
        /// The charter
        file: PathBuf,
        #[command(flatten)]
        signer: SignerArgs,
        /// Signature with which a new operator accepts its place; one for each, in any order
        #[arg(long = "accepted", value_name = "SIGNATURE", value_parser = hex_bytes)]
        accepted: Vec<Bytes>,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Take back what this operator has approved
    Withdraw {
        #[command(flatten)]
        signer: SignerArgs,
    },
}
