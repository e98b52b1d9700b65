//! Rules about a file as a whole: its size, its length, its name, its first line.

use super::{Finding, Source};

const SIZE_BYTES_MAX: usize = 200 * 1024;
const LINES_MAX: usize = 600;

pub(super) fn findings(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.bytes.len() > SIZE_BYTES_MAX {
        let problem =
            format!("{} bytes, at most {SIZE_BYTES_MAX} belong in the repository", source.bytes.len());
        findings.push(Finding::new(source, 0, problem));
    }
    let Some(text) = source.text().filter(|_| source.is_rust()) else {
        return findings;
    };
    let lines = text.lines().count();
    if lines > LINES_MAX {
        findings.push(Finding::new(
            source,
            0,
            format!("{lines} lines, at most {LINES_MAX}: ask what it hides"),
        ));
    }
    if !text.starts_with("//!") {
        findings.push(Finding::new(source, 1, "opens with `//!`: what lives here, and what does not"));
    }
    if source.path.ends_with("/mod.rs") {
        findings.push(Finding::new(source, 0, "modules are foo.rs and foo/, never mod.rs"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn a_short_described_file_passes() {
        assert_eq!(findings(&sample("crates/a/src/lib.rs", "//! What lives here.\n")), []);
        assert_eq!(findings(&sample("docs/a.md", &"word\n".repeat(LINES_MAX + 1))), []);
    }

    #[test]
    fn every_rule_can_fail() {
        let long = "//! Long.\n".repeat(LINES_MAX + 1);
        let large = "x".repeat(SIZE_BYTES_MAX + 1);
        for (path, text, word) in [
            ("crates/a/src/lib.rs", long.as_str(), "lines"),
            ("docs/picture.svg", large.as_str(), "bytes"),
            ("crates/a/src/lib.rs", "pub fn f() {}\n", "opens with"),
            ("crates/a/src/b/mod.rs", "//! B.\n", "never mod.rs"),
        ] {
            let found = findings(&sample(path, text));
            assert_eq!(found.len(), 1, "{path}: {found:?}");
            assert!(found[0].problem.contains(word), "{found:?}");
        }
    }
}
