//! The rules of the house that no other tool knows. Each rule is a function from what is there to what is wrong,
//! and each is shown a bad sample by a test.

mod anchors;
mod edges;
mod files;
mod words;

use std::fmt;
use std::fs;

use anyhow::{Context as _, bail};

use crate::home::Home;
use crate::process::stdout_of;
use crate::say;

/// A file that is, or is about to be, in the repository.
#[derive(Debug)]
struct Source {
    /// From the root, with `/`.
    path: String,
    bytes: Vec<u8>,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.has_extension(&["rs"])
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// Nothing for pictures and the like.
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// Something to mend.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 means the file as such.
    line: usize,
    problem: String,
}

impl Finding {
    fn new(source: &Source, line: usize, problem: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, problem: problem.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.path, self.problem)
        } else {
            write!(f, "{}:{}: {}", self.path, self.line, self.problem)
        }
    }
}

pub(crate) fn run(home: &Home) -> anyhow::Result<()> {
    let sources = sources(home)?;
    let findings = findings(&sources, &home.metadata()?);
    for finding in &findings {
        say::line(finding);
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings in {} files", findings.len(), sources.len());
    }
    say::line(format_args!("tidy: {} files, nothing to mend", sources.len()));
    Ok(())
}

fn findings(sources: &[Source], metadata: &serde_json::Value) -> Vec<Finding> {
    let mut findings = edges::findings(metadata);
    findings.extend(anchors::findings(sources));
    for source in sources {
        findings.extend(files::findings(source));
        findings.extend(words::findings(source));
    }
    findings
}

/// Everything git knows or would take: a rule should speak before the commit, not after it.
fn sources(home: &Home) -> anyhow::Result<Vec<Source>> {
    let mut list = std::process::Command::new("git");
    list.current_dir(&home.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut sources = Vec::new();
    for path in stdout_of(&mut list)?.split_terminator('\0') {
        let file = home.root.join(path);
        // Gone from the work tree, not yet from the index.
        if !file.is_file() {
            continue;
        }
        let bytes = fs::read(&file).with_context(|| format!("reading {path}"))?;
        sources.push(Source { path: path.to_owned(), bytes });
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as the rules see it.
    pub(super) fn sample(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn the_tree_is_tidy() {
        let home = Home::find().unwrap();
        let sources = sources(&home).unwrap();
        assert!(sources.iter().any(|source| source.path == "Cargo.toml"), "the root is not the root");
        let findings = findings(&sources, &home.metadata().unwrap());
        let text: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(findings.is_empty(), "\n{}", text.join("\n"));
    }
}
