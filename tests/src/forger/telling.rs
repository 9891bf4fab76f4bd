//! Telling of a story: in a replica's answers and in receipts.

use prost::Message as _;
use white_city_wire::{
    Entry, Hash, SignedEntry, SignedTx,
    board::slot_leaf,
    pb::{self, answer::Body, query::Question},
    proof::RoundProof,
    read::join_hashes,
    tx::{Action, entry_to_pb, join_to_pb, open_to_pb},
};

use super::{
    Forger, Story,
    story::{Told, signature_of},
};

impl Story {
    /// Its present state.
    #[must_use]
    pub fn now(&self) -> pb::SessionAnswer {
        let slots: Vec<Hash> = self.slots.iter().map(|s| slot_leaf(s.as_ref())).collect();
        pb::SessionAnswer {
            slots: join_hashes(&slots),
            terminal: self.terminal.as_ref().map(Into::into),
            culprits: self.culprits.iter().map(Into::into).collect(),
            left: self.left.iter().map(leaver).collect(),
        }
    }

    /// The opening under the opener's signature.
    #[must_use]
    pub fn open_pb(&self) -> pb::Open {
        let tx = self.sign(0, Action::Open(self.open.clone()));
        open_to_pb(&self.open, &signature_of(&tx))
    }

    /// From a round that has closed to the transcript.
    #[must_use]
    pub fn round_proof(&self, round: u32) -> Option<RoundProof> {
        let at = usize::try_from(round).ok()?;
        let (before, _) = *self.closed.get(at)?;
        let later = self.closed.get(at + 1..)?;
        Some(RoundProof {
            before,
            later_roots: later.iter().map(|(_, root)| *root).collect(),
        })
    }

    /// The answer that a replica gives.
    #[must_use]
    pub fn answer(&self, question: &Question) -> (Option<RoundProof>, Body) {
        match question {
            Question::Params(_) => {
                let answer = pb::ParamsAnswer {
                    network_id: self.network.0.to_vec(),
                    ..Default::default()
                };
                (None, Body::Params(answer))
            }
            Question::Spec(_) => {
                let open = Some(self.open_pb());
                (None, Body::Spec(pb::SpecAnswer { open }))
            }
            Question::Inbox(inbox) => {
                let proof = self.round_proof(inbox.round);
                let hidden = inbox.round == self.leaf.open_round && self.leaf.status.is_live();
                let answer = pb::InboxAnswer {
                    round: inbox.round,
                    items: if hidden {
                        Vec::new()
                    } else {
                        self.items(inbox.round)
                    },
                    next_index: self.n().into(),
                    now: Some(self.now()),
                };
                (proof, Body::Inbox(answer))
            }
            Question::Evidence(_) => (None, Body::Evidence(self.evidence_pb())),
            Question::Roster(_) => {
                let joins = self.joins_pb();
                let proof = self.round_proof(0);
                (proof, Body::Roster(pb::RosterAnswer { joins }))
            }
            Question::Round(asked) => {
                let answer = pb::RoundAnswer {
                    round: asked.round,
                    slots: join_hashes(&self.slots_of(asked.round)),
                };
                (self.round_proof(asked.round), Body::Slots(answer))
            }
            Question::Transcript(_) => {
                let roots: Vec<Hash> = self.closed.iter().map(|(_, root)| *root).collect();
                let roots = join_hashes(&roots);
                (None, Body::Transcript(pb::TranscriptAnswer { roots }))
            }
            _ => (None, Body::SessionNow(self.now())),
        }
    }

    /// Leaves of a round's slots.
    fn slots_of(&self, round: u32) -> Vec<Hash> {
        if round == self.leaf.open_round {
            return self.slots.iter().map(|s| slot_leaf(s.as_ref())).collect();
        }
        let filled: Vec<(u16, Hash)> = match round.checked_sub(1) {
            None => {
                let joins = self.joins.iter();
                joins.map(|(join, _)| (join.index, join.digest())).collect()
            }
            Some(earlier) => {
                let told = usize::try_from(earlier)
                    .ok()
                    .and_then(|at| self.rounds.get(at));
                let told = told.into_iter().flatten();
                told.map(|(signed, _)| (signed.entry.slot().2, signed.entry.digest()))
                    .collect()
            }
        };
        let slot = |index| {
            let found = filled.iter().find(|(of, _)| *of == index);
            slot_leaf(found.map(|(_, digest)| digest))
        };
        (0..self.n()).map(slot).collect()
    }

