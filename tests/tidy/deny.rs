//! `deny.toml`: licences, banned crates, versions of one crate, and where all of it comes from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use spdx::{Expression, ParseMode};
use toml::Table;

use crate::{cargo, read};

/// The workspaces; the second one's dependencies can't share a lock file with ours.
const WORKSPACES: [&str; 2] = ["Cargo.toml", "client/protocols/cggmp24/Cargo.toml"];

/// A crate of the tree.
struct Package {
    name: String,
    version: String,
    licence: String,
    /// `None` for our own.
    source: Option<String>,
    needs: Vec<String>,
}

/// All that is built, by cargo's name for it.
fn tree(workspace: &str) -> BTreeMap<String, Package> {
    let metadata = cargo(&[
        "metadata",
        "--format-version=1",
        "--locked",
        "--all-features",
        "--filter-platform=x86_64-unknown-linux-gnu",
        "--manifest-path",
        workspace,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().unwrap().clone();
    let nodes = list(&metadata["resolve"]["nodes"]);
    let needs: BTreeMap<_, _> = nodes
        .iter()
        .map(|node| {
            let needs = list(&node["deps"]);
            let needs: Vec<_> = needs.iter().filter_map(|need| text(&need["pkg"])).collect();
            (text(&node["id"]).unwrap(), needs)
        })
        .collect();
    let packages = list(&metadata["packages"]).into_iter();
    let packages = packages.filter_map(|package| {
        let id = text(&package["id"])?;
        let needs = needs.get(&id)?.clone();
        let package = Package {
            name: text(&package["name"])?,
            version: text(&package["version"])?,
            licence: text(&package["license"]).unwrap_or_default(),
            source: text(&package["source"]),
            needs,
        };
        Some((id, package))
    });
    let tree: BTreeMap<_, _> = packages.collect();
    assert!(tree.len() > 100, "only {} crates", tree.len());
    tree
}

fn rules() -> Table {
    read("deny.toml").parse().unwrap()
}

/// Entries of a list of `deny.toml`, as crate and version, which may be a part of it or nothing.
fn named(list: &str) -> Vec<(String, String)> {
    let bans = rules()["bans"].clone();
    let list = bans[list].as_array().unwrap();
    let named = list.iter().map(|entry| {
        let reason = entry["reason"].as_str().unwrap();
        assert!(!reason.is_empty());
        let spec = entry["crate"].as_str().unwrap();
        let (name, version) = spec.split_once('@').unwrap_or((spec, ""));
        (name.to_owned(), version.to_owned())
    });
    named.collect()
}

fn is_it(package: &Package, (name, version): &(String, String)) -> bool {
    let rest = package.version.strip_prefix(version.as_str());
    let is_version = rest.is_some_and(|rest| version.is_empty() || rest.starts_with('.'));
    package.name == *name && is_version
}

/// The crates with more than one version, apart from what is passed over.
fn doubled(
    tree: &BTreeMap<String, Package>,
    skipped: &[(String, String)],
) -> BTreeMap<String, BTreeSet<String>> {
    let mut passed_over = BTreeSet::new();
    let is_named = |package: &Package| skipped.iter().any(|one| is_it(package, one));
    let roots = tree.iter().filter(|(_, package)| is_named(package));
    let mut ahead: Vec<_> = roots.map(|(id, _)| id).collect();
    while let Some(id) = ahead.pop() {
        if passed_over.insert(id) {
            ahead.extend(&tree[id].needs);
        }
    }
    let mut versions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (id, package) in tree {
        if !passed_over.contains(id) {
            let of_it = versions.entry(package.name.clone()).or_default();
            of_it.insert(package.version.clone());
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions
}

#[test]
fn every_licence_is_one_that_is_allowed() {
    let rules = rules();
    let allowed = rules["licenses"]["allow"].as_array().unwrap();
    let allowed: BTreeSet<_> = allowed.iter().map(|one| one.as_str().unwrap()).collect();
    for workspace in WORKSPACES {
        for package in tree(workspace).values() {
            let Package { name, licence, .. } = package;
            let parsed = Expression::parse_mode(licence, ParseMode::LAX);
            let parsed = parsed.unwrap_or_else(|error| panic!("{name}: {error}"));
            let is_allowed = parsed.evaluate(|asked| {
                let licence = asked.license.to_string();
                asked.addition.is_none() && allowed.contains(licence.as_str())
            });
            assert!(is_allowed, "{name} is licensed as {licence}");
        }
    }
}

#[test]
fn nothing_that_is_banned_is_there_and_all_comes_from_the_registry() {
    let banned = named("deny");
    assert!(!banned.is_empty());
    for workspace in WORKSPACES {
        for package in tree(workspace).values() {
            let is_banned = banned.iter().any(|one| is_it(package, one));
            assert!(!is_banned, "{} is banned", package.name);
            let source = package.source.as_deref();
            let is_known = source.is_none_or(|source| source.starts_with("registry+"));
            assert!(is_known, "{} comes from {source:?}", package.name);
        }
    }
}

#[test]
fn no_crate_is_there_in_two_versions_but_those_that_are_named() {
    let tree = tree(WORKSPACES[0]);
    let skipped = named("skip-tree");
    let doubled_now = doubled(&tree, &skipped);
    assert!(
        doubled_now.is_empty(),
        "in several versions: {doubled_now:?}"
    );
    for at in 0..skipped.len() {
        let mut fewer = skipped.clone();
        let one = fewer.remove(at);
        let is_needed = !doubled(&tree, &fewer).is_empty();
        assert!(is_needed, "{one:?} needs no exception");
    }
}
