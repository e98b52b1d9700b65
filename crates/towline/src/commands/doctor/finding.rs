//! What was found out, for people and for scripts. Pure.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::output::printable;

/// Lines of prose are no longer than this.
const WIDTH: usize = 100;
/// Where the prose below a finding begins.
const INDENT: usize = 11;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    /// It was missing or wrong, and was set right just now.
    Fixed,
    /// It works; somebody should know that it is so.
    Odd,
    /// It cannot be found out.
    Unknown,
    Missing,
    Wrong,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fixed => "fixed",
            Self::Odd => "odd",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        }
    }
}

/// What to do about it, and what to paste for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cure {
    pub(super) how: String,
    pub(super) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) topic: &'static str,
    pub(super) state: State,
    pub(super) what: String,
    /// Why it matters, and what to do.
    pub(super) why: Option<String>,
    pub(super) cures: Vec<Cure>,
}

impl Finding {
    pub(super) fn new(topic: &'static str, state: State, what: impl Into<String>) -> Self {
        Self { topic, state, what: what.into(), why: None, cures: Vec::new() }
    }

    #[must_use]
    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub(super) fn cure(mut self, how: impl Into<String>, text: impl Into<String>) -> Self {
        self.cures.push(Cure { how: how.into(), text: text.into() });
        self
    }

    fn is_bad(&self) -> bool {
        matches!(self.state, State::Missing | State::Wrong)
    }
}

/// Findings about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) name: &'static str,
    /// Which one it is.
    pub(super) of: String,
    pub(super) findings: Vec<Finding>,
}

pub(super) fn is_well(areas: &[Area]) -> bool {
    !areas.iter().flat_map(|area| &area.findings).any(Finding::is_bad)
}

pub(super) fn to_json(areas: &[Area]) -> String {
    let findings: Vec<Value> = areas
        .iter()
        .flat_map(|area| area.findings.iter().map(move |finding| (area.name, finding)))
        .map(|(area, finding)| {
            let cures = finding.cures.iter().map(|cure| json!({"how": cure.how, "text": cure.text}));
            json!({
                "area": area,
                "topic": finding.topic,
                "state": finding.state.name(),
                "what": finding.what,
                "why": finding.why,
                "cures": cures.collect::<Vec<_>>(),
            })
        })
        .collect();
    format!("{:#}\n", json!({"is_well": is_well(areas), "findings": findings}))
}

pub(super) fn to_text(areas: &[Area]) -> String {
    let mut text = String::new();
    let topics = areas.iter().flat_map(|area| &area.findings).map(|finding| finding.topic.len());
    let width = topics.max().unwrap_or(0);
    for area in areas {
        writeln!(text, "{} {}", area.name, printable(&area.of)).expect("a String takes every write");
        for finding in &area.findings {
            write_finding(&mut text, finding, width);
        }
        text.push('\n');
    }
    text + &sum_up(areas)
}

fn write_finding(text: &mut String, finding: &Finding, width: usize) {
    let Finding { topic, state, what, why, cures } = finding;
    let start = format!("  {:<7}  {topic:<width$}  ", state.name());
    let hanging = " ".repeat(start.len());
    for (number, line) in wrap(&printable(what), WIDTH - start.len()).iter().enumerate() {
        let lead = if number == 0 { &start } else { &hanging };
        writeln!(text, "{lead}{line}").expect("a String takes every write");
    }
    let prose = " ".repeat(INDENT);
    for line in why.iter().flat_map(|why| wrap(&printable(why), WIDTH - INDENT)) {
        writeln!(text, "{prose}{line}").expect("a String takes every write");
    }
    for Cure { how, text: pasted } in cures {
        writeln!(text, "{prose}{how}").expect("a String takes every write");
        // What is pasted begins at the edge, where it is easily marked.
        writeln!(text, "\n{pasted}\n").expect("a String takes every write");
    }
}

fn sum_up(areas: &[Area]) -> String {
    let count = |state| {
        let findings = areas.iter().flat_map(|area| &area.findings);
        findings.filter(|finding| finding.state == state).count()
    };
    let states = [State::Wrong, State::Missing, State::Unknown, State::Odd, State::Fixed, State::Ok];
    let counted = states.map(|state| (count(state), state.name()));
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let counted: Vec<String> = counted.map(|(count, name)| format!("{count} {name}")).collect();
    let verdict = if is_well(areas) { "All is well" } else { "Not all is well" };
    format!("{verdict}: {}.\n", counted.join(", "))
}

/// Breaks at blanks; a word that is too long has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas() -> Vec<Area> {
        let long = "word ".repeat(30);
        let findings = vec![
            Finding::new("clock", State::Ok, "as the server's"),
            Finding::new("cors", State::Missing, long.as_str())
                .why("Pages may not send.")
                .cure("Paste:", "[\n  {}\n]"),
            Finding::new("name", State::Odd, "a\u{1b}[2Jb"),
        ];
        vec![Area { name: "Bucket", of: "box at https://s3.example".to_owned(), findings }]
    }

    #[test]
    fn findings_are_read_by_people() {
        insta::assert_snapshot!(to_text(&areas()));
    }

    #[test]
    fn findings_are_read_by_scripts() {
        let told: Value = serde_json::from_str(&to_json(&areas())).unwrap();
        assert_eq!(told["is_well"], false);
        assert_eq!(told["findings"][1]["state"], "missing");
        assert_eq!(told["findings"][1]["cures"], json!([{"how": "Paste:", "text": "[\n  {}\n]"}]));
        assert_eq!(told["findings"][0]["why"], Value::Null);
    }

    #[test]
    fn only_what_is_missing_or_wrong_is_not_well() {
        let with = |state| {
            vec![Area { name: "A", of: String::new(), findings: vec![Finding::new("t", state, "x")] }]
        };
        for state in [State::Ok, State::Fixed, State::Odd, State::Unknown] {
            assert!(is_well(&with(state)));
        }
        for state in [State::Missing, State::Wrong] {
            assert!(!is_well(&with(state)));
        }
    }
}