    fn items(&self, round: u32) -> Vec<pb::InboxItem> {
        use pb::inbox_item::Entry as Item;
        let item = |entry, broadcast: Vec<u8>| pb::InboxItem {
            entry: Some(entry),
            broadcast: broadcast.into(),
            ..Default::default()
        };
        let Some(earlier) = round.checked_sub(1) else {
            let joins = self.joins_pb().into_iter();
            return joins.map(|join| item(Item::Join(join), vec![])).collect();
        };
        let round = usize::try_from(earlier).ok();
        let told = round.and_then(|at| self.rounds.get(at));
        let told = told.into_iter().flatten();
        told.map(|(signed, said)| item(Item::Signed(entry_to_pb(signed)), said.clone()))
            .collect()
    }

    fn joins_pb(&self) -> Vec<pb::Join> {
        let joins = self.joins.iter();
        joins.map(|(join, by)| join_to_pb(join, by)).collect()
    }

    fn evidence_pb(&self) -> pb::EvidenceAnswer {
        let dispute = self.dispute.as_ref();
        pb::EvidenceAnswer {
            culprits: self.culprits.iter().map(Into::into).collect(),
            left: self.left.iter().map(leaver).collect(),
            evidence: self.evidence.iter().map(pair_pb).collect(),
            leaves: self.words.iter().map(tx_pb).collect(),
            complain: dispute.map(|dispute| tx_pb(&dispute.complain)),
            reveal: dispute.and_then(|dispute| dispute.reveal.as_ref().map(tx_pb)),
        }
    }

    /// The end as a receipt, without the parties' word.
    #[must_use]
    pub fn end_receipt(&self, forger: &Forger) -> pb::EndReceipt {
        pb::EndReceipt {
            open: Some(self.open_pb()),
            anchor: Some(forger.certify(self.height, &self.leaf).anchor()),
            terminal: self.terminal.as_ref().map(Into::into),
            finishes: None,
        }
    }

    /// Everything as a receipt.
    #[must_use]
    pub fn ceremony_receipt(&self, forger: &Forger) -> pb::CeremonyReceipt {
        let told = self.evidence_pb();
        pb::CeremonyReceipt {
            anchor: Some(forger.certify(self.height, &self.leaf).anchor()),
            open: Some(self.open_pb()),
            joins: self.joins_pb(),
            rounds: self.rounds.iter().map(|round| round_pb(round)).collect(),
            terminal: self.terminal.as_ref().map(Into::into),
            culprits: told.culprits,
            left: told.left,
            evidence: told.evidence,
            leaves: told.leaves,
            complain: told.complain,
            reveal: told.reveal,
        }
    }
}

fn leaver((index, digest): &(u16, Hash)) -> pb::Leaver {
    pb::Leaver {
        index: (*index).into(),
        digest: digest.0.to_vec(),
    }
}

fn pair_pb([first, second]: &[SignedEntry; 2]) -> pb::Evidence {
    pb::Evidence {
        first: Some(entry_to_pb(first)),
        second: Some(entry_to_pb(second)),
    }
}

pub(super) fn tx_pb(tx: &SignedTx) -> pb::Tx {
    pb::Tx::decode(tx.encode().as_slice()).expect("a transaction")
}

fn round_pb(told: &[Told]) -> pb::ReceiptRound {
    use pb::receipt_entry::Content;
    let entries = told.iter().map(|(signed, _)| pb::ReceiptEntry {
        index: signed.entry.slot().2.into(),
        signature: signed.signature.0.to_vec(),
        content: Some(match &signed.entry {
            Entry::Post(post) => Content::Post(pb::PostContent {
                bcast_hash: match post.bcast_hash {
                    Hash::ZERO => Vec::new(),
                    hash => hash.0.to_vec(),
                },
                bcast_len: post.bcast_len,
                p2p_root: post.p2p_root.0.to_vec(),
                p2p_bytes: post.p2p_bytes,
            }),
            Entry::Finish(finish) => Content::Outcome(finish.outcome.0.to_vec()),
        }),
    });
    pb::ReceiptRound {
        entries: entries.collect(),
    }
}
