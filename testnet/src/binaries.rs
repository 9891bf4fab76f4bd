//! The programs that a network is made of, and the places where they are looked for

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::Mutex;

use crate::Error;
use white_city_node::Error as NodeError;
use white_city_node::files::is_executable;

const SELF: &str = "white-city-testnet";
const REPLICA: &str = "white-city-replica";
const NODE: &str = "white-city-node";
const CLI: &str = "white-city";
/// The packages of the four, always built together: cargo gives what several packages share the features that all of
/// them ask for, so each subset would have most of it compiled again.
const PACKAGES: [&str; 4] = [
    "white-city-testnet",
    "white-city-replica",
    "white-city-node",
    "white-city-cli",
];

/// Finds this project's programs.
///
/// In this order: `WHITE_CITY_BIN_DIR`; the workspace's target folder if this program runs out of
/// it (then they are built first, so that they are as new as the sources); this program's folder.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
    /// The running program, if it is the launcher itself.
    own: Option<PathBuf>,
}

/// Building twice in one process would find nothing to do, slowly.
static BUILT: Mutex<bool> = Mutex::const_new(false);

impl Binaries {
    /// Finds them, and builds them if they can be built. What is missing is told when it is asked for.
    ///
    /// # Errors
    /// [`NodeError::Program`] if building them fails.
    pub async fn find() -> Result<Self, Error> {
        let exe = std::env::current_exe().map_err(Error::io("find", Path::new(SELF)))?;
        let own = Self::running();
        if let Some(dir) = std::env::var_os("WHITE_CITY_BIN_DIR") {
            return Ok(Self {
                dir: dir.into(),
                own,
            });
        }
        let Some(target) = TargetDir::of(&exe) else {
            let dir = exe.parent().unwrap_or(Path::new("/")).to_owned();
            return Ok(Self { dir, own });
        };
        let mut built = BUILT.lock().await;
        if !*built {
            // Somebody who started the launcher sees what takes so long; a test tells it when it fails.
            target.build(own.is_some()).await?;
            *built = true;
        }
        Ok(Self {
            dir: target.output(),
            own,
        })
    }

    /// The launcher, if it is the program that runs.
    #[must_use]
    pub fn running() -> Option<PathBuf> {
        let exe = std::env::current_exe().ok()?;
        exe.file_name()
            .is_some_and(|name| name == SELF)
            .then_some(exe)
    }

    /// This crate's own program, which has the guard in it.
    ///
    /// # Errors
    /// [`NodeError::Program`] if it isn't there.
    pub fn guard(&self) -> Result<PathBuf, Error> {
        self.own.clone().map_or_else(|| self.named(SELF), Ok)
    }

    /// `white-city-replica`.
    ///
    /// # Errors
    /// [`NodeError::Program`] if it isn't there.
    pub fn replica(&self) -> Result<PathBuf, Error> {
        self.named(REPLICA)
    }

    /// `white-city-node`.
    ///
    /// # Errors
    /// [`Error::Node`] if it isn't there.
    pub fn node(&self) -> Result<PathBuf, Error> {
        self.named(NODE)
    }

    /// `white-city`, the command line.
    ///
    /// # Errors
    /// [`NodeError::Program`] if it isn't there.
    pub fn cli(&self) -> Result<PathBuf, Error> {
        self.named(CLI)
    }

    fn named(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.dir.join(name);
        if is_executable(&path) {
            return Ok(path);
        }
        Err(Error::Node(NodeError::Program {
            program: name.into(),
            reason: format!(
                "not found in {} (WHITE_CITY_BIN_DIR names another folder)",
                self.dir.display()
            ),
        }))
    }
}

/// A cargo target folder that this program runs out of.
#[derive(Debug, PartialEq, Eq)]
struct TargetDir {
    root: PathBuf,
    /// `debug`, `release`, or `TRIPLE/debug`
    profile_dir: PathBuf,
}

impl TargetDir {
    /// Found by the tag that cargo leaves in the root of every target folder.
    fn of(exe: &Path) -> Option<Self> {
        let root = exe
            .ancestors()
            .skip(1)
            .find(|dir| dir.join("CACHEDIR.TAG").is_file())?;
        let inside = exe.parent()?.strip_prefix(root).ok()?;
        let profile_dir = if inside.ends_with("deps") || inside.ends_with("examples") {
            inside.parent()?
        } else {
            inside
        };
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("Cargo.toml")
            .is_file();
        let known = workspace && !profile_dir.as_os_str().is_empty();
        known.then(|| Self {
            root: root.to_owned(),
            profile_dir: profile_dir.to_owned(),
        })
    }

    fn output(&self) -> PathBuf {
        self.root.join(&self.profile_dir)
    }

    /// Arguments that make cargo write into the same folder again.
    fn arguments(&self) -> Vec<String> {
        let mut parts: Vec<_> = self
            .profile_dir
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        let folder = parts.pop().unwrap_or_default();
        let profile = if folder == "debug" {
            "dev".to_owned()
        } else {
            folder
        };
        let mut arguments = vec!["--profile".to_owned(), profile];
        if let Some(triple) = parts.pop() {
            arguments.extend(["--target".to_owned(), triple]);
        }
        arguments
    }

    /// Builds the programs; where it is `shown`, cargo says how far it is.
    async fn build(&self, shown: bool) -> Result<(), Error> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--bins"]).args(self.arguments());
        command.arg("--target-dir").arg(&self.root);
        command.arg("--manifest-path");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        for package in PACKAGES {
            command.args(["--package", package]);
        }
        // Under `cargo test` these name the package that is tested. A build script that looks at them would have its
        // crate, and all that is above it, built again each time.
        for (name, _) in std::env::vars_os() {
            let named = name.to_string_lossy();
            if named.starts_with("CARGO_MANIFEST_") || named.starts_with("CARGO_PKG_") {
                command.env_remove(&name);
            }
        }
        let failed = |reason: String| {
            Error::Node(NodeError::Program {
                program: "cargo build".into(),
                reason,
            })
        };
        let stderr = if shown {
            Stdio::inherit()
        } else {
            command.arg("--quiet");
            Stdio::piped()
        };
        let building = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let output = building
            .wait_with_output()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(failed(format!("{}:\n{}", output.status, text.trim_end())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("CACHEDIR.TAG"), "").unwrap();
        dir
    }

    #[test]
    fn programs_and_tests_find_the_profile_that_they_were_built_with() {
        let dir = target();
        for (exe, output, arguments) in [
            ("debug/white-city-testnet", "debug", "--profile dev"),
            ("release/deps/testnet-0123", "release", "--profile release"),
            (
                "x86_64-unknown-linux-gnu/debug/a",
                "x86_64-unknown-linux-gnu/debug",
                "--profile dev --target x86_64-unknown-linux-gnu",
            ),
        ] {
            let found = TargetDir::of(&dir.path().join(exe)).unwrap();
            assert_eq!(found.output(), dir.path().join(output));
            assert_eq!(found.arguments().join(" "), arguments);
        }
    }

    #[test]
    fn a_program_outside_a_target_folder_builds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            TargetDir::of(&dir.path().join("debug/white-city-testnet")),
            None
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let binaries = Binaries {
            dir: dir.path().to_owned(),
            own: None,
        };
        let error = binaries.replica().unwrap_err().to_string();
        assert!(
            error.contains("white-city-replica: not found in"),
            "{error}"
        );
    }
}
