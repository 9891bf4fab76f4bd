//! A remote signer whose votes carry another time.
//!
//! The binary of CometBFT stays unmodified: it takes the time of a vote from whoever signed it.

mod canonical;
mod key;

use std::{
    io::{self, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use prost::Message as _;
use tendermint_proto::{
    google::protobuf::Timestamp,
    v0_38::{
        crypto::{PublicKey, public_key},
        privval::{
            Message, PingResponse, PubKeyResponse, SignedProposalResponse, SignedVoteResponse,
            message::Sum,
        },
        types::{Proposal, Vote},
    },
};
use white_city_tests::adversary::{Clock, Tally};

use key::ValidatorKey;

/// CometBFT's own limit for a message between node and signer, bytes.
const MESSAGE_BYTES_MAX: usize = 10 * 1_024;
/// Pause before dialling again. The node doesn't listen before it has started.
const REDIAL: Duration = Duration::from_millis(20);
const SECOND_NS: i128 = 1_000_000_000;

/// Arguments of `signer`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Home of the replica, with config/priv_validator_key.json.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// Socket at which its node listens, without `unix://`.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// The time that its votes carry.
    #[arg(long, value_enum, default_value_t = Clock::Honest)]
    clock: Clock,
}

/// Dials and signs until it is ended by a signal.
pub fn run(args: &Args) -> ExitCode {
    let path = args.home.join("config/priv_validator_key.json");
    let mut signer = match ValidatorKey::load(&path) {
        Ok(key) => Signer {
            key,
            clock: args.clock,
            last_ns: None,
            tally: Tally::open(args.home.join("votes")),
        },
        Err(error) => {
            eprintln!("white-city-hostile: {}: {error}", path.display());
            return ExitCode::from(2);
        }
    };
    loop {
        // A node that is away comes back, or somebody ends this process.
        if let Ok(stream) = UnixStream::connect(&args.socket)
            && let Err(error) = signer.serve(&stream)
        {
            eprintln!("white-city-hostile: the node hung up: {error}");
        }
        thread::sleep(REDIAL);
    }
}

struct Signer {
    key: ValidatorKey,
    clock: Clock,
    last_ns: Option<i128>,
    tally: Tally,
}

impl Signer {
    fn serve(&mut self, stream: &UnixStream) -> io::Result<()> {
        let mut read = BufReader::new(stream);
        let mut write = stream;
        while let Some(request) = read_message(&mut read)? {
            if let Some(answer) = self.answer(request) {
                let message = Message { sum: Some(answer) };
                write.write_all(&message.encode_length_delimited_to_vec())?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: Sum) -> Option<Sum> {
        match request {
            Sum::PubKeyRequest(_) => Some(Sum::PubKeyResponse(PubKeyResponse {
                pub_key: Some(PublicKey {
                    sum: Some(public_key::Sum::Ed25519(self.key.public().to_vec())),
                }),
                error: None,
            })),
            Sum::SignVoteRequest(request) => {
                let vote = request.vote.unwrap_or_default();
                Some(Sum::SignedVoteResponse(SignedVoteResponse {
                    vote: Some(self.sign_vote(vote, &request.chain_id)),
                    error: None,
                }))
            }
            Sum::SignProposalRequest(request) => {
                let proposal = request.proposal.unwrap_or_default();
                Some(Sum::SignedProposalResponse(SignedProposalResponse {
                    proposal: Some(self.sign_proposal(proposal, &request.chain_id)),
                    error: None,
                }))
            }
            Sum::PingRequest(_) => Some(Sum::PingResponse(PingResponse {})),
            // What only signers say.
            _ => None,
        }
    }

    fn sign_vote(&mut self, mut vote: Vote, chain_id: &str) -> Vote {
        let now_ns = vote.timestamp.as_ref().map_or(0, nanos);
        let shown_ns = self.clock.shows(now_ns, self.last_ns);
        self.last_ns = Some(shown_ns);
        if shown_ns != now_ns {
            self.tally.count(self.clock.name());
        }
        vote.timestamp = Some(timestamp(shown_ns));
        vote.signature = self.key.sign(&canonical::vote(&vote, chain_id));
        if let Some(extension) = canonical::extension(&vote, chain_id) {
            vote.extension_signature = self.key.sign(&extension);
        }
        vote
    }

    fn sign_proposal(&self, mut proposal: Proposal, chain_id: &str) -> Proposal {
        proposal.signature = self.key.sign(&canonical::proposal(&proposal, chain_id));
        proposal
    }
}

/// Reads one length-delimited message; none when the node has closed the connection.
fn read_message(read: &mut impl Read) -> io::Result<Option<Sum>> {
    let malformed = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut length = 0_usize;
    for shift in [0, 7] {
        let mut byte = [0];
        if read.read(&mut byte)? == 0 {
            return Ok(None);
        }
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    if length > MESSAGE_BYTES_MAX {
        return Err(malformed("a message larger than 10 KB"));
    }
    let mut bytes = vec![0; length];
    read.read_exact(&mut bytes)?;
    let message = Message::decode(bytes.as_slice()).map_err(|_| malformed("not a message"))?;
    message
        .sum
        .map(Some)
        .ok_or_else(|| malformed("an empty message"))
}

fn nanos(time: &Timestamp) -> i128 {
    i128::from(time.seconds) * SECOND_NS + i128::from(time.nanos)
}

fn timestamp(nanos: i128) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(nanos.div_euclid(SECOND_NS)).unwrap_or(0),
        nanos: i32::try_from(nanos.rem_euclid(SECOND_NS)).unwrap_or(0),
    }
}
