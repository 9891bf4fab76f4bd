//! Keys that get other holders, by parties that are killed and started again.

use white_city_client::SessionId;

use crate::{
    gate::{Gate, When},
    world::{PATIENCE, World, assert_signs, result, run, spawn, world},
};

/// Transactions of a party: its join, its two posts, its finish.
const TRANSACTIONS: usize = 4;

/// A key of two of the three parties, which one of them leaves and the third one joins.
struct Change {
    key: String,
    /// The session that made the shares.
    made: SessionId,
    stays: usize,
    leaves: usize,
    joins: usize,
    /// Number of changes before this one, which the files are named after.
    number: usize,
}

impl Change {
    async fn open(&self, world: &World) -> SessionId {
        let (leaves, joins) = (world.identity(self.leaves), world.identity(self.joins));
        let (leaves, joins) = (leaves.to_string(), joins.to_string());
        let made = self.made.to_string();
        let what = [
            "--preset",
            "eddsa-reshare",
            "--public-key",
            &self.key,
            "--threshold",
            "2",
        ];
        let who = ["--leaves", &leaves, "--joins", &joins, "--previous", &made];
        world.open(&[0, 1, 2], &[what, who].concat()).await
    }

    fn share(&self, party: usize, number: usize) -> String {
        format!("party{party}.share{number}")
    }

    /// The arguments of a party.
    fn args(&self, world: &World, party: usize, id: SessionId) -> Vec<String> {
        let file = |what: &str| format!("party{party}.{what}");
        let mut args: Vec<String> = ["eddsa", "reshare", "--threshold", "2"]
            .map(str::to_owned)
            .into();
        let mut more = |flag: &str, value: String| args.extend([flag.to_owned(), value]);
        more("--session", id.to_string());
        more("--identity", file("key"));
        more("--key-file", file("key32"));
        for holder in [self.stays, self.joins] {
            more("--party", world.identity(holder).to_string());
        }
        match party == self.joins {
            true => more("--public-key", self.key.clone()),
            false => more("--share", self.share(party, self.number)),
        }
        if party != self.leaves {
            more("--out", self.share(party, self.number + 1));
        }
        args
    }

