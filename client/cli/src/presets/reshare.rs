//! Other holders for a key: who deals, and who gets a share.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use white_city_client::{Hash, IdentityKey, Spec};
use white_city_eddsa::reshare::{self, Plan};

use super::{Needs, RESHARE, all_and_the_same_shares, json, public_key};
use crate::{args::OpenArgs, failure::Failure};

/// Input of [`RESHARE`]. Whoever neither joins nor leaves deals its share and gets a new one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReshareInput {
    /// The key.
    pub public_key: Hash,
    /// Number of signers that it takes from then on.
    pub threshold: u16,
    /// Those of the roster who have no share, and get one; ascending.
    pub joins: Vec<u16>,
    /// Those who have a share, and get no new one; ascending.
    pub leaves: Vec<u16>,
}

impl ReshareInput {
    /// Who deals and who receives, in a session of so many parties.
    ///
    /// # Errors
    /// Where that can't be.
    pub fn plan(&self, parties: u16) -> Result<Plan, Failure> {
        let (dealers, recipients) = (self.others(&self.joins, parties), self.recipients(parties));
        let both = self.joins.iter().find(|party| self.leaves.contains(party));
        if let Some(party) = both {
            return Err(Failure::usage(format!(
                "party {party} can't both join and leave the holders of the key"
            )));
        }
        for listed in [&self.joins, &self.leaves] {
            if !listed.is_sorted_by(|a, b| a < b)
                || listed.last().is_some_and(|last| *last >= parties)
            {
                return Err(Failure::usage(format!(
                    "the session's input isn't this protocol's: expected parties 0 to {}, ascending",
                    parties.saturating_sub(1)
                )));
            }
        }
        let degree = self.threshold.saturating_sub(1);
        let plan = Plan::new(self.public_key.0, &dealers, &recipients, degree);
        plan.map_err(|error| Failure::usage(error.to_string()))
    }

    /// Those who hold the key afterwards, of so many parties.
    pub fn recipients(&self, parties: u16) -> BTreeSet<u16> {
        self.others(&self.leaves, parties)
    }

    /// Their identities.
    pub fn holders(&self, spec: &Spec) -> Vec<IdentityKey> {
        let recipients = self.recipients(spec.parties());
        let roster = (0..).zip(&spec.roster);
        let holders = roster.filter(|(party, _)| recipients.contains(party));
        holders.map(|(_, key)| *key).collect()
    }

    fn others(&self, listed: &[u16], parties: u16) -> BTreeSet<u16> {
        (0..parties)
            .filter(|party| !listed.contains(party))
            .collect()
    }
}

/// The rounds and the room that it needs.
pub(super) fn needs(args: &OpenArgs, parties: u16) -> Result<Needs, Failure> {
    let public_key = Hash(public_key(args)?);
    all_and_the_same_shares(args, parties)?;
    let threshold = args.threshold.ok_or_else(|| {
        Failure::usage("--threshold: expected the number of signers that it takes from then on")
    })?;
    let input = ReshareInput {
        public_key,
        threshold,
        joins: places("--joins", &args.joins, &args.party)?,
        leaves: places("--leaves", &args.leaves, &args.party)?,
    };
    input.plan(parties)?;
    let degree = threshold.saturating_sub(1);
    Ok(Needs {
        protocol: RESHARE,
        input: json(&input)?,
        rounds: reshare::ROUNDS,
        max_broadcast: reshare::max_broadcast_bytes(degree),
        max_p2p: reshare::max_p2p_bytes(),
        corrupt: parties.saturating_sub(1),
    })
}

/// The indices of parties in the roster, ascending.
fn places(flag: &str, keys: &[IdentityKey], roster: &[IdentityKey]) -> Result<Vec<u16>, Failure> {
    let place = |key: &IdentityKey| {
        let place = roster.iter().position(|party| party == key);
        let place = place.and_then(|place| u16::try_from(place).ok());
        place.ok_or_else(|| Failure::usage(format!("{flag}: {key} is no --party")))
    };
    let places: BTreeSet<u16> = keys.iter().map(place).collect::<Result<_, _>>()?;
    Ok(places.into_iter().collect())
}
