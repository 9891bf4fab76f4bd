//! The model as a program: built once, asked line by line, its hashes paired with the real ones.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use white_city_wire::Hash;

use crate::planted::Planted;

/// Answers of the model about its state: names and values.
pub type Said = BTreeMap<String, String>;

/// One of the models: of a session, of the charters, or of a client that walks links.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    Session,
    Charters,
    Links,
}

impl Of {
    /// Name of the program.
    const fn program(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Charters => "charters",
            Self::Links => "links",
        }
    }

    /// What the model says.
    fn source(self) -> String {
        let file = match self {
            Self::Session => "Model.v",
            Self::Charters => "Charters.v",
            Self::Links => "Links.v",
        };
        fs::read_to_string(proof().join(file)).unwrap()
    }
}

/// The program, and which of its hashes is which real one.
pub struct Model {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    numbers: BTreeMap<Hash, u64>,
    hashes: BTreeMap<u64, Hash>,
}

impl Model {
    /// Builds the program and starts it. `None` where there is no Coq or OCaml: that is said.
    pub fn start(of: Of, name: &str) -> Option<Self> {
        is_possible().then(|| Self::build(of, name, &of.source()))
    }

    /// The same of a model with a difference, which replaces something that is there once.
    pub fn start_planted(of: Of, (name, from, to): Planted) -> Option<Self> {
        let source = of.source();
        assert_eq!(source.matches(from).count(), 1, "{name}");
        is_possible().then(|| Self::build(of, "planted", &source.replace(from, to)))
    }

    fn build(of: Of, name: &str, source: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("proof")
            .join(format!("{}-{name}", of.program()));
        fs::create_dir_all(&folder).unwrap();
        let model = folder.join("model.txt");
        fs::write(&model, source).unwrap();
        let mut script = Command::new(proof().join("program"));
        let script = script.arg(&folder).arg(of.program()).arg(&model);
        let built = script.status();
        assert!(built.unwrap().success(), "docs/proof/program failed");
        let mut child = Command::new(folder.join(of.program()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            to: child.stdin.take().unwrap(),
            from: BufReader::new(child.stdout.take().unwrap()),
            child,
            numbers: BTreeMap::from([(Hash::ZERO, 0)]),
            hashes: BTreeMap::from([(0, Hash::ZERO)]),
        }
    }

    /// Gives it lines, and takes the one that it answers.
    pub fn ask(&mut self, lines: &[String]) -> Said {
        let text = lines.join("\n") + "\n";
        self.to.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        assert!(answer.ends_with('\n'), "no answer to {lines:?}: {answer:?}");
        let words = answer.split_whitespace();
        words
            .map(|word| {
                let (name, value) = word.split_once('=').unwrap();
                (name.to_owned(), value.to_owned())
            })
            .collect()
    }

    /// Says that the model's hash is this real one. What were the same before are the same now, and what were different are
    /// different.
    pub fn pair(&mut self, what: &str, number: &str, hash: Hash) -> Result<(), String> {
        let parsed = number.parse();
        let number: u64 = parsed.map_err(|_| format!("{what}: {number:?} is no number"))?;
        let known = *self.numbers.entry(hash).or_insert(number);
        if known != number {
            return Err(format!("{what}: {hash} was {known} and is {number}"));
        }
        let other = *self.hashes.entry(number).or_insert(hash);
        if other != hash {
            return Err(format!("{what}: {number} was {other} and is {hash}"));
        }
        Ok(())
    }

    /// The model's number for a hash that has been paired.
    pub fn number(&self, hash: &Hash) -> u64 {
        self.numbers[hash]
    }

    /// Number of hashes that have been paired.
    pub fn hashes(&self) -> usize {
        self.hashes.len()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn proof() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/proof")
}

/// Whether this machine has what it takes; if it hasn't, that is said.
fn is_possible() -> bool {
    let runs = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.is_ok_and(|output| output.status.success())
    };
    if runs("coqc", "--version") && runs("ocamlfind", "ocamlopt") {
        return true;
    }
    let missing = "Coq and OCaml: apt-get install coq";
    assert!(
        env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
        "required here: {missing}"
    );
    eprintln!("NOT RUN: this test needs {missing}");
    false
}
