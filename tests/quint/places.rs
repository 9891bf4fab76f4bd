//! Places that the specification names: where a rule is in the code, and where it is said in words.

use std::fs;

use crate::program::specification;

/// Actions that stand for no rule: what others share, and what chooses among them.
const OTHERS: [&str; 8] = [
    "stays",
    "quiet",
    "sends",
    "carries",
    "bothJoined",
    "step",
    "watches",
    "say",
];

fn modules() -> Vec<(String, String)> {
    let files = fs::read_dir(specification()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let modules = files.filter(|path| path.extension().is_some_and(|kind| kind == "qnt"));
    let modules: Vec<_> = modules
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(modules.len(), 4);
    modules
}

fn read(path: &str) -> String {
    let path = specification().join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The comment above each definition, without its slashes, and the definition's first line.
fn definitions(text: &str) -> Vec<(String, &str)> {
    let mut comment = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            comment += words;
        } else {
            if !comment.is_empty() || line.starts_with("action ") {
                found.push((comment.clone(), line));
            }
            comment.clear();
        }
    }
    found
}

/// Places behind a word: pairs of a file and what is in it.
fn places<'a>(comment: &'a str, word: &str) -> Vec<(&'a str, &'a str)> {
    let Some((_, behind)) = comment.split_once(word) else {
        return Vec::new();
    };
    let behind = behind.split(" Text: ").next().unwrap_or_default();
    let places = behind.trim().trim_end_matches('.').split(';');
    let places = places.map(|place| {
        let pair = place.split_once(',');
        let (file, what) = pair.unwrap_or_else(|| panic!("{place} names no file and place"));
        (file.trim(), what.trim())
    });
    places.collect()
}

#[test]
fn every_action_names_its_places_and_they_are_there() {
    let (mut rules, mut actions) = (0, 0);
    for (name, text) in modules() {
        for (comment, line) in definitions(&text) {
            let code = places(&comment, "Code: ");
            let said = places(&comment, "Text: ");
            let action = line.strip_prefix("action ");
            let action = action.map(|rest| rest.split(['(', ':', ' ']).next().unwrap_or_default());
            let needs = action.is_some_and(|action| !OTHERS.contains(&action));
            assert!(
                !needs || (!code.is_empty() && !said.is_empty()),
                "{name}: {line} names no place"
            );
            assert_eq!(code.is_empty(), said.is_empty(), "{name}: {line}");
            for (file, function) in &code {
                let there = [format!("fn {function}("), format!("fn {function}<")];
                let content = read(file);
                let is_there = there.iter().any(|there| content.contains(there));
                assert!(is_there, "{name}: {file} has no {function}");
            }
            for (file, heading) in &said {
                let content = read(file);
                let mut headings = content.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| line.contains(heading));
                assert!(is_there, "{name}: {file} has no heading {heading}");
            }
            rules += usize::from(!code.is_empty());
            actions += usize::from(needs);
        }
    }
    assert!(
        rules > 45 && actions > 20,
        "{rules} rules, {actions} actions"
    );
}

#[test]
fn every_refusal_that_the_specification_gives_is_one_of_the_code() {
    let refusals = read("abci-app/wire/src/refusal.rs");
    let text = read("docs/spec/session.qnt") + &read("docs/spec/charter.qnt");
    let code = text.lines().filter(|line| !line.contains("//"));
    let code: String = code.collect();
    let named: Vec<&str> = code
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect();
    assert!(named.len() > 40, "only {}", named.len());
    for name in named {
        assert!(refusals.contains(&format!("Self::{name}")), "{name}");
    }
}
