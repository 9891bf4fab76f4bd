//! The modules of a crate use each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};

use crate::files;

/// Sources of the crates that are held to it.
const CRATES: [&str; 6] = [
    "abci-app/wire/src",
    "abci-app/state-machine/src",
    "abci-app/src",
    "client/verify/src",
    "client/party/src",
    "client/src",
];
/// Files that are no modules of the library as it is built.
const PROGRAMS: [&str; 3] = ["main.rs", "faulty.rs", "testing.rs"];

/// A crate's top modules, each with those that it uses and where: a module and its children count as one.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

/// A file without comments, strings and unit tests. What is left out leaves a space.
fn code(text: &str) -> String {
    let tests = [
        "mod tests {",
        "pub(crate) mod tests {",
        "pub(super) mod tests {",
    ];
    let tests = tests.map(|tests| format!("#[cfg(test)]\n{tests}"));
    let end = tests.iter().filter_map(|tests| text.find(tests)).min();
    let text = &text[..end.unwrap_or(text.len())];
    let mut code = String::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut before = ' ';
        let end = line.char_indices().find(|(at, c)| {
            if *c == '"' && before != '\\' && before != '\'' {
                in_string = !in_string;
            }
            before = *c;
            !in_string && line[*at..].starts_with("//")
        });
        let line = &line[..end.map_or(line.len(), |(at, _)| at)];
        for (number, piece) in line.split('"').enumerate() {
            code.push_str(if number % 2 == 0 { piece } else { " " });
        }
        code.push('\n');
    }
    code
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The name that a text begins with; empty if it begins with none.
fn name(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.find(|c| !is_of_name(c)).unwrap_or(text.len())]
}

/// The first names of the paths that follow on `crate::`: one, or those in its braces.
fn first_names(after: &str) -> Vec<&str> {
    let Some(list) = after.trim_start().strip_prefix('{') else {
        return vec![name(after)];
    };
    let (mut depth, mut from, mut names) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&list[from..at]));
                from = at + 1;
            }
            _ => {}
        }
        if c == '}' && from == at + 1 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Names that a file `depth` modules below the crate's root uses of that, by the first name of each path.
fn from_root(code: &str, depth: usize) -> BTreeSet<&str> {
    let begins = |at: usize| !code[..at].ends_with(|c| is_of_name(c) || c == ':');
    let mut names = BTreeSet::new();
    for (at, root) in code.match_indices("crate::") {
        if begins(at) {
            names.extend(first_names(&code[at + root.len()..]));
        }
    }
    let up = "super::".repeat(depth);
    for (at, up) in code.match_indices(&up) {
        if begins(at) {
            names.extend(first_names(&code[at + up.len()..]));
        }
    }
    names.into_iter().filter(|name| *name != "super").collect()
}

/// Names that the crate's root gives other names to, each with its module.
fn reexports(root: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for statement in root.split(';') {
        let Some((_, path)) = statement.split_once("use ") else {
            continue;
        };
        let Some((module, names)) = path.split_once("::") else {
            continue;
        };
        for named in names.split(['{', '}', ',']) {
            let last = named.rsplit("::").next().unwrap_or(named);
            let last = last.rsplit(" as ").next().unwrap_or(last);
            found.insert(last.trim().to_owned(), module.trim().to_owned());
        }
    }
    found
}

/// Whether a file itself declares a name, which its inner modules reach as if they were files.
fn is_declared(code: &str, name: &str) -> bool {
    let kinds = ["struct", "enum", "mod", "fn", "trait", "type", "const"];
    kinds
        .iter()
        .any(|kind| code.contains(&format!("{kind} {name}")))
}

/// Modules of a crate, each with those that it uses. These are the crate's files: each with its path below the sources.
fn uses(sources: &[(String, String)]) -> Uses {
    let root = sources.iter().find(|(path, _)| path == "lib.rs").unwrap();
    let reexports = reexports(&code(&root.1));
    let modules = sources.iter().filter(|(path, _)| {
        !PROGRAMS.contains(&path.as_str()) && path != "lib.rs" && !path.ends_with("/tests.rs")
    });
    let top = |path: &str| path.split(['/', '.']).next().unwrap_or_default().to_owned();
    let mut uses: Uses = modules
        .clone()
        .map(|(path, _)| (top(path), BTreeMap::new()))
        .collect();
    let known: BTreeSet<String> = uses.keys().cloned().collect();
    for (path, text) in modules {
        let code = code(text);
        for name in from_root(&code, path.split('/').count()) {
            let module = match known.get(name).or_else(|| reexports.get(name)) {
                Some(module) => module,
                None if is_declared(&code, name) => continue,
                None => panic!("{path}: {name} is neither a module nor named by lib.rs"),
            };
            if *module != top(path) {
                let used = uses.entry(top(path)).or_default();
                used.entry(module.clone()).or_insert_with(|| path.clone());
            }
        }
    }
    uses
}

/// All modules that a module comes to.
fn reached(uses: &Uses, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(module) = next.pop() {
        for used in uses.get(&module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(used.clone()) {
                next.push(used.clone());
            }
        }
    }
    reached
}

/// Each use by which a module comes back to itself.
fn circles(uses: &Uses) -> Vec<String> {
    let mut found = Vec::new();
    for (module, used) in uses {
        for (other, path) in used {
            if reached(uses, other).contains(module) {
                found.push(format!(
                    "{module} uses {other} ({path}), which comes back to it"
                ));
            }
        }
    }
    found
}

#[test]
fn no_module_comes_back_to_itself_by_what_it_uses() {
    let files = files();
    let mut found = Vec::new();
    for folder in CRATES {
        let sources = files.iter().filter_map(|(path, text)| {
            let path = path.strip_prefix(folder)?.strip_prefix('/')?;
            path.ends_with(".rs")
                .then(|| (path.to_owned(), text.clone()))
        });
        let uses = uses(&sources.collect::<Vec<_>>());
        let count: usize = uses.values().map(BTreeMap::len).sum();
        assert!(count > 5, "{folder}: {count} uses were found");
        found.extend(
            circles(&uses)
                .into_iter()
                .map(|circle| format!("{folder}: {circle}")),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn circles_are_found_however_a_module_is_named() {
    let circle = |b: &str| {
        let sources = [
            (
                "lib.rs",
                "mod a;\nmod b;\nmod c;\npub use a::{inner::Inner as Shown, A};\n",
            ),
            ("a.rs", "use crate::{\n    b::{B, C},\n    c,\n};\n"),
            ("b.rs", b),
            ("c/d.rs", "use super::e;\n"),
        ];
        let sources = sources.map(|(path, text)| (path.to_owned(), text.to_owned()));
        circles(&uses(&sources)).len() / 2
    };
    for used in [
        "use crate::a;\n",
        "use crate::{c, a::X};\n",
        "use super::A;\n",
        "fn f() -> crate::Shown {}\n",
        "// \"\nuse crate::A;\n",
    ] {
        assert_eq!(circle(used), 1, "{used}");
    }
    for unused in [
        "use crate::c;\n",
        "// crate::a\nfn f() {}\n",
        "const A: &str = \"crate::a\";\n",
        "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
        "use super::c::{a, A};\n",
        "use other::crate_a::a;\n",
    ] {
        assert_eq!(circle(unused), 0, "{unused}");
    }
    let child = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b;\n"),
        ("b/c.rs", "use super::super::a;\n"),
    ];
    let child = child.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(circles(&uses(&child)).len(), 2);
}
