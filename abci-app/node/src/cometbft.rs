//! The pinned, unmodified CometBFT, built on first use and kept in a cache

use std::fs::File;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::files::is_executable;
use crate::files::{private_dir, tail, write_atomic};
use crate::process::{Exit, Program};
use crate::{Error, Tooling};

/// The version that the Go module pins.
pub const VERSION: &str = "v0.39.4";

const PACKAGE: &str = "github.com/cometbft/cometbft/cmd/cometbft";
const GO_MOD: &str = include_str!("../cometbft/go.mod");
const GO_SUM: &str = include_str!("../cometbft/go.sum");

/// The path of a CometBFT that can be run: `WHITE_CITY_COMETBFT` if set, else the one in the
/// cache, built now if it isn't there yet. `guard` is a `white-city-testnet`.
///
/// Several processes may ask at once: one builds, the others wait for it.
///
/// # Errors
/// [`Error::Tooling`] if there is none and it can't be built here; [`Error::Io`] if the cache
/// can't be written.
pub async fn binary(guard: &Path) -> Result<PathBuf, Error> {
    if let Some(path) = std::env::var_os("WHITE_CITY_COMETBFT") {
        return Ok(overridden(PathBuf::from(path))?);
    }
    let cache = cache_dir(&|name| std::env::var_os(name))?;
    built(&cache, guard, Path::new("go")).await
}

fn overridden(path: PathBuf) -> Result<PathBuf, Tooling> {
    let bad = |reason: String| Tooling::BadOverride {
        path: path.clone(),
        reason,
    };
    let absolute = path
        .canonicalize()
        .map_err(|error| bad(error.to_string()))?;
    if !is_executable(&absolute) {
        return Err(bad("expected an executable file".into()));
    }
    Ok(absolute)
}