    fn command(
        &self,
        world: &World,
        url: &str,
        party: usize,
        id: SessionId,
    ) -> tokio::process::Command {
        let args = self.args(world, party, id);
        world.command(url, &args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs all of them, of whom one is killed at this transaction.
    async fn run(&self, world: &World, killed: usize, at: usize, when: When) -> SessionId {
        let id = self.open(world).await;
        let url = world.url();
        let others = (0..3).filter(|party| *party != killed);
        let others = others.map(|party| run(self.command(world, &url, party, id)));
        let others = futures::future::join_all(others.collect::<Vec<_>>());
        let one = async {
            let gate = Gate::start(&url, at, when).await;
            let mut child = spawn(self.command(world, &gate.url(), killed, id));
            tokio::time::timeout(PATIENCE, gate.caught()).await.unwrap();
            child.kill().await.unwrap();
            run(self.command(world, &url, killed, id)).await
        };
        let (one, mut others) = tokio::join!(one, others);
        others.push(one);
        for done in &others {
            let done = result(done);
            assert_eq!(done["public_key"].as_str(), Some(&*self.key), "{done}");
        }
        world.assert_nobody_is_blamed(id).await;
        id
    }

    /// The next one: who stayed leaves, who left comes back.
    fn next(self, made: SessionId) -> Self {
        Self {
            made,
            stays: self.joins,
            leaves: self.stays,
            joins: self.leaves,
            number: self.number + 1,
            key: self.key,
        }
    }
}

/// A key of the first two parties.
async fn made(world: &World) -> Change {
    let preset = ["--preset", "eddsa-keygen", "--threshold", "2"];
    let id = world.open(&[0, 1], &preset).await;
    let text = id.to_string();
    let parties = (0..2).map(|party| {
        let file = |what: &str| format!("party{party}.{what}");
        let (key, key32, share) = (file("key"), file("key32"), file("share0"));
        let identities = [0, 1].map(|party| world.identity(party).to_string());
        run(world.command(
            &world.url(),
            &[
                "eddsa",
                "keygen",
                "--session",
                &text,
                "--identity",
                &key,
                "--key-file",
                &key32,
                "--out",
                &share,
                "--threshold",
                "2",
                "--party",
                &identities[0],
                "--party",
                &identities[1],
            ],
        ))
    });
    let all = futures::future::join_all(parties.collect::<Vec<_>>()).await;
    Change {
        key: result(&all[0])["public_key"].as_str().unwrap().to_owned(),
        made: id,
        stays: 0,
        leaves: 1,
        joins: 2,
        number: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_from_hand_to_hand_and_parties_are_killed_at_every_transaction() {
    let world = world().await;
    let mut change = made(&world).await;
    for at in 0..TRANSACTIONS {
        for role in 0..3 {
            let killed = [change.stays, change.leaves, change.joins][role];
            let when = match (at + role) % 2 {
                0 => When::BeforeSending,
                _ => When::AfterSending,
            };
            let id = change.run(&world, killed, at, when).await;
            change = change.next(id);
        }
    }
    // Those who hold it in the end sign; nobody who left does.
    let holders = [change.stays, change.leaves];
    let shares = holders.map(|party| (party, change.share(party, change.number)));
    let shares = shares.each_ref().map(|(party, share)| (*party, &**share));
    for signed in world
        .sign_with(&shares, &change.key, "m", change.made)
        .await
    {
        assert_signs(&result(&signed), &change.key, b"m");
    }
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resharing_that_isnt_the_expected_one_is_refused_before_anything_is_signed() {
    let world = world().await;
    let change = made(&world).await;
    let id = change.open(&world).await;
    let with = |party: usize, change_args: &dyn Fn(&mut Vec<String>)| {
        let mut args = change.args(&world, party, id);
        change_args(&mut args);
        args
    };
    let set = |flag: &'static str, value: String| {
        move |args: &mut Vec<String>| {
            let at = args.iter().position(|arg| arg == flag).unwrap();
            args[at + 1].clone_from(&value);
        }
    };
    let drop_flag = |flag: &'static str| {
        move |args: &mut Vec<String>| {
            let at = args.iter().position(|arg| arg == flag).unwrap();
            args.drain(at..at + 2);
        }
    };
    let other = world.identity(change.leaves).to_string();
    let refused = [
        (with(0, &set("--threshold", "3".into())), "expected 3"),
        (
            with(0, &set("--party", other)),
            "others than the given parties",
        ),
        (with(0, &drop_flag("--threshold")), "nobody has said yes"),
        (with(0, &drop_flag("--share")), "--share: expected"),
        (with(0, &drop_flag("--out")), "--out: expected"),
        (with(2, &drop_flag("--out")), "--out: expected"),
        (with(2, &drop_flag("--public-key")), "nobody has said yes"),
        (
            with(2, &set("--public-key", "00".repeat(32))),
            "is about the key",
        ),
        (
            with(2, &|args| {
                args.extend(["--share".into(), "party0.share0".into()])
            }),
            "--share: not expected",
        ),
        (
            with(1, &|args| {
                args.extend(["--out".into(), "party1.new".into()])
            }),
            "--out: not expected",
        ),
        (
            with(0, &|args| {
                args.extend(["--receipt".into(), "party0.key".into()]);
            }),
            "something else is there",
        ),
        (
            with(0, &set("--share", "party1.share0".into())),
            "party1.share0",
        ),
    ];
    for (args, why) in refused {
        assert_refused(&world, id, &args, why).await;
    }
    world.net.stop().await.unwrap();
}

/// Checks that a party is refused with exit code 2, for this reason, and has no journal.
async fn assert_refused(world: &World, id: SessionId, args: &[String], why: &str) {
    let identity = args.iter().position(|arg| arg == "--identity").unwrap();
    let party: usize = args[identity + 1][5..6].parse().unwrap();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = run(world.command(&world.url(), &args)).await;
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
    assert!(said.contains(why), "{why}: {said}");
    assert!(!world.journal(party, id).exists(), "{why}");
}
