//! The table of refusal codes, from the comments and numbers in the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use white_city_wire::Refusal;

use crate::{compare_or_update, read};

/// Codes come in groups of so many.
const GROUP: u32 = 16;

struct Variant {
    name: String,
    group: u32,
    text: String,
    meaning: String,
}

/// The enum's variants and the headings of its groups.
fn variants(source: &str) -> (Vec<Variant>, BTreeMap<u32, String>) {
    let body = source
        .split_once("pub enum Refusal {\n")
        .unwrap()
        .1
        .split_once("\n}\n")
        .unwrap()
        .0;
    let (mut found, mut groups) = (Vec::new(), BTreeMap::new());
    let (mut group, mut meaning, mut text) = (0, String::new(), String::new());
    let mut inside_error = false;
    for line in body.lines() {
        let inner = line.strip_prefix("    ").unwrap_or(line);
        if let Some((first, heading)) = inner.strip_prefix("// ").and_then(|l| l.split_once("..: "))
        {
            group = first.parse().unwrap();
            groups.insert(group, heading.to_owned());
        } else if let Some(doc) = inner.strip_prefix("/// ") {
            meaning = if meaning.is_empty() {
                doc.to_owned()
            } else {
                format!("{meaning} {doc}")
            };
        } else if inner.starts_with("#[error(") || inside_error {
            text += inner
                .trim()
                .trim_start_matches("#[error(")
                .trim_end_matches(")]");
            inside_error = !inner.ends_with(")]");
        } else if inner.starts_with(|c: char| c.is_ascii_uppercase()) {
            let name = inner
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap()
                .to_owned();
            let (text, meaning) = (std::mem::take(&mut text), std::mem::take(&mut meaning));
            found.push(Variant {
                name,
                group,
                text,
                meaning,
            });
        }
    }
    (found, groups)
}

/// The number of each variant.
fn codes(source: &str) -> BTreeMap<String, u32> {
    let body = source
        .split_once("pub const fn code(")
        .unwrap()
        .1
        .split_once("\n    }\n")
        .unwrap()
        .0;
    body.lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => "))
        .map(|(name, code)| {
            let name = name
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap();
            (name.to_owned(), code.trim_end_matches(',').parse().unwrap())
        })
        .collect()
}

#[test]
fn every_refusal_has_a_code_of_its_own_in_its_group_and_the_table_lists_them_all() {
    let source = read("abci-app/wire/src/refusal.rs");
    let (variants, groups) = variants(&source);
    let codes = codes(&source);
    assert!(
        variants.len() >= 30,
        "only {} refusals were found",
        variants.len()
    );
    let names: BTreeSet<&String> = variants.iter().map(|variant| &variant.name).collect();
    assert_eq!(names, codes.keys().collect(), "variants and codes");
    let distinct: BTreeSet<u32> = codes.values().copied().collect();
    assert_eq!(distinct.len(), codes.len(), "two refusals have one code");
    for variant in &variants {
        let code = codes[&variant.name];
        assert!(
            (variant.group..variant.group + GROUP).contains(&code),
            "{} is {code}",
            variant.name
        );
        assert!(variant.group.is_multiple_of(GROUP) && variant.group > 0);
        assert!(
            !variant.text.is_empty() && !variant.meaning.is_empty(),
            "{} has no text",
            variant.name
        );
    }
    // The parser above and the compiler agree.
    assert_eq!(codes["IsSeal"], Refusal::IsSeal.code());
    assert_eq!(codes["NotReady"], Refusal::NotReady.code());
    compare_or_update("docs/refusals.md", &table(&variants, &groups, &codes));
}

fn table(
    variants: &[Variant],
    groups: &BTreeMap<u32, String>,
    codes: &BTreeMap<String, u32>,
) -> String {
    let mut out = String::from(
        "# Refusals\n\nWhy a transaction or a query is refused. A refusal changes nothing. The numbers come in groups of 16 and none\n\
         is ever reused; clients act on them, but they aren't consensus. *Later* means that the same bytes may be taken\n\
         later, or by another replica. Generated from `abci-app/wire/src/refusal.rs`.\n",
    );
    for (group, heading) in groups {
        write!(out, "\n## {group} to {}: {heading}\n\n", group + GROUP - 1).unwrap();
        out += "| code | name | meaning | text | later |\n|---:|---|---|---|---|\n";
        for variant in variants.iter().filter(|variant| variant.group == *group) {
            let code = codes[&variant.name];
            let later = if Refusal::is_transient(code) {
                "yes"
            } else {
                ""
            };
            let text = variant.text.trim().trim_matches('"').replace('|', "\\|");
            let meaning = variant.meaning.replace('|', "\\|");
            writeln!(
                out,
                "| {code} | `{}` | {meaning} | {text} | {later} |",
                variant.name
            )
            .unwrap();
        }
    }
    out
}
