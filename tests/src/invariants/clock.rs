//! Deadlines and time (`architecture.md`): board time is header time less outages, and never goes back; an outage
//! costs no session its deadline.

use white_city_wire::seal::BlockTime;

use super::Property;
use crate::simulator::Observed;

/// An oracle of the clock.
#[derive(Default, Clone)]
pub struct Clock {
    last: Option<(BlockTime, u64)>,
    paused_ms: u64,
}

fn millis(time: BlockTime) -> u64 {
    u64::try_from(time.seconds).unwrap_or(0) * 1_000 + u64::from(time.nanos) / 1_000_000
}

impl Property for Clock {
    const NAME: &'static str = "clock";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let executed = &seen.executed;
        let now = executed.context.time;
        let cap = u64::from(executed.before.params().cap_ms);
        let step = self.last.map_or(0, |(time, _)| millis(now) - millis(time));
        let outage = step > cap;
        if outage {
            self.paused_ms += step;
        }
        let board_ms = millis(now) - self.paused_ms;
        ensure!(executed.board_ms == board_ms, "board time isn't {board_ms}");
        let paused = executed.after.paused_ms();
        ensure!(
            paused == self.paused_ms,
            "paused for {paused} ms, not {}",
            self.paused_ms
        );
        if let Some((_, before)) = self.last {
            ensure!(board_ms >= before, "board time went back");
            ensure!(
                !outage || board_ms == before,
                "board time passed in an outage"
            );
        }
        for session in executed.before.sessions().iter().filter(|_| outage) {
            let now = executed.after.sessions().get(session.number);
            let Some(now) = now.filter(|now| now.status() == session.status()) else {
                continue;
            };
            let same_round = now.leaf.open_round == session.leaf.open_round;
            let (before, after) = (session.leaf.deadline_ms, now.leaf.deadline_ms);
            let kept = before == 0 || !same_round || before == after;
            ensure!(
                kept,
                "session {} lost its deadline in an outage",
                session.number
            );
        }
        self.last = Some((now, board_ms));
        Ok(())
    }
}
