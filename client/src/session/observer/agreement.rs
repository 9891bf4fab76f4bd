//! What signatures can't show is believed when `f + 1` replicas say the same: one of them is honest.

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};
use white_city_wire::board::{Status, Terminal};

use super::{End, Observer};
use crate::{
    AbortRecord,
    error::Leaver,
    read::{Entry, Lied, SessionRef, SessionView, Unproven, read_leaves},
    replicas::{Endpoint, PATIENCE, ReadError, gather},
};

impl Observer {
    /// An outcome is proven by a quorum's signatures. An abort is believed when `f + 1` replicas say the same.
    pub(super) async fn read_end(
        &self,
        endpoint: &Endpoint,
        view: &SessionView,
        terminal: &Terminal,
    ) -> Result<End, ReadError> {
        if terminal.status == Status::Finished {
            let (round, spec) = (view.open_round, self.spec());
            let entries = Entry::read_round(endpoint, self.id, round, None, spec).await?;
            let outcome = terminal.outcome;
            self.history
                .check_finish(&outcome, &entries)
                .or_lied("the finish")?;
            return Ok(End::Finished { outcome });
        }
        self.confirm(view).await?;
        let missing = terminal.members.iter();
        Ok(End::Aborted(Box::new(AbortRecord {
            record: terminal.clone(),
            left: self.words_of_leavers(endpoint, view).await,
            culprits: view.culprits.clone(),
            missing: missing
                .filter(|index| !terminal.filled.contains(*index))
                .collect(),
        })))
    }

    /// Whether enough replicas say that the session ended this way for one of them to be honest.
    pub(super) async fn confirm(&self, view: &SessionView) -> Result<(), ReadError> {
        let order = self.client.replicas().in_order();
        let asked = order
            .iter()
            .map(|e| SessionView::read(e, SessionRef::Id(self.id)));
        let views = gather(self.client.replicas().witnesses, asked).await;
        let said = |view: &SessionView| {
            let (terminal, left) = (view.terminal.clone(), view.left.clone());
            (terminal, left, view.culprits.clone())
        };
        let expected = said(view);
        let others = views.iter().flatten().map(Unproven::unproven_value);
        let agreeing = others.filter(|other| said(other) == expected).count();
        if agreeing < self.client.replicas().witnesses {
            let reason = "too few other replicas confirm the end that it states";
            return Err(ReadError::Unreachable(reason.into()));
        }
        Ok(())
    }

    /// Whether the replica that was read last says so.
    pub(in crate::session) fn is_hinted(&self, says: impl Fn(&SessionView) -> Option<()>) -> bool {
        let view = self.view.as_ref().map(Unproven::unproven_value);
        view.is_some_and(|view| says(view).is_some())
    }

    /// What enough replicas say for one of them to be honest: `f + 1`, or all configured ones if they are fewer.
    pub(in crate::session) async fn agreed<T: PartialEq>(
        &self,
        says: impl Fn(&SessionView) -> Option<T>,
    ) -> Option<T> {
        let replicas = self.client.replicas();
        let order = replicas.in_order();
        let mut asked: FuturesUnordered<_> = order
            .iter()
            .map(|e| SessionView::read(e, SessionRef::Id(self.id)))
            .collect();
        let mut said: Vec<(T, usize)> = Vec::new();
        let (mut good, mut until) = (0_usize, None);
        loop {
            let answer = match until {
                None => asked.next().await,
                Some(until) => timeout_at(until, asked.next()).await.ok().flatten(),
            };
            let Ok(view) = answer? else { continue };
            good = good.saturating_add(1);
            if good >= replicas.witnesses && until.is_none() {
                until = Some(Instant::now() + PATIENCE);
            }
            let Some(value) = says(view.unproven_value()) else {
                continue;
            };
            let count = match said.iter_mut().find(|(other, _)| *other == value) {
                Some((_, count)) => {
                    *count = count.saturating_add(1);
                    *count
                }
                None => {
                    said.push((value, 1));
                    1
                }
            };
            if count >= replicas.witnesses {
                let agreed = said
                    .into_iter()
                    .find(|(_, count)| *count >= replicas.witnesses);
                return agreed.map(|(value, _)| value);
            }
        }
    }

    /// Who left, with what they said where their signatures prove it.
    async fn words_of_leavers(&self, endpoint: &Endpoint, view: &SessionView) -> Vec<Leaver> {
        let network = self.client.network().id;
        let words = read_leaves(endpoint, self.id, self.spec(), &network).await;
        let words = words.unwrap_or_default();
        let left = view.left.iter();
        left.map(|(index, digest)| Leaver {
            index: *index,
            word: words
                .iter()
                .find(|(author, word)| author == index && word.digest(&self.id, *index) == *digest)
                .map(|(_, word)| word.clone()),
        })
        .collect()
    }
}
