//! Three parties, each on a host of its own, who know the genesis and the addresses of the companies

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use white_city_testnet::binaries::Binaries;

use crate::{
    COMPANIES, PARTIES,
    net::{Net, address, said},
};

/// The parties.
pub struct Parties<'n> {
    net: &'n Net,
    first_host: usize,
    dir: PathBuf,
    program: PathBuf,
    genesis: PathBuf,
    urls: Vec<String>,
    certificate: Option<PathBuf>,
    keys: Vec<String>,
}

impl<'n> Parties<'n> {
    /// Parties with new identities.
    pub fn new(
        net: &'n Net,
        first_host: usize,
        dir: &Path,
        programs: &Binaries,
        genesis: &Path,
    ) -> Self {
        let mut parties = Self {
            net,
            first_host,
            dir: dir.to_owned(),
            program: programs.cli().unwrap(),
            genesis: genesis.to_owned(),
            urls: (0..COMPANIES)
                .map(|company| format!("http://{}:26657", address(company)))
                .collect(),
            certificate: None,
            keys: Vec::new(),
        };
        for party in 0..PARTIES {
            parties.run(
                party,
                &["eddsa", "key-file", "--out", &parties.file(party, "key32")],
            );
            let identity = parties.file(party, "identity");
            let made = parties.run(
                party,
                &[
                    "identity",
                    "new",
                    "--out",
                    &identity,
                    "--key-file",
                    &parties.file(party, "key32"),
                ],
            );
            let key = made["public_key"].as_str().or(made["identity"].as_str());
            parties
                .keys
                .push(key.unwrap_or_else(|| panic!("{made}")).to_owned());
        }
        parties
    }

    fn file(&self, party: usize, name: &str) -> String {
        let path = self.dir.join(format!("party{party}.{name}"));
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, party: usize, arguments: &[&str]) -> Command {
        let mut command = self.net.on(self.first_host + party, &self.program);
        command.arg("--json").arg("--trust").arg(&self.genesis);
        for url in &self.urls {
            command.args(["--replica", url]);
        }
        if let Some(certificate) = &self.certificate {
            command
                .env("SSL_CERT_FILE", certificate)
                .env_remove("SSL_CERT_DIR");
        }
        command.args(arguments);
        command
    }

    fn run(&self, party: usize, arguments: &[&str]) -> Value {
        let output = self.command(party, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        last_line(&output.stdout)
    }

    /// All parties at once.
    fn all(&self, arguments: impl Fn(usize) -> Vec<String>) -> Vec<Value> {
        let started: Vec<_> = (0..PARTIES)
            .map(|party| {
                let arguments = arguments(party);
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let mut command = self.command(party, &arguments);
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        let ended = started.into_iter().map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
            last_line(&output.stdout)
        });
        ended.collect()
    }

    /// What a party sees of the board.
    pub fn board(&self) -> Value {
        self.run(1, &["board", "status"])
    }

    /// The same parties, who know one address alone, behind a certificate.
    pub fn through(&self, url: &str, certificate: &Path) -> Self {
        Self {
            urls: vec![url.to_owned()],
            certificate: Some(certificate.to_owned()),
            dir: self.dir.clone(),
            program: self.program.clone(),
            genesis: self.genesis.clone(),
            keys: self.keys.clone(),
            ..*self
        }
    }

    /// A key of all, and a signature under it.
    pub fn make_a_key_and_sign(&self, name: &str) {
        let share = |party: usize| self.file(party, &format!("{name}.share"));
        let session = self.opened(&["--preset", "eddsa-keygen", "--threshold", "2"]);
        let made = self.all(|party| {
            let mut arguments = self.as_party("keygen", party, &session);
            arguments.extend(["--out", &share(party), "--threshold", "2"].map(str::to_owned));
            for key in &self.keys {
                arguments.extend(["--party".to_owned(), key.clone()]);
            }
            arguments
        });
        let public = same(&made, "public_key");
        let signs = ["--preset", "eddsa-sign", "--public-key", &public];
        let session = self.opened(&[&signs[..], &["--message", name]].concat());
        let signed = self.all(|party| {
            let mut arguments = self.as_party("sign", party, &session);
            arguments.extend(["--share", &share(party), "--message", name].map(str::to_owned));
            arguments
        });
        same(&signed, "signature");
    }

    /// A session that the first party has opened for all.
    fn opened(&self, more: &[&str]) -> String {
        let (identity, key) = (self.file(0, "identity"), self.file(0, "key32"));
        let mut arguments = vec!["session", "open", "--identity", &identity];
        arguments.extend(["--key-file", &key]);
        arguments.extend(more);
        for key in &self.keys {
            arguments.extend(["--party", key]);
        }
        same(&[self.run(0, &arguments)], "session")
    }

    /// The beginning of a party's command in a session.
    fn as_party(&self, command: &str, party: usize, session: &str) -> Vec<String> {
        let (identity, key) = (self.file(party, "identity"), self.file(party, "key32"));
        let arguments = [
            "eddsa",
            command,
            "--identity",
            &identity,
            "--key-file",
            &key,
        ];
        let arguments = arguments.into_iter().chain(["--session", session]);
        arguments.map(str::to_owned).collect()
    }
}

/// What all have under a name.
fn same(all: &[Value], name: &str) -> String {
    let first = all[0][name].as_str().unwrap_or_else(|| panic!("{all:?}"));
    assert!(all.iter().all(|one| one[name] == first), "{all:?}");
    first.to_owned()
}

fn last_line(stdout: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}"))
}
