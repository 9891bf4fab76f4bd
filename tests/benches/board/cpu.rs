//! Processor time by who uses it: the engines, the replicas' applications, and this process with all parties.

use std::fs;

use serde_json::{Value, json};

use crate::world::World;

/// Processor time used so far, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    engines: f64,
    replicas: f64,
    parties: f64,
}

impl Cpu {
    /// Gives what has been used whenever it is asked, also where the world can't be.
    pub fn clock(world: &World) -> impl Fn() -> Self + Send + 'static {
        let replicas = 0..world.net.replicas();
        let processes: Vec<(String, String)> = replicas
            .map(|k| world.net.snapshot(k).unwrap())
            .map(|ids| (ids.node_pid.to_string(), ids.app_pid.to_string()))
            .collect();
        move || Self {
            engines: processes.iter().map(|(node, _)| used_ms(node)).sum(),
            replicas: processes.iter().map(|(_, app)| used_ms(app)).sum(),
            parties: used_ms("self"),
        }
    }

    /// Time that was used since then, for each of so many.
    pub fn since(self, before: Self, count: f64) -> Value {
        json!({
            "engines_ms": (self.engines - before.engines) / count,
            "replicas_ms": (self.replicas - before.replicas) / count,
            "parties_ms": (self.parties - before.parties) / count,
        })
    }
}

/// User and system time of a process, in milliseconds.
fn used_ms(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, which may have spaces, ends with the last parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    // Linux counts a hundred a second on every machine.
    ticks * 10.0
}

/// The most memory that a replica's application and its node have ever used, MiB.
pub fn peak_mib(world: &World) -> (f64, f64) {
    let peak = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let words = line.and_then(|rest| rest.split_whitespace().next());
        words.and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    (0..world.net.replicas()).fold((0.0, 0.0), |(app, node), k| {
        let ids = world.net.snapshot(k).unwrap();
        (
            f64::max(app, peak(ids.app_pid)),
            f64::max(node, peak(ids.node_pid)),
        )
    })
}
