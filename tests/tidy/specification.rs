//! `docs/spec` and the code name the same things.

use std::{collections::BTreeSet, path::Path};

use crate::{files, root};

/// Folders of the texts that may be cited by name alone.
const FOLDERS: [&str; 4] = ["", "docs", "docs/spec", "client/protocols"];
/// Number of promises.
pub const PROMISES: u32 = 10;
/// Beginning of tags, in the code and in the text.
const TAG: &str = "white-city/";

/// Characters of a tag behind its beginning.
fn is_of_tag(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || ['/', '-'].contains(&c)
}

/// The tags in a text: names that end with a version. `X` stands for each of the protocols that deal.
fn tags(text: &str) -> BTreeSet<String> {
    let text = ["keygen", "refresh", "reshare", "sign"]
        .map(|protocol| text.replace("/X/", &format!("/{protocol}/")));
    let text = text.concat();
    let tags = text.match_indices(TAG).filter_map(|(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c| !is_of_tag(c)).unwrap_or(rest.len());
        let (tag, (_, version)) = (&rest[..end], rest[..end].rsplit_once('/')?);
        let is_version = !version.is_empty() && version.chars().all(|c| c.is_ascii_digit());
        is_version.then(|| tag.to_owned())
    });
    tags.collect()
}

/// Code of the product: no tests.
fn is_code(path: &str) -> bool {
    let in_product = ["abci-app/", "client/"]
        .iter()
        .any(|top| path.starts_with(top));
    let is_tests = path.contains("/tests") || path.contains("/examples/");
    in_product && path.ends_with(".rs") && path.contains("/src/") && !is_tests
}

/// Without its unit tests.
fn product(text: &str) -> &str {
    text.split_once("#[cfg(test)]")
        .map_or(text, |(code, _)| code)
}

#[test]
fn every_tag_of_the_code_is_in_the_specification_and_none_else() {
    let (mut code, mut text) = (BTreeSet::new(), BTreeSet::new());
    for (path, content) in files() {
        if is_code(&path) {
            code.extend(tags(product(&content)));
        } else if path.starts_with("docs/spec/") {
            text.extend(tags(&content));
        }
    }
    assert!(code.len() > 40, "only {} tags", code.len());
    let unsaid: Vec<_> = code.difference(&text).collect();
    let unknown: Vec<_> = text.difference(&code).collect();
    assert!(unsaid.is_empty(), "not in docs/spec: {unsaid:#?}");
    assert!(unknown.is_empty(), "in docs/spec only: {unknown:#?}");
}

#[test]
fn every_text_that_is_cited_is_there() {
    let mut cited = 0;
    let mut found = Vec::new();
    for (path, content) in files() {
        let here = Path::new(&path).parent().unwrap_or(Path::new(""));
        for (number, line) in (1..).zip(content.lines()) {
            for name in names_of_texts(line) {
                cited += 1;
                let places = FOLDERS.map(Path::new).into_iter().chain([here]);
                let is_there = places
                    .into_iter()
                    .any(|place| root().join(place).join(name).exists());
                if !is_there {
                    found.push(format!("{path}:{number}: {name}"));
                }
            }
        }
    }
    assert!(cited > 50, "only {cited}");
    assert!(found.is_empty(), "{found:#?}");
}

/// Names that end with `.md`.
fn names_of_texts(line: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || ['_', '-', '.', '/'].contains(&c);
    let words = line.split(move |c| !is_of_name(c));
    words.filter(|word| word.ends_with(".md") && word.len() > 3)
}

#[test]
fn every_link_of_a_text_leads_somewhere() {
    let (mut links, mut found) = (0, Vec::new());
    for (path, content) in files() {
        if !path.ends_with(".md") {
            continue;
        }
        let here = root().join(&path).parent().unwrap().to_owned();
        for (at, opening) in content.match_indices("](") {
            let target = content[at + opening.len()..].split([')', '#']).next();
            let target = target.unwrap_or_default();
            if target.is_empty() || target.starts_with("http") {
                continue;
            }
            links += 1;
            if !here.join(target).exists() {
                found.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(links > 80, "only {links}");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_promise_that_is_cited_is_one_of_the_model() {
    let model = crate::read("docs/spec/model.md");
    for promise in 1..=PROMISES {
        assert!(model.contains(&format!("\n{promise}. **")), "{promise}");
    }
    assert!(!model.contains(&format!("\n{}. **", PROMISES + 1)));
    let mut cited = 0;
    for (path, content) in files() {
        let content = content.to_lowercase();
        for (at, word) in content.match_indices("promise ") {
            let rest = &content[at + word.len()..];
            let number = rest.split(|c: char| !c.is_ascii_digit()).next();
            if let Some(Ok(number)) = number.map(str::parse::<u32>) {
                cited += 1;
                assert!((1..=PROMISES).contains(&number), "{path}: promise {number}");
            }
        }
    }
    assert!(cited > 5, "only {cited}");
}

#[test]
fn tags_and_names_are_found() {
    let found = tags("lp\"white-city/a-b/1\" `white-city/X/c/12`, white-city/keygen white-city/1x");
    let expected = [
        "white-city/a-b/1",
        "white-city/keygen/c/12",
        "white-city/refresh/c/12",
        "white-city/reshare/c/12",
        "white-city/sign/c/12",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
    let names: Vec<_> =
        names_of_texts("(see docs/README.md, CONTRIBUTING.md) `.md` c.mdx").collect();
    assert_eq!(names, ["docs/README.md", "CONTRIBUTING.md"]);
}
