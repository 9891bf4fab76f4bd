//! Plan of a protocol that is drawn at random: who says what to whom.

use serde::{Deserialize, Serialize};
use white_city_client::delivery::round_based::Outgoing;
use white_city_kit::Dice;

/// A message: which round of the protocol it belongs to, and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    pub round: usize,
    pub content: Vec<u8>,
}

/// Words of one party in one round, in this order, and for whom; `None` is everybody.
type Speech = Vec<(Option<u16>, Words)>;

/// The words of each party in each round.
pub struct Plan {
    pub n: u16,
    /// Whether posts come in several small parts.
    pub is_in_parts: bool,
    /// The party that doesn't keep to the plan, nor to what parts are.
    pub liar: Option<u16>,
    rounds: Vec<Vec<Speech>>,
}

impl Plan {
    /// Two to five parties, one to five rounds, up to three messages of a party in a round, to all or to one, empty or up to
    /// 200 bytes long.
    pub fn draw(dice: &mut Dice) -> Self {
        let n = u16::try_from(2 + dice.below(4)).unwrap();
        let rounds = (0..=usize::try_from(dice.below(5)).unwrap())
            .map(|round| (0..n).map(|_| Self::draw_words(dice, n, round)).collect());
        let rounds = rounds.collect();
        let is_in_parts = dice.percent(40);
        let liar = is_in_parts && n > 2 && dice.percent(30);
        Self {
            n,
            is_in_parts,
            liar: liar.then(|| u16::try_from(dice.below(n.into())).unwrap()),
            rounds,
        }
    }

    fn draw_words(dice: &mut Dice, n: u16, round: usize) -> Speech {
        let count = dice.below(4);
        (0..count)
            .map(|_| {
                // A party may also send to itself.
                let to = u16::try_from(dice.below(u32::from(n))).unwrap();
                let to = dice.percent(60).then_some(to);
                let length = usize::try_from(dice.below(201)).unwrap();
                let content = dice.bytes().into_iter().cycle().take(length).collect();
                (to, Words { round, content })
            })
            .collect()
    }

    /// The parties that keep to the plan.
    pub fn honest(&self) -> impl Iterator<Item = u16> {
        let liar = self.liar;
        (0..self.n).filter(move |party| Some(*party) != liar)
    }

    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// Messages that a party sends in a round.
    pub fn says(&self, round: usize, from: u16) -> Vec<Outgoing<Words>> {
        let words = self.rounds[round][usize::from(from)].iter();
        words
            .map(|(to, words)| match to {
                Some(to) => Outgoing::p2p(*to, words.clone()),
                None => Outgoing::broadcast(words.clone()),
            })
            .collect()
    }

    /// Words that `reader` has to get of `from`, in all rounds together: whether it is a broadcast, and the words.
    pub fn heard(&self, from: u16, reader: u16) -> Vec<(bool, Words)> {
        let all = self
            .rounds
            .iter()
            .flat_map(|round| &round[usize::from(from)]);
        all.filter(|(to, _)| to.is_none_or(|to| to == reader))
            .map(|(to, words)| (to.is_none(), words.clone()))
            .collect()
    }

    /// Number of messages that `reader` has to wait for before it can say what it says after this round.
    pub fn awaited(&self, round: usize, reader: u16) -> usize {
        let others = self.honest().filter(|from| *from != reader);
        others
            .flat_map(|from| self.heard(from, reader))
            .filter(|(_, words)| words.round <= round)
            .count()
    }
}
