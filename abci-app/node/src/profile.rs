//! Times that follow from how far the replicas are from one another

use std::time::Duration;

/// Times that replicas wait for one another, and proposals for entries. Milliseconds.
///
/// A dead proposer costs `timeout_propose` and `timeout_precommit`, once in as many heights as there are replicas; a proposal that takes
/// longer to arrive than the former is voted down. What each key means is said in `config/cometbft.toml` and `config/replica.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// CometBFT's `timeout_propose`; at least twice `proposal_wait`.
    pub timeout_propose: u64,
    /// CometBFT's `timeout_prevote`.
    pub timeout_prevote: u64,
    /// CometBFT's `timeout_precommit`.
    pub timeout_precommit: u64,
    /// The replica's `proposal_wait_ms`.
    pub proposal_wait: u64,
    /// The replica's `proposal_gap_ms`.
    pub proposal_gap: u64,
}

impl Profile {
    /// One machine or one data centre: the defaults of the configuration files.
    pub const DATA_CENTRE: Self = Self {
        timeout_propose: 120,
        timeout_prevote: 50,
        timeout_precommit: 10,
        proposal_wait: 60,
        proposal_gap: 50,
    };

    /// Regions that are up to 100 ms from one another: a proposal is a way behind those who wait for it, and takes another one to them.
    pub const REGIONS: Self = Self {
        timeout_propose: 350,
        timeout_prevote: 100,
        timeout_precommit: 40,
        proposal_wait: 100,
        proposal_gap: 75,
    };

    /// The one for links of this delay.
    #[must_use]
    pub const fn for_links(delay: Duration) -> Self {
        if delay.as_millis() < 10 {
            Self::DATA_CENTRE
        } else {
            Self::REGIONS
        }
    }

    /// Values of CometBFT's section `consensus`.
    pub fn consensus(&self) -> [(&'static str, u64); 3] {
        [
            ("timeout_propose", self.timeout_propose),
            ("timeout_prevote", self.timeout_prevote),
            ("timeout_precommit", self.timeout_precommit),
        ]
    }

    /// Values of `replica.toml`.
    pub fn replica(&self) -> [(&'static str, u64); 2] {
        [
            ("proposal_wait_ms", self.proposal_wait),
            ("proposal_gap_ms", self.proposal_gap),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_config::COMETBFT_DEFAULTS;

    #[test]
    fn the_configuration_files_have_the_values_of_one_data_centre() {
        let node: toml::Table = COMETBFT_DEFAULTS.parse().unwrap();
        for (key, ms) in Profile::DATA_CENTRE.consensus() {
            let value = node["consensus"][key].as_str();
            assert_eq!(value, Some(format!("{ms}ms").as_str()), "{key}");
        }
        let text = include_str!("../../../config/replica.toml");
        let replica: toml::Table = text.parse().unwrap();
        for (key, ms) in Profile::DATA_CENTRE.replica() {
            assert_eq!(replica[key].as_integer(), Some(ms.cast_signed()), "{key}");
        }
    }

    #[test]
    fn no_proposal_waits_so_long_that_the_others_give_up_on_it() {
        for profile in [Profile::DATA_CENTRE, Profile::REGIONS] {
            assert!(profile.timeout_propose >= 2 * profile.proposal_wait);
        }
    }

    #[test]
    fn links_that_are_simulated_have_the_times_of_regions() {
        let of = |ms| Profile::for_links(Duration::from_millis(ms));
        let here = Profile::DATA_CENTRE;
        assert_eq!([of(0), of(9), of(10)], [here, here, Profile::REGIONS]);
    }
}
