//! Running a protocol among all its parties, with faults.

use std::collections::BTreeMap;

use futures::future::join_all;
use white_city_client::{Error, SpecBuilder};

use crate::{Board, Crashing, KitError, Party};

/// Results that the protocol gave to each party, by index. Absent parties have none.
pub type Results<T, E> = Vec<Result<T, E>>;

/// Faults of the parties. Those of replicas are the board's: [`Board::add_bad_replica`].
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Parties that join and then never do anything.
    pub absent: Vec<u16>,
    /// After how many steps parties crash, each time; they start again, with the same session and seed.
    pub crashes: BTreeMap<u16, Vec<u32>>,
}

impl Board {
    /// Opens a session, lets all parties join, and runs `protocol` for each of them, at the same time.
    ///
    /// # Errors
    /// [`KitError`] for what goes wrong outside of the protocol.
    pub async fn run<T, E>(
        &self,
        spec: SpecBuilder,
        protocol: impl AsyncFn(&mut Party) -> Result<T, E>,
    ) -> Result<Results<T, E>, KitError> {
        self.run_with(spec, &Faults::default(), protocol).await
    }

    /// As [`Board::run`], with faults of the parties.
    ///
    /// # Errors
    /// As [`Board::run`].
    pub async fn run_with<T, E>(
        &self,
        spec: SpecBuilder,
        faults: &Faults,
        protocol: impl AsyncFn(&mut Party) -> Result<T, E>,
    ) -> Result<Results<T, E>, KitError> {
        let n = spec.clone().build()?.parties();
        let id = self.open(spec).await?;
        let joins = (0..n).map(|party| self.join(id, party));
        let mut parties = join_all(joins)
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        // Only then: absent parties have joined, too.
        let present = parties
            .iter_mut()
            .filter(|party| !faults.absent.contains(&party.session.index()));
        let runs = present.map(async |party| {
            party.session.wait_ready().await?;
            let crashes = faults.crashes.get(&party.session.index());
            let mut crashing = Crashing::after(crashes.cloned().unwrap_or_default());
            loop {
                if let Some(result) = crashing.start(protocol(party)).await {
                    return Ok(result);
                }
            }
        });
        let results: Vec<Result<_, Error>> = join_all(runs).await;
        Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?)
    }
}
