//! Rules on comments.

use std::collections::BTreeMap;

use crate::files;

/// Words of a question: a comment that begins with one asks, where it should name.
const QUESTIONS: [&str; 7] = ["What", "How", "Who", "Whom", "Whose", "Which", "Where"];
/// Most doc comments that may begin so, in percent of a folder's.
const QUESTIONS_MAX: usize = 3;
/// Folders at the top with sources of this project.
const FOLDERS: [&str; 4] = ["abci-app", "client", "testnet", "tests"];

/// First lines of a file's doc comments, with their numbers.
fn doc_comments(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut last = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim_start)) {
        let kind = ["///", "//!"].into_iter().find(|kind| {
            line.strip_prefix(kind)
                .is_some_and(|rest| !rest.starts_with('/'))
        });
        if let Some(kind) = kind.filter(|_| kind != last) {
            found.push((number, line[kind.len()..].trim_start()));
        }
        last = kind;
    }
    found
}

fn is_question(first: &str) -> bool {
    let word = first.split(|c: char| !c.is_ascii_alphanumeric()).next();
    word.is_some_and(|word| QUESTIONS.contains(&word))
}

#[test]
fn doc_comments_name_the_thing_instead_of_asking_what_it_is() {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let mut questions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, text) in files() {
        let top = path.split('/').next().unwrap_or_default();
        let Some(folder) = FOLDERS.into_iter().find(|folder| *folder == top) else {
            continue;
        };
        if !path.ends_with(".rs") {
            continue;
        }
        for (number, first) in doc_comments(&text) {
            *count.entry(folder).or_default() += 1;
            if is_question(first) {
                let found = questions.entry(folder).or_default();
                found.push(format!("{path}:{number}: {first}"));
            }
        }
    }
    for folder in FOLDERS {
        let all = count.get(folder).copied().unwrap_or(0);
        assert!(all > 300, "{folder} has only {all} doc comments");
        let found = questions.remove(folder).unwrap_or_default();
        assert!(
            found.len() * 100 <= all * QUESTIONS_MAX,
            "{folder}: {:.1} % of {all} doc comments begin with a question, at most {QUESTIONS_MAX} % may; the first of them: {:#?}",
            found.len() as f64 * 100.0 / all as f64,
            &found[..found.len().min(20)]
        );
    }
}

#[test]
fn a_question_is_told_by_the_first_word_of_a_comment() {
    let text = "//! How A.\n//! What.\n\n/// Whole.\n/// Where.\nfn a() {}\n    /// Who's b.\n    b: u8,\n//// What\n// Which\n";
    let found = doc_comments(text);
    assert_eq!(found, [(1, "How A."), (4, "Whole."), (7, "Who's b.")]);
    let questions: Vec<bool> = found.iter().map(|(_, first)| is_question(first)).collect();
    assert_eq!(questions, [true, false, true]);
}
