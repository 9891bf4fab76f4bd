//! Killing a process at each step by which it changes files: the calls that write, sync, rename, remove and so on are counted before they
//! are made, and at one of them the process dies as by `kill -9`; a write, in its middle. The programs that are killed are those that
//! users run: the C compiler makes `steps.c` a library that the loader puts before the system's.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::rng::Rng;

/// The library that counts steps.
#[derive(Debug, Clone)]
pub struct Steps {
    library: PathBuf,
    told: PathBuf,
}

/// A step of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number, from 1.
    pub number: usize,
    /// The call, in a word: open, write, size, sync, rename, remove or make.
    pub call: String,
    /// The file, below the folder.
    pub file: String,
}

impl Steps {
    /// Compiles it into a folder, which isn't the one that is watched.
    ///
    /// # Errors
    /// When there is no C compiler.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let source = folder.join("steps.c");
        fs::write(&source, include_str!("steps/steps.c"))?;
        let library = folder.join("steps.so");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([library.as_os_str(), source.as_os_str(), OsStr::new("-ldl")])
            .status()?;
        if !compiled.success() {
            return Err(io::Error::other("steps.c doesn't compile"));
        }
        Ok(Self {
            library,
            told: folder.join("steps.told"),
        })
    }

    /// Variables of a process whose steps below a folder are counted, and that dies at one of them, or at none for 0.
    #[must_use]
    pub fn variables(&self, folder: &Path, at: usize) -> Vec<(&'static str, PathBuf)> {
        // What an earlier process has told; there may be none.
        let _ = fs::remove_file(&self.told);
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("STEPS_IN", folder.to_owned()),
            ("STEPS_TOLD", self.told.clone()),
            ("STEPS_AT", at.to_string().into()),
        ]
    }

    /// The steps of the last process, in order.
    #[must_use]
    pub fn told(&self) -> Vec<Step> {
        let text = fs::read_to_string(&self.told).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            Some(Step {
                number: words.next()?.parse().ok()?,
                call: words.next()?.into(),
                file: words.next()?.into(),
            })
        });
        lines.collect()
    }
}

/// Some of many steps: up to `most` of each call to each kind of file, as `kind` names it, chosen by a seed.
#[must_use]
pub fn some_of_each(
    steps: &[Step],
    most: usize,
    seed: u64,
    kind: impl Fn(&str) -> String,
) -> Vec<Step> {
    let mut kinds: BTreeMap<(&str, String), Vec<&Step>> = BTreeMap::new();
    for step in steps {
        let of = (step.call.as_str(), kind(&step.file));
        kinds.entry(of).or_default().push(step);
    }
    let mut rng = Rng::new(seed);
    let mut chosen = Vec::new();
    for mut of_a_kind in kinds.into_values() {
        rng.shuffle(&mut of_a_kind);
        chosen.extend(of_a_kind.into_iter().take(most).cloned());
    }
    chosen.sort_by_key(|step| step.number);
    chosen
}
