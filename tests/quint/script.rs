//! What a board did, written as a test of a generated module: its trace is held against what the board came to.

use std::{fmt::Write as _, fs, path::Path};

use white_city_tests::{board::Executed, simulator::World};
use white_city_wire::Network;

use crate::{
    program::{quint, said, trace},
    value::Value,
};

/// A block: how it begins and ends, what was sent in it and what became of that, and the board after it.
pub struct Block {
    pub begin: String,
    pub sent: Vec<(Value, Value)>,
    pub end: String,
    pub after: Value,
}

/// The blocks of one board.
pub struct Script {
    pub start: String,
    pub blocks: Vec<Block>,
}

/// The part of the specification's board that is compared.
pub type Part = fn(&Value) -> Value;

/// Recordings of simulated boards, each of so many blocks.
pub fn played<R>(
    worlds: impl Iterator<Item = World>,
    blocks: usize,
    new: impl Fn(&Network) -> R,
    record: impl Fn(&mut R, &Executed),
) -> Vec<R> {
    let recordings = worlds.map(|mut world| {
        let mut recording = None;
        for _ in 0..blocks {
            let seen = world.block();
            let network = seen.executed.before.network();
            let recording = recording.get_or_insert_with(|| new(network));
            record(recording, &seen.executed);
        }
        recording.expect("a block")
    });
    recordings.collect()
}

impl Script {
    fn write(&self, out: &mut String, number: usize) {
        for (at, block) in self.blocks.iter().enumerate() {
            let sent: Vec<String> = block.sent.iter().map(|(one, _)| one.to_string()).collect();
            let send = match sent.as_slice() {
                [] => String::new(),
                _ => format!(".then(send([\n    {}\n  ]))", sent.join(",\n    ")),
            };
            let (begin, end) = (&block.begin, &block.end);
            writeln!(
                out,
                "  action block{number}x{at} = {begin}{send}.then({end})"
            )
            .unwrap();
        }
        let blocks = (0..self.blocks.len()).map(|at| format!(".then(block{number}x{at})"));
        let blocks: String = blocks.collect();
        let start = &self.start;
        writeln!(out, "  run recording{number}Test = {start}{blocks}").unwrap();
    }

    /// Holds the states that the specification came to against those of the board.
    fn compare(&self, trace: &[Value], part: Part) -> Result<(), String> {
        let mut blocks = self.blocks.iter().enumerate();
        let mut sent: Vec<&Value> = Vec::new();
        for state in trace {
            match state.field("did").case() {
                ("Sent", Some(all)) => sent = all.list().iter().collect(),
                ("EndedBlock", _) => {
                    let (at, block) = blocks.next().ok_or("more blocks than there were")?;
                    if sent.len() != block.sent.len() {
                        return Err(format!("block {at}: {} were sent", sent.len()));
                    }
                    for (told, (one, outcome)) in sent.drain(..).zip(&block.sent) {
                        let found = told.field("outcome");
                        if found != outcome {
                            return Err(format!(
                                "block {at}, {one}: {found} in the specification, {outcome} on the board"
                            ));
                        }
                    }
                    let found = part(state.field("board"));
                    if let Some(difference) = found.difference(&block.after) {
                        return Err(format!("after block {at}: {difference}"));
                    }
                }
                _ => {}
            }
        }
        match blocks.next() {
            Some((at, _)) => Err(format!("block {at} isn't possible in the specification")),
            None => Ok(()),
        }
    }
}

/// Checks that boards did what the modules of these names do, which are in files of the folder.
pub fn check(
    folder: &Path,
    modules: &[(&str, &str)],
    scripts: &[&Script],
    part: Part,
) -> Result<(), String> {
    let mut module = String::from("module recorded {\n");
    for (name, file) in modules {
        writeln!(module, "  import {name}.* from \"./{file}\"").unwrap();
    }
    for (number, script) in scripts.iter().enumerate() {
        script.write(&mut module, number);
    }
    module += "}\n";
    let file = folder.join("recorded.qnt");
    fs::write(&file, module).unwrap();
    let to = folder.join("{test}.itf.json").display().to_string();
    let output = quint("test", &file, &["--out-itf", &to, "--max-samples", "1"]);
    for (number, script) in scripts.iter().enumerate() {
        let file = folder.join(format!("recording{number}Test.itf.json"));
        if !file.is_file() {
            return Err(said(&output));
        }
        script
            .compare(&trace(&file), part)
            .map_err(|what| format!("recording {number}: {what}"))?;
    }
    if output.status.success() {
        Ok(())
    } else {
        Err(said(&output))
    }
}
