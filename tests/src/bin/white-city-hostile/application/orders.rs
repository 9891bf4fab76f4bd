//! Orders to this replica: the lie that it tells at the moment.

use std::{
    fs,
    path::{Path, PathBuf},
};

use white_city_tests::adversary::Lie;

/// The file, and what holds where there is none.
pub struct Orders {
    file: PathBuf,
    otherwise: Option<Lie>,
}

impl Orders {
    /// Those of a home.
    pub fn new(home: &Path) -> Self {
        let variable = std::env::var("WHITE_CITY_HOSTILE").unwrap_or_default();
        Self {
            file: home.join("hostile"),
            otherwise: parse(&variable),
        }
    }

    /// The lie of this moment; none: honest.
    pub fn now(&self) -> Option<Lie> {
        match fs::read_to_string(&self.file) {
            Ok(text) => parse(&text),
            Err(_) => self.otherwise,
        }
    }
}

fn parse(text: &str) -> Option<Lie> {
    let name = text.trim();
    let lie = Lie::named(name);
    if lie.is_none() && !name.is_empty() {
        tracing::error!(name, "no such lie: this replica is honest");
    }
    lie
}
