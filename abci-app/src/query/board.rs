//! Questions about the board as a whole.

use white_city_wire::{
    Hash, Refusal, pb,
    read::{OPENERS_PAGE, join_hashes},
    tree::short_path,
    tx::{charter_to_pb, proposal_to_pb},
};

use super::Reader;

impl Reader<'_> {
    pub(super) fn params(&self) -> Result<pb::ParamsAnswer, Refusal> {
        let network = self.committed.state.network();
        let params_json = serde_json::to_string(&network.params);
        Ok(pb::ParamsAnswer {
            network_id: network.id.0.to_vec(),
            chain_id: network.chain_id.clone(),
            params_json: params_json.map_err(|error| Refusal::Store(error.to_string()))?,
        })
    }

    /// The charter in force, and what the operators say of the next one.
    pub(super) fn charter(&self) -> Result<pb::CharterAnswer, Refusal> {
        let state = &self.committed.state;
        let proposals = state.proposals().iter().map(proposal_to_pb);
        let mut named: Vec<Hash> = Vec::new();
        for proposal in state.proposals() {
            if proposal.charter_hash != Hash::ZERO && !named.contains(&proposal.charter_hash) {
                named.push(proposal.charter_hash);
            }
        }
        let proposed = named.iter().map(|hash| {
            let charter = self.committed.snapshot.charter(hash)?;
            charter.ok_or(Refusal::NotFound("charter"))
        });
        Ok(pb::CharterAnswer {
            charter: Some(charter_to_pb(state.charter())),
            proposals: proposals.collect(),
            proposed: proposed.collect::<Result<_, Refusal>>()?,
        })
    }

    pub(super) fn openers(&self, query: &pb::OpenersQuery) -> pb::OpenersAnswer {
        let all = self.committed.state.openers();
        let openers: Vec<pb::Opener> = (query.from..=u32::MAX)
            .map_while(|number| Some((number, all.get(number)?, all.path(number)?)))
            .take(OPENERS_PAGE)
            .map(|(number, opener, path)| pb::Opener {
                key: opener.key.as_bytes().to_vec(),
                listed: opener.listed,
                max_live: opener.max_live,
                max_bytes: opener.max_bytes,
                live: opener.live,
                live_bytes: opener.live_bytes,
                path: join_hashes(&short_path(number, all.len(), &path)),
            })
            .collect();
        let read = u32::try_from(openers.len()).unwrap_or(u32::MAX);
        pb::OpenersAnswer {
            openers,
            next: query.from.saturating_add(read),
        }
    }
}
