//! From operators' real words to the words of the specification of charters.

use std::collections::{BTreeMap, BTreeSet};

use white_city_state_machine::State;
use white_city_wire::{
    Charter, Hash, IdentityKey, NetworkId, Signature,
    approve::{Approve, Word},
    charter::Replica,
    signing::{Purpose, signed_bytes},
};

use super::seen::Meanings;
use crate::{
    teller::Numbers,
    value::{Value, bare, case, int, record},
};

/// Nobody's key.
const NOBODY: i64 = -1;
/// A charter that none names as the one before it.
const UNKNOWN: i64 = -1;
/// Content that no charter may have.
const IMPOSSIBLE: i64 = -1;

/// Tells the words of one board, in their order.
#[derive(Debug, Default)]
pub struct Teller {
    pub meanings: Meanings,
    contents: Numbers,
    /// Terms of the charters that were in force.
    terms: BTreeMap<Hash, i64>,
}

impl Teller {
    /// Notes that a charter is in force.
    pub fn in_force(&mut self, charter: &Charter) {
        self.terms.insert(charter.hash(), charter.term.into());
    }

    /// The charter in the specification's words.
    pub fn charter(&mut self, charter: &Charter) -> Value {
        let follows = self.terms.get(&charter.previous).copied();
        let replicas: BTreeSet<Value> = charter
            .replicas
            .iter()
            .map(|replica| self.replica(replica))
            .collect();
        let told = record([
            ("term", int(charter.term)),
            ("follows", Value::Int(follows.unwrap_or(UNKNOWN))),
            ("untilMs", int(charter.until_ms)),
            ("protocol", int(charter.protocol)),
            ("rest", self.content(charter)),
            ("replicas", Value::Set(replicas)),
        ]);
        self.meanings.charters.insert(charter.hash(), told.clone());
        told
    }

    fn replica(&mut self, replica: &Replica) -> Value {
        record([
            ("validator", self.key(&replica.validator)),
            ("operator", self.key(&replica.operator)),
        ])
    }

    /// The number of a key: the same for the same one.
    pub fn key(&mut self, key: &Hash) -> Value {
        let next = i64::try_from(self.meanings.keys.len()).unwrap_or(i64::MAX);
        Value::Int(*self.meanings.keys.entry(*key).or_insert(next))
    }

    /// Everything that a charter says about openers and sizes.
    fn content(&mut self, charter: &Charter) -> Value {
        let keys = charter
            .replicas
            .iter()
            .flat_map(|r| [r.validator, r.operator]);
        let keys: BTreeSet<Hash> = keys.collect();
        let replicas: BTreeSet<[Hash; 2]> = charter
            .replicas
            .iter()
            .map(|r| [r.validator, r.operator])
            .collect();
        // The specification sees for itself whether a key is there twice; but not a replica, as it has a set of them.
        let is_seen = replicas.is_empty() || keys.len() != 2 * replicas.len();
        if charter.check_fields().is_err() && !is_seen {
            return Value::Int(IMPOSSIBLE);
        }
        let rest = Charter {
            term: 0,
            previous: Hash::ZERO,
            until_ms: 0,
            protocol: 0,
            replicas: Vec::new(),
            ..charter.clone()
        };
        self.contents.of(&rest.hash().0)
    }

    /// A word, signed by this key, for a board in this state.
    pub fn word(
        &mut self,
        approve: &Approve,
        signer: Option<&IdentityKey>,
        state: &State,
    ) -> Value {
        let present = state.charter();
        let replica = present.replicas.get(usize::from(approve.operator));
        let operator = replica.map_or(Value::Int(NOBODY), |replica| self.key(&replica.operator));
        let by = signer.map_or(Value::Int(NOBODY), |key| self.key(&Hash(*key.as_bytes())));
        let says = match &approve.word {
            Word::Withdraw => bare("Withdraws"),
            Word::Charter { charter, newcomers } => {
                let accepted = self.accepted(charter, newcomers, present, &state.network().id);
                let told = self.charter(charter);
                case(
                    "Approves",
                    record([("charter", told), ("newcomers", accepted)]),
                )
            }
        };
        record([
            ("by", by),
            ("term", int(approve.term)),
            ("operator", operator),
            ("sequence", int(approve.sequence)),
            ("says", says),
        ])
    }

    /// The newcomers whose signatures these are, in the order in which they are expected; somebody else for each other signature.
    fn accepted(
        &mut self,
        charter: &Charter,
        newcomers: &[Signature],
        present: &Charter,
        network: &NetworkId,
    ) -> Value {
        let message = signed_bytes(Purpose::Operate, network, &charter.hash());
        let expected: Vec<Hash> = charter.operators_new_to(present).copied().collect();
        let accepted = newcomers.iter().enumerate().map(|(place, signature)| {
            let key = expected.get(place).filter(|key| {
                IdentityKey::from_bytes(&key.0).is_ok_and(|key| key.verify(&message, signature))
            });
            let stranger = NOBODY - 1 - i64::try_from(place).unwrap_or(0);
            key.map_or(Value::Int(stranger), |key| self.key(key))
        });
        Value::Set(accepted.collect())
    }
}