/// Directory of the build of exactly this module.
fn cache_dir(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Result<PathBuf, Tooling> {
    let set = |name: &str| {
        env(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("WHITE_CITY_CACHE")
        .or_else(|| set("XDG_CACHE_HOME"))
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .ok_or_else(|| {
            Tooling::Cache("none of WHITE_CITY_CACHE, XDG_CACHE_HOME, HOME is set".into())
        })?;
    let hash = Sha256::new()
        .chain_update(GO_SUM)
        .chain_update(GO_MOD)
        .finalize();
    let short = hex::encode(hash.get(..6).unwrap_or_default());
    Ok(base
        .join("white-city")
        .join(format!("cometbft-{VERSION}-{short}")))
}

async fn built(cache: &Path, guard: &Path, go: &Path) -> Result<PathBuf, Error> {
    let binary = cache.join("cometbft");
    if is_executable(&binary) {
        return Ok(binary);
    }
    private_dir(cache).map_err(|error| Tooling::Cache(error.to_string()))?;
    let _lock = lock(cache.join("lock")).await?;
    // Whoever held the lock before may have built it.
    if !is_executable(&binary) {
        tracing::info!("building CometBFT {VERSION}: once, about a minute");
        build(cache, &binary, guard, go).await?;
    }
    Ok(binary)
}

async fn lock(path: PathBuf) -> Result<File, Error> {
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    });
    locked
        .await
        .unwrap_or_else(|error| Err(Tooling::Cache(error.to_string()).into()))
}

async fn build(cache: &Path, binary: &Path, guard: &Path, go: &Path) -> Result<(), Error> {
    let module = cache.join("module");
    // A build that was killed may have left it; the lock is held, so nobody else uses it.
    crate::files::remove(&module)?;
    private_dir(&module)?;
    let result = build_in(&module, cache, binary, guard, go).await;
    crate::files::remove(&module)?;
    result
}

async fn build_in(
    module: &Path,
    cache: &Path,
    binary: &Path,
    guard: &Path,
    go: &Path,
) -> Result<(), Error> {
    write_atomic(&module.join("go.mod"), GO_MOD.as_bytes())?;
    write_atomic(&module.join("go.sum"), GO_SUM.as_bytes())?;
    let fresh = module.join("cometbft");
    let log = cache.join("build.log");
    crate::files::remove(&log)?;
    let program = Program {
        guard: guard.to_owned(),
        program: go.to_owned(),
        args: [
            "build",
            "-mod=readonly",
            "-trimpath",
            "-ldflags",
            "-s -w",
            "-o",
        ]
        .into_iter()
        .map(Into::into)
        .chain([fresh.clone().into_os_string(), PACKAGE.into()])
        .collect(),
        env: vec![
            ("CGO_ENABLED".into(), "0".into()),
            ("GOFLAGS".into(), String::new()),
        ],
        dir: Some(module.to_owned()),
        stdout: None,
        stderr: log.clone(),
    };
    let mut process = match program.start().await {
        Ok(process) => process,
        Err(Error::Program { reason, .. }) if reason.contains("No such file") => {
            return Err(Tooling::GoMissing {
                version: VERSION,
                required: required(),
            }
            .into());
        }
        Err(other) => return Err(other),
    };
    let exit = process.wait().await;
    if exit != Exit::Code(0) {
        return Err(explain(&log, &exit).into());
    }
    std::fs::rename(&fresh, binary).map_err(Error::io("move the built CometBFT to", binary))
}

/// The oldest Go that the module accepts.
fn required() -> String {
    GO_MOD
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .unwrap_or_default()
        .to_owned()
}

fn explain(log: &Path, exit: &Exit) -> Tooling {
    let tail = tail(log, 15);
    // "go: go.mod requires go >= 1.25.0 (running go 1.24.1; GOTOOLCHAIN=local)"
    let old = tail
        .split_once("(running go ")
        .filter(|_| tail.contains("requires go >="));
    if let Some((_, rest)) = old {
        let found = rest.split([';', ')']).next().unwrap_or_default().to_owned();
        return Tooling::GoTooOld {
            found,
            required: required(),
        };
    }
    Tooling::BuildFailed {
        status: exit.to_string(),
        log: log.to_owned(),
        tail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_pins_the_version_that_the_cache_is_named_after() {
        assert!(GO_MOD.contains(&format!("github.com/cometbft/cometbft {VERSION} ")));
        assert!(GO_MOD.contains(&format!("tool {PACKAGE}")));
        assert!(GO_SUM.contains(&format!("github.com/cometbft/cometbft {VERSION} h1:")));
        assert_eq!(required(), "1.25.0");
    }

    #[test]
    fn the_cache_follows_the_first_variable_that_is_set() {
        let with = |set: &'static [&'static str]| {
            cache_dir(&|name| set.contains(&name).then(|| format!("/{name}").into()))
        };
        let all = with(&["HOME", "XDG_CACHE_HOME", "WHITE_CITY_CACHE"]).unwrap();
        assert!(all.starts_with("/WHITE_CITY_CACHE/white-city"));
        assert!(
            with(&["HOME", "XDG_CACHE_HOME"])
                .unwrap()
                .starts_with("/XDG_CACHE_HOME/white-city")
        );
        assert!(
            with(&["HOME"])
                .unwrap()
                .starts_with("/HOME/.cache/white-city")
        );
        assert!(matches!(with(&[]), Err(Tooling::Cache(_))));
    }

    #[test]
    fn an_old_go_is_told_from_a_failed_build() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::write(
            &log,
            "go: go.mod requires go >= 1.25.0 (running go 1.24.1; GOTOOLCHAIN=local)\n",
        )
        .unwrap();
        let old = explain(&log, &Exit::Code(1));
        assert_eq!(
            old,
            Tooling::GoTooOld {
                found: "1.24.1".into(),
                required: "1.25.0".into()
            }
        );
        std::fs::write(&log, "x.go:1: no space left on device\n").unwrap();
        match explain(&log, &Exit::Code(1)) {
            Tooling::BuildFailed { tail, .. } => assert!(tail.contains("no space left")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_override_must_be_executable() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cometbft");
        assert!(matches!(
            overridden(file.clone()),
            Err(Tooling::BadOverride { .. })
        ));
        std::fs::write(&file, "").unwrap();
        assert!(matches!(overridden(file), Err(Tooling::BadOverride { .. })));
        assert!(overridden("/bin/sh".into()).is_ok());
    }
}
