//! The claim that a receipt proves, and the signatures that it rests on.

use std::{collections::BTreeSet, fmt};

use tendermint::Time;
use white_city_wire::{
    Bitmap, Hash, IdentityKey, SessionId, Spec,
    board::{Cause, Status, Terminal},
    seal::BlockTime,
    tx::Open,
};

use super::BadReceipt;
use crate::{causes::cause_text, read::Dispute};

/// A block that more than two thirds of the validators of its era have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certified {
    /// Its height.
    pub height: u64,
    /// The era of those validators.
    pub era: u32,
    /// Number of the charter in force for the next block; `None` where the receipt has the header only.
    pub term: Option<u32>,
    /// Its header's time, which the validators' clocks make.
    pub time: BlockTime,
    /// Its board time, milliseconds; `None` where the receipt has the header only.
    pub board_ms: Option<u64>,
}

/// A slot, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The round; 0 is joining.
    pub round: u32,
    /// The party's index.
    pub index: u16,
    /// The party's key.
    pub key: IdentityKey,
}

impl Place {
    pub(super) fn new((round, index): (u32, u16), spec: &Spec) -> Result<Self, BadReceipt> {
        let key = spec.key(index);
        let key = *key.map_err(|_| BadReceipt::NotInRoster(index.into()))?;
        Ok(Self { round, index, key })
    }
}

/// A claim that is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// A party's join or entry is on the board, so it was in time.
    Submission {
        /// In which slot.
        place: Place,
        /// Digest of the join or entry.
        digest: Hash,
        /// Whether the round has closed with it.
        closed: bool,
    },
    /// The end of a session. At least one of the two is there.
    End {
        /// The record that the replicas certify.
        terminal: Option<Terminal>,
        /// The outcome that a quorum of the parties has signed, and who they are.
        finished: Option<(Hash, Bitmap)>,
    },
    /// Everything that was signed in a session, and how it ended.
    Ceremony {
        /// Number of parties that have joined.
        joins: u16,
        /// The round that was open at the end; 0 is joining.
        rounds: u32,
        /// Number of entries, each under its author's signature.
        entries: u64,
        /// Against whom there is evidence.
        culprits: Vec<u16>,
        /// The parties that left by name, in the order of leaving.
        left: Vec<u16>,
        /// The party that complained and the one that it complained about, if any did. With the terminal record's cause it says
        /// who was right: judged from what both have signed.
        dispute: Option<Dispute>,
        /// The record of its end.
        terminal: Box<Terminal>,
    },
    /// A party has signed two different entries for one slot.
    Equivocation {
        /// The slot.
        place: Place,
        /// The two entries' digests.
        digests: [Hash; 2],
    },
    /// A slot was empty when its round closed, or when the session ended in it.
    Absence {
        /// The slot.
        place: Place,
        /// Whether the session ended in this round.
        ended: bool,
    },
    /// The validators have signed two histories.
    Fork(ForkClaim),
}

/// Two histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForkClaim {
    /// Two blocks of one height, or two in a row of which the later one names another one before it.
    Headers {
        /// Their heights.
        heights: [u64; 2],
        /// Their hashes.
        hashes: [Hash; 2],
        /// Addresses of the validators that voted for both in one consensus round, or though the blocks name different parents or next
        /// validators: these are convicted.
        convicted: Vec<[u8; 20]>,
    },
    /// Two pasts of one session.
    Session {
        /// The round before which they differ.
        round: u32,
        /// Their transcripts.
        transcripts: [Hash; 2],
    },
    /// Two states of one session, of which the later one undoes something.
    Back {
        /// The rounds that were open in the two.
        rounds: [u32; 2],
        /// Name of what is undone.
        undone: &'static str,
    },
}

/// The content of a receipt that verifies. [`Display`](fmt::Display) says it in words, several lines of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The session; `None` for two blocks.
    pub session: Option<SessionId>,
    /// The opening, under the opener's signature, where the receipt has it.
    pub open: Option<Open>,
    /// The blocks that certify it; none where only the parties' own signatures count.
    pub certified: Vec<Certified>,
    /// The claim that is proven.
    pub claim: Claim,
}

