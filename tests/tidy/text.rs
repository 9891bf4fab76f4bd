//! Rules on the text of every file.

use crate::files;

/// Most lines of code in one source file: not comments, not blank lines, not its unit tests.
const CODE_LINES_MAX: usize = 400;

/// Written by a program.
const GENERATED: [&str; 1] = ["abci-app/wire/src/pb.rs"];

/// Larger than they should be; they may shrink but not grow.
const LARGE: [(&str, usize); 0] = [];

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

/// Lines with one of these words, but for the words within longer ones.
fn lines_with(words: &[String], skip: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files() {
        if skip(&path) {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(word) = words.iter().find(|word| has_word(line, word)) {
                found.push(format!("{path}:{number}: {word}"));
            }
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("HA", "CK"),
    ];
    let found = lines_with(&words.map(str::to_owned), |path| {
        path.starts_with("LICENSE")
    });
    assert!(found.is_empty(), "{found:#?}");
    assert!(
        has_word(concat!("// TO", "DO: later"), words[0])
            && !has_word(concat!("TO", "DOS"), words[0])
    );
}

#[test]
fn no_file_names_the_machine_that_it_was_written_on() {
    let paths = ["wo\u{72}k", "ro\u{6f}t", "ho\u{6d}e"].map(|folder| format!("/{folder}"));
    let mut words: Vec<String> = paths
        .iter()
        .flat_map(|path| {
            [
                format!("\"{path}"),
                format!(" {path}/"),
                format!("={path}/"),
            ]
        })
        .collect();
    words.push(concat!("/tmp/", "target").to_owned());
    let mut found = Vec::new();
    for (path, text) in files() {
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                found.push(format!("{path}:{number}: {word}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn crates_come_from_the_public_registry_and_no_file_names_another_host() {
    let hosts = ["index", "static"].map(|name| format!("{name}.crates.io"));
    let mut found = lines_with(&hosts, |_| false);
    let lock = crate::read("Cargo.lock");
    let sources: Vec<&str> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .collect();
    assert!(sources.len() > 50);
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    found.extend(
        sources
            .into_iter()
            .filter(|source| *source != public)
            .map(str::to_owned),
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_test_is_ignored_and_no_lint_is_switched_off_without_a_reason() {
    let words = [
        concat!("#[igno", "re"),
        concat!("#[all", "ow("),
        concat!("#![all", "ow("),
    ];
    let mut found = Vec::new();
    for (path, text) in files()
        .into_iter()
        .filter(|(path, _)| is_rust(path) && !GENERATED.contains(&path.as_str()))
    {
        for (number, line) in (1..).zip(text.lines()) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
        // `expect` carries its reason.
        for (at, _) in text.match_indices(concat!("#[exp", "ect(")) {
            let attribute = text[at..]
                .split_once(")]")
                .map_or("", |(attribute, _)| attribute);
            if !attribute.contains("reason") {
                found.push(format!("{path}: {attribute}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Lines of code, without comments, blank lines and the unit tests at the end.
fn code_lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    code.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[test]
fn source_files_are_small() {
    let mut sources = 0;
    let mut found = Vec::new();
    for (path, text) in files() {
        let tests = path.ends_with("/tests.rs");
        if !is_rust(&path) || !path.contains("src/") || tests || GENERATED.contains(&path.as_str())
        {
            continue;
        }
        sources += 1;
        let lines = code_lines(&text);
        let large = LARGE.iter().find(|(large, _)| *large == path);
        let max = large.map_or(CODE_LINES_MAX, |(_, max)| *max);
        if lines > max {
            found.push(format!("{path}: {lines} lines of code, at most {max}"));
        }
    }
    assert!(sources > 50, "only {sources} source files");
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(
        code_lines("//! A\n\nfn a() {}\n// b\n#[cfg(test)]\nmod tests {\n fn c() {}\n}\n"),
        1
    );
}

#[test]
fn every_source_file_says_what_it_is_for_and_ends_with_a_line_feed() {
    let mut found = Vec::new();
    for (path, text) in files() {
        if !is_rust(&path) || GENERATED.contains(&path.as_str()) {
            continue;
        }
        if !text.starts_with("//! ") && !path.ends_with("/tests.rs") {
            found.push(format!("{path} doesn't begin with what it is for"));
        }
        if !text.ends_with('\n') || text.contains("\r\n") || text.contains('\t') {
            found.push(format!(
                "{path} has tabs, carriage returns or no last line feed"
            ));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
