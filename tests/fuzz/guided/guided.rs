//! One target, which `WHITE_CITY_TARGET` names, under libFuzzer. It begins with the target's own inputs, which are put into the
//! folder that `WHITE_CITY_SEEDS` names.
#![no_main]

use std::{env, fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use white_city_fuzz::{Target, named};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("WHITE_CITY_TARGET").unwrap_or_default();
    named(&name).unwrap_or_else(|| panic!("WHITE_CITY_TARGET={name}: expected a target"))
});

fn write_seeds() {
    let folder = env::var_os("WHITE_CITY_SEEDS").map(PathBuf::from);
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        return;
    };
    for (number, seed) in (TARGET.seeds)().into_iter().enumerate() {
        let file = folder.join(format!("seed-{number}"));
        fs::write(&file, seed).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

fuzz_target!(
    init: write_seeds(),
    |input| {
        TARGET.take(input);
    }
);