impl fmt::Display for Certified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Time::from_unix_timestamp(self.time.seconds, self.time.nanos);
        let time = time.map_or_else(|_| "unknown".into(), |time| time.to_rfc3339());
        write!(
            f,
            "height {}, header time {time}, era {}",
            self.height, self.era
        )?;
        match self.term {
            Some(term) => write!(f, ", term {term}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "party {} ({}) in ", self.index, self.key)?;
        match self.round {
            0 => write!(f, "round 0 (joining)"),
            round => write!(f, "round {round}"),
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "proven: {}", self.claim)?;
        if let Some(session) = &self.session {
            writeln!(f, "session: {session}")?;
        }
        if let Some(open) = &self.open {
            let spec = &open.spec;
            writeln!(
                f,
                "protocol: {} version {}, {} parties, quorum {}, up to {} corrupt{}",
                spec.protocol,
                spec.version,
                spec.parties(),
                spec.quorum,
                spec.corrupt,
                if spec.is_fork_safe() {
                    ""
                } else {
                    ", not fork-safe"
                },
            )?;
        }
        for certified in &self.certified {
            writeln!(f, "certified at: {certified}")?;
        }
        write!(f, "rests on: {}", self.rests_on())
    }
}

impl Proven {
    /// The signatures that this rests on, in words.
    #[must_use]
    pub fn rests_on(&self) -> String {
        let replicas = format!(
            "more than two thirds of the validators of {} signed",
            self.eras()
        );
        let parties = match &self.claim {
            Claim::Submission { .. } => Some("the party's own signature"),
            Claim::End { finished, .. } => finished
                .is_some()
                .then_some("the parties' own signatures, a quorum of the roster"),
            Claim::Ceremony { .. } => {
                Some("the parties' own signatures under every join and every entry")
            }
            Claim::Equivocation { .. } => Some("the party's own two signatures"),
            Claim::Absence { .. } | Claim::Fork(_) => None,
        };
        match (parties, self.certified.is_empty()) {
            (Some(parties), true) => format!("{parties}; no replica has to be believed"),
            (Some(parties), false) => format!("{replicas}; {parties}"),
            (None, _) => replicas,
        }
    }

    /// The sets of validators that have signed, in words.
    fn eras(&self) -> String {
        let eras: BTreeSet<u32> = self.certified.iter().map(|block| block.era).collect();
        let named = eras.iter().map(|era| match era {
            0 => "the genesis".into(),
            era => format!("era {era}"),
        });
        named.collect::<Vec<String>>().join(", and of ")
    }

    /// Whether it rests on validators of an era before this one. Their keys may have leaked since: a renewed receipt rests on those of today.
    /// Nothing that only parties have signed needs it.
    #[must_use]
    pub fn is_unrenewed(&self, min_era: u32) -> bool {
        self.certified.iter().any(|block| block.era < min_era)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submission {
                place,
                digest,
                closed,
            } => {
                let what = if place.round == 0 { "join" } else { "entry" };
                write!(
                    f,
                    "the {what} {digest} fills the slot of {place}: it was in time, and on the board no later than at the height below"
                )?;
                match closed {
                    true => write!(f, "; the round has closed with it"),
                    false => Ok(()),
                }
            }
            Self::End { terminal, finished } => {
                write_end(f, terminal.as_ref(), finished.as_ref())?;
                // A verdict is judged over the whole ceremony, which isn't here.
                match terminal.as_ref().map(|terminal| terminal.cause) {
                    Some(Cause::BadPayload | Cause::FalseComplaint) => write!(
                        f,
                        "; who caused it is the replicas' word: what convicts is in the receipt of the ceremony"
                    ),
                    _ => Ok(()),
                }
            }
            Self::Ceremony {
                joins,
                rounds,
                entries,
                culprits,
                left,
                dispute,
                terminal,
            } => {
                write!(
                    f,
                    "the whole ceremony, every signature and every round: {joins} joins, {entries} entries, "
                )?;
                match rounds {
                    0 => write!(f, "ended while joining; ")?,
                    round => write!(f, "ended in round {round}; ")?,
                }
                write_end(f, Some(terminal), None)?;
                if let Some(dispute) = dispute {
                    write!(f, "; {dispute}")?;
                }
                write_parties(f, "left by name", left)?;
                write_parties(f, "culprits", culprits)
            }
            Self::Equivocation { place, digests } => write!(
                f,
                "two different entries were signed by {place}: {} and {}; an honest party signs one",
                digests[0], digests[1]
            ),
            Self::Absence { place, ended } => {
                let when = if *ended {
                    "the session ended in it"
                } else {
                    "the round closed"
                };
                write!(
                    f,
                    "the slot of {place} was empty when {when} (whether the party was still awaited isn't part of this)"
                )
            }
            Self::Fork(fork) => write!(f, "a fork: the validators have signed {fork}"),
        }
    }
}

