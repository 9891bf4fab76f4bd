//! `docs/promises.md`: each promise has its evidence, and all of that is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{files, read, root, specification::PROMISES};

/// Promises that are about one board, for which rules are enough to be broken.
const OF_RULES: std::ops::RangeInclusive<u32> = 1..=7;
/// Kinds of evidence.
const KINDS: [&str; 8] = [
    "rules",
    "exploration",
    "specification",
    "theorem",
    "adversary",
    "bytes",
    "checks",
    "fuzzing",
];

/// Rows of the tables: the promise, its kind of evidence, and what is named in it.
fn rows(text: &str) -> Vec<(u32, String, Vec<String>)> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let promise = cells.next()?.trim().parse().ok()?;
        let (kind, evidence) = (cells.next()?, cells.next()?);
        let named = evidence.split('`').skip(1).step_by(2).map(str::to_owned);
        Some((promise, kind.trim().to_owned(), named.collect()))
    });
    rows.collect()
}

#[test]
fn every_promise_has_evidence_and_an_adversary() {
    let mut kinds: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for (promise, kind, named) in rows(&read("docs/promises.md")) {
        assert!((1..=PROMISES).contains(&promise), "promise {promise}");
        assert!(KINDS.contains(&kind.as_str()), "{kind}");
        let needs_names = !["bytes", "checks"].contains(&kind.as_str());
        assert!(!needs_names || !named.is_empty(), "{promise}, {kind}");
        kinds.entry(promise).or_default().insert(kind);
    }
    for promise in 1..=PROMISES {
        let kinds = kinds.get(&promise).cloned().unwrap_or_default();
        assert!(kinds.contains("adversary"), "promise {promise} has none");
        let has_rules = ["rules", "exploration", "theorem"].map(|kind| kinds.contains(kind));
        let needs_rules = OF_RULES.contains(&promise);
        assert!(
            !needs_rules || has_rules.contains(&true),
            "promise {promise}"
        );
    }
}

#[test]
fn all_evidence_that_is_named_is_there() {
    let files = files();
    let all = |ending: &str| {
        let texts = files.iter().filter(|(path, _)| path.ends_with(ending));
        texts.map(|(_, text)| text.as_str()).collect::<String>()
    };
    let (code, proofs, specification) = (all(".rs"), all(".v"), all(".qnt"));
    let mut count = 0;
    for (promise, kind, named) in rows(&read("docs/promises.md")) {
        for name in named {
            count += 1;
            let is_there = match kind.as_str() {
                "rules" => root()
                    .join(format!("tests/src/invariants/{name}.rs"))
                    .exists(),
                "theorem" => ["Theorem", "Lemma", "Corollary", "Example"]
                    .iter()
                    .any(|word| proofs.contains(&format!("{word} {name}"))),
                // An invariant, or a trace by name.
                "specification" => ["val", "run"]
                    .iter()
                    .any(|word| specification.contains(&format!("\n  {word} {name}"))),
                _ => code.contains(&format!("fn {name}(")) || code.contains(&format!("\"{name}\"")),
            };
            assert!(is_there, "promise {promise}: {kind} {name}");
        }
    }
    assert!(count > 40, "only {count}");
}
