//! Moves of operators: they draft, approve and withdraw, some of them hostile.

use white_city_wire::{
    Charter, Hash,
    approve::{Approve, Word},
    charter::OpenerQuota,
    tx::Action,
};

use super::{World, moves::Move};
use crate::{
    board::Candidate,
    charters::{newcomers, operator_with},
    network,
};

/// Replicas that there are keys for: the first ones are those of the genesis.
const REPLICAS: u8 = 12;
/// A time that no run reaches.
const LATE_MS: u64 = 1 << 50;

impl World {
    /// Words of some operators about one charter, or about several.
    pub(super) fn charter_moves(&mut self, to: &mut Vec<Move>) {
        let charter = match self.drafts.last() {
            Some(draft) if self.rng.chance(70) => draft.clone(),
            _ => self.draft(),
        };
        let size = self.board.state.charter().size();
        let mut operators: Vec<u16> = (0..size).collect();
        self.rng.shuffle(&mut operators);
        let many = self.rng.chance(70);
        let count = if many { usize::from(size) } else { 1 };
        for operator in operators.into_iter().take(count) {
            let words = self.board.state.proposals().iter();
            let mut words = words.filter(|word| word.charter_hash == charter.hash());
            let has_approved = words.any(|word| word.operator == operator);
            let withdraws = self.rng.chance(if has_approved { 50 } else { 5 });
            let word = if withdraws {
                Word::Withdraw
            } else {
                self.approval(&charter)
            };
            self.say(to, operator, word);
        }
    }

    /// Another charter, which usually may follow the one in force.
    fn draft(&mut self) -> Charter {
        let state = self.board.state.clone();
        let mut charter = state.charter().clone();
        charter.term += 1;
        charter.previous = state.term().charter_hash;
        charter.until_ms = LATE_MS;
        match self.rng.below(10) {
            0..=2 => self.change_replica(&mut charter),
            3 => {
                self.change_replica(&mut charter);
                self.change_replica(&mut charter);
            }
            4 | 5 => self.change_openers(&mut charter),
            6 => charter.anyone_may_open = !charter.anyone_may_open,
            7 => charter.anyone_max_bytes = self.rng.between(0, 300_000),
            8 => self.spoil(&mut charter),
            _ => charter.max_board_bytes = self.rng.between(200_000, 500_000),
        }
        charter.sort();
        self.drafts.push(charter.clone());
        charter
    }

    /// Another validator, another operator, one replica more, or one less.
    fn change_replica(&mut self, charter: &mut Charter) {
        let new = network::replica(u8::try_from(self.rng.below(REPLICAS.into())).unwrap_or(0));
        let place = usize::try_from(self.rng.below(charter.size().into())).unwrap_or(0);
        match self.rng.below(4) {
            0 => charter.replicas[place].validator = new.validator,
            1 => charter.replicas[place].operator = new.operator,
            2 if charter.size() > 1 => drop(charter.replicas.remove(place)),
            _ => charter.replicas.push(new),
        }
    }

    fn change_openers(&mut self, charter: &mut Charter) {
        let party = usize::try_from(self.rng.below(4)).unwrap_or(0);
        let key = Hash(*self.parties[party].key().as_bytes());
        match charter.openers.iter().position(|opener| opener.key == key) {
            Some(place) => drop(charter.openers.remove(place)),
            None => charter.openers.push(OpenerQuota {
                key,
                max_live: 3,
                max_bytes: self.rng.between(0, 80_000),
            }),
        }
    }

    /// A charter that nobody may approve.
    fn spoil(&mut self, charter: &mut Charter) {
        match self.rng.below(6) {
            0 => charter.term += 1,
            1 => charter.previous = Hash::ZERO,
            2 => charter.until_ms = 0,
            3 => charter.protocol += 2,
            4 => charter.max_board_bytes = 1,
            _ => charter.replicas[0].operator = charter.replicas[0].validator,
        }
    }

    /// An approval with the signatures of the newcomers, of which one is sometimes missing.
    fn approval(&mut self, charter: &Charter) -> Word {
        let mut newcomers = newcomers(&self.board, charter);
        if self.rng.chance(5) {
            newcomers.pop();
        }
        Word::Charter {
            charter: Box::new(charter.clone()),
            newcomers,
        }
    }

    fn say(&mut self, to: &mut Vec<Move>, operator: u16, word: Word) {
        let state = &self.board.state;
        let standing = state.proposals().iter().find(|p| p.operator == operator);
        let sequence = standing.map_or(0, |standing| standing.sequence);
        let off = u32::from(self.rng.chance(5));
        let approve = Approve {
            term: self.board.state.charter().term,
            operator,
            sequence: sequence + 1 + off,
            word,
        };
        let key = self.board.state.charter().replicas[usize::from(operator)].operator;
        let (Some(party), network) = (operator_with(&key), self.network_id()) else {
            return;
        };
        let digest = approve.digest();
        let action = Action::Approve(approve);
        // Signed by somebody else it counts for nobody.
        let signer = if self.rng.chance(3) {
            self.parties[0].clone()
        } else {
            std::sync::Arc::make_mut(&mut self.signed).insert((key.0, digest));
            party
        };
        to.push((
            Candidate::Bytes(signer.tx(action, &network).encode()),
            false,
        ));
    }
}