/// The text of every fork but that of two headers, which names nobody.
const NOBODY_NAMED: &str = "more of them than tolerated are malicious, nobody is convicted by name";

impl fmt::Display for ForkClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers {
                heights,
                hashes,
                convicted,
            } => {
                write!(
                    f,
                    "two blocks that aren't of one chain, {} of height {} and {} of height {}; ",
                    hashes[0], heights[0], hashes[1], heights[1]
                )?;
                if convicted.is_empty() {
                    return write!(
                        f,
                        "{NOBODY_NAMED}: a validator may vote for each in another consensus round"
                    );
                }
                let addresses: Vec<String> = convicted.iter().map(hex::encode_upper).collect();
                write!(
                    f,
                    "more of them than tolerated are malicious; convicted of voting for both, as no honest validator does: {}",
                    addresses.join(", ")
                )
            }
            Self::Session { round, transcripts } => write!(
                f,
                "two histories of one session, which differ before round {round}: {} and {}; {NOBODY_NAMED}",
                transcripts[0], transcripts[1]
            ),
            Self::Back { rounds, undone } => write!(
                f,
                "a state of the session in round {} and a later one, in round {}, that doesn't go on from it: {undone}; {NOBODY_NAMED}",
                rounds[0], rounds[1]
            ),
        }
    }
}

fn write_end(
    f: &mut fmt::Formatter<'_>,
    terminal: Option<&Terminal>,
    finished: Option<&(Hash, Bitmap)>,
) -> fmt::Result {
    match terminal {
        Some(terminal) if terminal.status == Status::Finished => write!(
            f,
            "the session finished at height {} with the outcome {}",
            terminal.height, terminal.outcome
        )?,
        Some(terminal) => {
            let cause = cause_text(terminal.cause);
            write!(
                f,
                "the session aborted at height {}: {cause}",
                terminal.height
            )?;
            match (terminal.cause, terminal.by()) {
                (Cause::NoReveal, Some(by)) => {
                    write!(f, ", party {by} was silent, which is no offence")?;
                }
                (_, Some(by)) => write!(f, ", caused by party {by}")?,
                (_, None) => {}
            }
            let empty = terminal.members.iter();
            let empty: Vec<u16> = empty.filter(|i| !terminal.filled.contains(*i)).collect();
            write_parties(f, "members with empty slots", &empty)?;
        }
        None => {}
    }
    if let Some((outcome, parties)) = finished {
        if terminal.is_some() {
            write!(f, "; ")?;
        }
        write!(
            f,
            "{} parties have signed the outcome {outcome}",
            parties.count()
        )?;
    }
    Ok(())
}

fn write_parties(f: &mut fmt::Formatter<'_>, what: &str, parties: &[u16]) -> fmt::Result {
    if parties.is_empty() {
        return Ok(());
    }
    let parties: Vec<String> = parties.iter().map(u16::to_string).collect();
    write!(f, "; {what}: {}", parties.join(", "))
}
