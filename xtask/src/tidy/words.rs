//! Rules about single lines: nothing left to do, nothing from somebody's machine, no imports by star. This file must
//! name what it forbids and is therefore not held to it.

use super::{Finding, Source};

const OURSELVES: &str = "xtask/src/tidy/words.rs";
const CODE: [&str; 10] = ["rs", "toml", "sql", "js", "mjs", "css", "html", "py", "sh", "yml"];
const UNFINISHED: [&str; 3] = ["TODO", "FIXME", "dbg!"];
const MACHINE_FOLDERS: [&str; 4] = ["/root/", "/work/", "/home/", "/Users/"];
/// How a machine is pointed at a mirror: fine on that machine, wrong for everybody else.
const MIRRORS: [&str; 8] = [
    "sparse+http",
    "replace-with",
    "index-url",
    "find-links",
    "registry=http",
    "registry = \"http",
    "static.crates.io",
    "registry.npmjs.org",
];
/// What cargo's lock file may name.
const PUBLIC_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn findings(source: &Source) -> Vec<Finding> {
    if source.path == OURSELVES {
        return Vec::new();
    }
    let Some(text) = source.text() else {
        return Vec::new();
    };
    if source.path.ends_with("Cargo.lock") {
        return by_line(source, text, from_other_registry);
    }
    if source.path.ends_with("package-lock.json") {
        return by_line(source, text, from_any_registry);
    }
    let mut findings = by_line(source, text, from_a_machine);
    if source.has_extension(&CODE) {
        findings.extend(by_line(source, text, unfinished));
    }
    if source.is_rust() {
        findings.extend(by_line(source, outside_tests(source, text), star));
    }
    findings
}

fn by_line(source: &Source, text: &str, rule: fn(&str) -> Option<String>) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| rule(line).map(|problem| Finding::new(source, index + 1, problem)))
        .collect()
}

fn from_other_registry(line: &str) -> Option<String> {
    let names_registry = ["registry+", "sparse+", "git+"].iter().any(|word| line.contains(word));
    (names_registry && !line.contains(PUBLIC_REGISTRY))
        .then(|| "a lock file names only the public registry".to_owned())
}

/// A package that is resolved to a folder of ours names none.
fn from_any_registry(line: &str) -> Option<String> {
    (line.contains("\"resolved\"") && line.contains("://")).then(|| {
        "npm's lock file names no registry: set omit-lockfile-registry-resolved=true in .npmrc".to_owned()
    })
}

fn from_a_machine(line: &str) -> Option<String> {
    // A folder called `docs/work/` is fine: only a path from the root of a machine is not.
    let is_root = |at: usize| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '~'))
    };
    for folder in MACHINE_FOLDERS {
        if line.match_indices(folder).any(|(at, _)| is_root(at)) {
            return Some(format!("{folder} is a folder of somebody's machine"));
        }
    }
    let mirror = MIRRORS.into_iter().find(|mirror| line.contains(mirror))?;
    Some(format!("`{mirror}` is the setting of somebody's machine"))
}

fn unfinished(line: &str) -> Option<String> {
    let word = UNFINISHED.into_iter().find(|word| line.contains(word))?;
    Some(format!("{word}: finish it, or open an issue"))
}

fn star(line: &str) -> Option<String> {
    let line = line.trim();
    let is_import = line.starts_with("use ") || (line.starts_with("pub") && line.contains(" use "));
    let has_star = line.ends_with("::*;") || line.contains("::{*") || line.contains(", *");
    (is_import && has_star).then(|| "imports by name, outside tests".to_owned())
}

/// Tests stand at the end of a file, or in files of their own.
fn outside_tests<'a>(source: &Source, text: &'a str) -> &'a str {
    if source.path.contains("/tests/") || source.path.ends_with("/tests.rs") {
        return "";
    }
    text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn every_rule_can_fail() {
        for (path, line, word) in [
            ("src/a.rs", "// TODO: later", "TODO"),
            ("a.sql", "-- FIXME", "FIXME"),
            ("src/a.rs", "    dbg!(x);", "dbg!"),
            ("docs/a.md", "see /root/.cache", "/root/"),
            ("a.toml", "path = \"/work/main\"", "/work/"),
            ("docs/a.md", "cd /home/me", "/home/"),
            (".npmrc", "registry=http://10.0.0.1/", "registry=http"),
            (".cargo/config.toml", "replace-with = \"mirror\"", "replace-with"),
            ("requirements.txt", "--index-url http://10.0.0.1/", "index-url"),
            ("Cargo.lock", "source = \"sparse+http://10.0.0.1/\"", "public registry"),
            ("Cargo.lock", "source = \"git+https://example.com/a\"", "public registry"),
            ("web/package-lock.json", "\"resolved\": \"http://10.0.0.1/a.tgz\"", "names no registry"),
            (
                "web/package-lock.json",
                "\"resolved\": \"https://registry.npmjs.org/a.tgz\"",
                "names no registry",
            ),
            (
                "web/package-lock.json",
                "\"resolved\": \"git+ssh://git@example.com/a.git\"",
                "names no registry",
            ),
            ("src/a.rs", "use super::*;", "by name"),
            ("src/a.rs", "pub(crate) use a::{*};", "by name"),
        ] {
            let found = findings(&sample(path, line));
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert!(found[0].problem.contains(word), "{found:?}");
            assert_eq!(found[0].line, 1);
        }
    }

    #[test]
    fn what_only_looks_alike_passes() {
        for (path, line) in [
            ("docs/a.md", "what is left to do: TODO lists"),
            ("docs/a.md", "/etc/towline.toml and docs/work/plan.md and ~/home/x"),
            ("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\""),
            ("web/package-lock.json", "\"resolved\": \"generations/uppy5\","),
            ("web/package-lock.json", "\"url\": \"https://example.com/funding\""),
            ("src/a.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}"),
            ("tests/a.rs", "let x = a * b;"),
            ("crates/a/tests/b.rs", "use super::*;"),
            ("picture.png", "\u{fffd}"),
        ] {
            assert_eq!(findings(&sample(path, line)), [], "{line}");
        }
    }
}
