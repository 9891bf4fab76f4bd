//! The examples of the clients in other languages, built where they have to be.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::process::Launch;
use crate::module::{missing, output, root};

/// The examples, each as a program and the arguments in front of its own.
pub struct Languages {
    go: PathBuf,
    typescript: PathBuf,
}

/// The compiler of TypeScript.
fn compiler() -> PathBuf {
    root().join("client/typescript/node_modules/typescript/bin/tsc")
}

/// Whether this machine has these programs; if it hasn't, that is said.
pub fn has(programs: &[(&str, &str)]) -> bool {
    let all = programs.iter();
    let mut lacking = all.filter(|(name, arg)| output(Command::new(name).arg(arg)).is_none());
    lacking.next().is_none_or(|(name, _)| missing(name))
}

impl Languages {
    /// Whether this machine has what it takes to build and run them; if it hasn't, that is said.
    pub fn are_possible() -> bool {
        has(&[
            ("go", "version"),
            ("node", "--version"),
            ("python3", "--version"),
        ]) && (compiler().is_file()
            || missing("`npm ci --prefix client/typescript --ignore-scripts`"))
    }

    /// Builds them into a folder.
    pub fn build(dir: &Path) -> Self {
        let (go, typescript) = (dir.join("coin"), dir.join("typescript"));
        let folder = root().join("client/go");
        run(Command::new("go")
            .args(["build", "-o"])
            .arg(&go)
            .arg("./examples/coin")
            .current_dir(folder));
        let folder = root().join("client/typescript");
        run(Command::new("node")
            .arg(compiler())
            .arg("--outDir")
            .arg(&typescript)
            .current_dir(folder));
        // Its modules are ES modules, as package.json says of them.
        std::fs::write(typescript.join("package.json"), r#"{"type":"module"}"#).unwrap();
        Self { go, typescript }
    }

    /// The same protocol in Go, Python and TypeScript.
    pub fn coins(&self) -> [Launch; 3] {
        let python = root().join("client/python");
        let path = format!("PYTHONPATH={}", python.display());
        [
            vec![self.go.clone()],
            vec![
                "env".into(),
                path.into(),
                "python3".into(),
                python.join("examples/coin.py"),
            ],
            vec!["node".into(), self.typescript.join("examples/coin.js")],
        ]
    }
}

/// The output of a program that ends well.
pub fn run(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{command:?}: {out}\n{err}");
    out.into_owned()
}
