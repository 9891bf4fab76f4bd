//! Memory of what a replica has answered so far, to be shown again where it doesn't belong.

use std::collections::{BTreeMap, VecDeque};

use tendermint::block::signed_header::SignedHeader;
use white_city_wire::pb::{self, answer::Body, query::Question};

use crate::rng::Rng;

/// Most answers that are kept; the oldest goes first.
const ANSWERS_MAX: usize = 512;
/// Most headers that are kept; the lowest goes first.
const HEADERS_MAX: usize = 512;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The question.
    pub question: Question,
    /// The honest answer.
    pub answer: pb::Answer,
}

/// Everything that was seen so far.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    answers: VecDeque<Exchange>,
    headers: BTreeMap<u64, SignedHeader>,
}

impl Memory {
    /// Keeps an answer.
    pub fn keep(&mut self, question: &Question, answer: &pb::Answer) {
        self.answers.push_back(Exchange {
            question: question.clone(),
            answer: answer.clone(),
        });
        if self.answers.len() > ANSWERS_MAX {
            self.answers.pop_front();
        }
    }

    /// Keeps a header.
    pub fn keep_header(&mut self, header: &SignedHeader) {
        self.headers
            .insert(header.header.height.value(), header.clone());
        if self.headers.len() > HEADERS_MAX {
            self.headers.pop_first();
        }
    }

    /// The answers that are kept, the oldest first.
    pub fn answers(&self) -> impl Iterator<Item = &Exchange> {
        self.answers.iter()
    }

    /// The header of a height.
    #[must_use]
    pub fn header(&self, height: u64) -> Option<&SignedHeader> {
        self.headers.get(&height)
    }

    /// A header of another height.
    pub fn another_header(&self, height: u64, rng: &mut Rng) -> Option<&SignedHeader> {
        let others = self.headers.iter().filter(|(other, _)| **other != height);
        let others: Vec<&SignedHeader> = others.map(|(_, header)| header).collect();
        rng.pick(&others).copied()
    }

    /// One of the kept exchanges for which this holds.
    pub fn pick(&self, rng: &mut Rng, fits: impl Fn(&Exchange) -> bool) -> Option<&Exchange> {
        let fitting: Vec<&Exchange> = self.answers.iter().filter(|e| fits(e)).collect();
        rng.pick(&fitting).copied()
    }
}

/// Whether two answers have bodies of the same kind.
#[must_use]
pub fn same_kind(a: &pb::Answer, b: &pb::Answer) -> bool {
    let kind = |answer: &pb::Answer| answer.body.as_ref().map(std::mem::discriminant::<Body>);
    kind(a) == kind(b)
}
