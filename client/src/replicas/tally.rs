//! Tally of what several replicas said, as long as none of them gave an answer: one word for each of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Endpoint, ReadError};
use crate::{Error, ReplicaFault};

/// See the module.
#[derive(Default)]
pub(crate) struct Tally {
    /// The last word of each, by its address.
    faults: BTreeMap<String, String>,
    /// Those that aren't asked any more: what they said can't be true, or can't be used.
    aside: BTreeSet<String>,
    liars: BTreeSet<String>,
    /// That one of them shows another network.
    strange: Option<Error>,
    refused: Option<Error>,
    lied: Option<Error>,
    /// Whether one of them hasn't reached the height that was asked for.
    pub(crate) is_any_behind: bool,
    /// The highest height that such a one shows, and the one that was asked for.
    behind: Option<(u64, u64)>,
}

/// The word of a replica whose state is older than what is asked for.
pub(super) fn behind(shown: u64) -> String {
    format!("its state is old, of height {shown}")
}

impl Tally {
    /// Nobody has said anything.
    pub(crate) const fn new() -> Self {
        Self {
            faults: BTreeMap::new(),
            aside: BTreeSet::new(),
            liars: BTreeSet::new(),
            strange: None,
            refused: None,
            lied: None,
            is_any_behind: false,
            behind: None,
        }
    }

    /// Notes why this one gave no answer.
    ///
    /// # Errors
    /// What asking another replica wouldn't change.
    pub(crate) fn note(&mut self, endpoint: &Endpoint, error: ReadError) -> Result<(), Error> {
        let replica = endpoint.name().to_owned();
        let reason = match error {
            ReadError::Final(error) => return Err(error),
            ReadError::Unreachable(reason) => reason,
            ReadError::Behind { shown, expected } => {
                self.is_any_behind = true;
                let (highest, floor) = self.behind.unwrap_or_default();
                self.behind = Some((shown.max(highest), expected.max(floor)));
                behind(shown)
            }
            ReadError::Refused { code, text } => {
                self.refused = Some(Error::from_code(code, text.clone(), replica.clone()));
                text
            }
            ReadError::Stranger(what) => {
                self.set_aside(endpoint);
                self.liars.insert(replica.clone());
                let what = what.to_string();
                self.strange = Some(Error::OtherNetwork {
                    replica: replica.clone(),
                    what: what.clone(),
                });
                what
            }
            ReadError::Lied(what) => {
                self.set_aside(endpoint);
                self.liars.insert(replica.clone());
                let what = what.to_string();
                self.lied = Some(Error::ReplicaLied {
                    replica: replica.clone(),
                    what: what.clone(),
                });
                what
            }
        };
        self.faults.insert(replica, reason);
        Ok(())
    }

    /// This one isn't asked any more.
    pub(crate) fn set_aside(&mut self, endpoint: &Endpoint) {
        self.aside.insert(endpoint.name().to_owned());
    }

    /// Whether this one may still be asked.
    pub(crate) fn may_ask(&self, endpoint: &Endpoint) -> bool {
        !self.aside.contains(endpoint.name())
    }

    /// Number of those that gave answers that can't be true.
    pub(crate) fn liars(&self) -> usize {
        self.liars.len()
    }

    /// The error that says most: a refusal, then a lie, then that the network is another one, then that all are behind, then that nobody
    /// answered.
    pub(crate) fn error(&self) -> Error {
        let told = self.refused.as_ref().or(self.lied.as_ref());
        let told = told.or(self.strange.as_ref());
        let behind = self.behind;
        let behind = behind.map(|(shown, expected)| Error::Behind { shown, expected });
        told.cloned().or(behind).unwrap_or_else(|| {
            let faults = self.faults.iter();
            let faults = faults.map(|(replica, reason)| ReplicaFault {
                replica: replica.clone(),
                reason: reason.clone(),
            });
            Error::Unreachable(faults.collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::replicas, *};
    use crate::read::Lie;

    #[test]
    fn a_refusal_says_more_than_a_lie_and_a_lie_more_than_silence() {
        let replicas = replicas(1);
        let first = &replicas.in_order()[0];
        let mut tally = Tally::default();
        let silence = ReadError::Unreachable("down".into());
        tally.note(first, silence).unwrap();
        assert!(matches!(tally.error(), Error::Unreachable(_)));
        tally.note(first, ReadError::Lied(Lie::new("no"))).unwrap();
        assert!(matches!(tally.error(), Error::ReplicaLied { .. }));
        let refused = ReadError::Refused {
            code: 32,
            text: "no such session".into(),
        };
        tally.note(first, refused).unwrap();
        assert!(matches!(tally.error(), Error::Refused { code: 32, .. }));
        let erased = ReadError::Final(Error::Erased);
        assert_eq!(tally.note(first, erased), Err(Error::Erased));
    }

    #[test]
    fn another_network_is_called_that_unless_one_of_them_lies_or_refuses() {
        let replicas = replicas(1);
        let all = replicas.in_order();
        let strange = || ReadError::Stranger(Lie::new("header: of the chain other"));
        let mut tally = Tally::default();
        let silence = ReadError::Unreachable("down".into());
        tally.note(&all[0], silence).unwrap();
        tally.note(&all[1], strange()).unwrap();
        assert!(matches!(tally.error(), Error::OtherNetwork { .. }));
        assert!(!tally.may_ask(&all[1]), "it is as little use as a liar");
        for endpoint in &all {
            replicas.note(&mut tally, endpoint, strange()).unwrap();
        }
        assert!(replicas.all_lied(&tally));
        let lied = ReadError::Lied(Lie::new("no"));
        tally.note(&all[2], lied).unwrap();
        assert!(matches!(tally.error(), Error::ReplicaLied { .. }));
    }

    #[test]
    fn one_replica_is_one_however_often_it_lies() {
        let replicas = replicas(1);
        let all = replicas.in_order();
        let mut tally = Tally::default();
        for times in 1..=9 {
            let lied = ReadError::Lied(Lie::new("no"));
            tally.note(&all[0], lied).unwrap();
            assert_eq!(tally.liars(), 1, "{times}");
        }
        assert!(!tally.may_ask(&all[0]));
        assert!(all[1..].iter().all(|other| tally.may_ask(other)));
        assert!(!replicas.all_lied(&tally));
        for other in &all {
            let lied = ReadError::Lied(Lie::new("no"));
            replicas.note(&mut tally, other, lied).unwrap();
        }
        assert!(replicas.all_lied(&tally));
    }

    #[test]
    fn faults_are_told_by_replica() {
        let replicas = replicas(1);
        let mut tally = Tally::default();
        for reason in ["down", "still down"] {
            for endpoint in &replicas.in_order()[..2] {
                let fault = ReadError::Unreachable(reason.into());
                tally.note(endpoint, fault).unwrap();
            }
        }
        let Error::Unreachable(faults) = tally.error() else {
            panic!("{:?}", tally.error());
        };
        assert_eq!(faults.len(), 2);
        assert!(faults.iter().all(|fault| fault.reason == "still down"));
    }
}
