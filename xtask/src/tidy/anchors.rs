//! Every refusal has its anchor in `docs/errors.md`, because its problem's `type` points there.

use super::{Finding, Source};

const CODES: &str = "crates/towline-core/src/error.rs";
const DOCS: &str = "docs/errors.md";

pub(super) fn findings(sources: &[Source]) -> Vec<Finding> {
    let Some((codes, source)) = sources
        .iter()
        .find(|source| source.path == CODES)
        .and_then(|source| Some((codes_of(source.text()?), source)))
    else {
        return vec![Finding { path: CODES.to_owned(), line: 0, problem: "is missing".to_owned() }];
    };
    if codes.is_empty() {
        return vec![Finding::new(source, 0, "has no `fn code` with a code in each arm")];
    }
    let docs = sources.iter().find(|source| source.path == DOCS).and_then(Source::text).unwrap_or_default();
    codes
        .into_iter()
        .filter(|(_, code)| !has_anchor(docs, code))
        .map(|(line, code)| Finding::new(source, line, format!("{DOCS} has no heading `{code}`")))
        .collect()
}

/// The strings in the arms of `fn code`, each with its line.
fn codes_of(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .skip_while(|(_, line)| !line.contains("fn code("))
        .take_while(|(_, line)| *line != "    }")
        .filter_map(|(index, line)| {
            let (_, code) = line.split_once("=> \"")?;
            Some((index + 1, code.split('"').next()?))
        })
        .collect()
}

/// A heading that is exactly the code: that is what makes the anchor.
fn has_anchor(docs: &str, code: &str) -> bool {
    docs.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| line.trim_start_matches('#').trim().trim_matches('`') == code)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    const RUST: &str = "\
impl Refusal {
    pub fn code(&self) -> &'static str {
        match self {
            Self::A(_) => \"a-thing\",
            Self::B { .. } => \"b-thing\",
        }
    }
    pub fn other() {
        x => \"not-a-code\"
    }
}
";

    #[test]
    fn a_heading_for_each_code_passes() {
        let docs = sample(DOCS, "# Errors\n## a-thing\ntext\n### `b-thing`\n");
        assert_eq!(findings(&[sample(CODES, RUST), docs]), []);
    }

    #[test]
    fn a_code_without_its_own_heading_is_found() {
        let docs = sample(DOCS, "## a-thing\nb-thing is only mentioned\n## b-thing-too\n");
        let found = findings(&[sample(CODES, RUST), docs]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].line, found[0].problem.contains("`b-thing`")), (5, true));
    }

    #[test]
    fn a_document_that_is_missing_is_found_once_per_code() {
        assert_eq!(findings(&[sample(CODES, RUST)]).len(), 2);
    }

    #[test]
    fn codes_that_cannot_be_read_are_found() {
        assert_eq!(findings(&[]).len(), 1);
        assert_eq!(findings(&[sample(CODES, "//! Errors.\n")]).len(), 1);
    }
}
