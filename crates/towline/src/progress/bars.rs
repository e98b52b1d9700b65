//! Bars on a terminal: one for each file under way, and one for all. Without colours, so that `NO_COLOR` has nothing to
//! ask for.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Named;
use super::rate::Rate;
use super::tally::{Stage, Tally};
use super::text::{describe, there_bytes, total, total_bytes};

const SHOWN_MAX: usize = 8;
const NAME_COLUMNS: usize = 24;

#[derive(Debug)]
pub(super) struct Bars {
    screen: Option<MultiProgress>,
    total: Option<ProgressBar>,
    /// By the number of the file.
    files: BTreeMap<usize, ProgressBar>,
}

/// What is to be drawn, taken together before anybody waits for a terminal.
#[derive(Debug)]
pub(super) struct Frame {
    /// Those under way, by the number of the file.
    files: BTreeMap<usize, Bar>,
    /// All of them, when there are several.
    total: Bar,
}

#[derive(Debug)]
struct Bar {
    name: String,
    there_bytes: u64,
    total_bytes: Option<u64>,
    text: String,
}

impl Frame {
    pub(super) fn of(named: &[Named], tallies: &[Tally], rate: &Rate) -> Self {
        let is_alone = named.len() <= 1;
        let is_shown = |tally: &Tally| tally.is_under_way() || is_alone && tally.stage == Stage::Waiting;
        let under_way = named.iter().zip(tallies).enumerate().filter(|(_, (_, tally))| is_shown(tally));
        let files = under_way.map(|(number, (file, tally))| {
            let text = describe(file, tally, is_alone);
            let (there_bytes, total_bytes) = (tally.there_bytes(), tally.total_bytes);
            (number, Bar { name: file.shown(), there_bytes, total_bytes, text })
        });
        let total = Bar {
            name: "all".to_owned(),
            there_bytes: there_bytes(tallies),
            total_bytes: total_bytes(tallies),
            text: total(named, tallies, rate),
        };
        Self { files: files.collect(), total }
    }
}

impl Bars {
    pub(super) fn new(is_shown: bool, file_count: usize) -> Self {
        let screen = is_shown.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        let total = screen.as_ref().filter(|_| file_count > 1).map(|screen| screen.add(quiet_bar("all")));
        Self { screen, total, files: BTreeMap::new() }
    }

    pub(super) fn draw(&mut self, frame: Frame) {
        let Some(screen) = &self.screen else {
            return;
        };
        self.files.retain(|number, bar| {
            let stays = frame.files.contains_key(number);
            if !stays {
                bar.finish_and_clear();
                screen.remove(bar);
            }
            stays
        });
        for (number, file) in frame.files {
            if self.files.len() >= SHOWN_MAX && !self.files.contains_key(&number) {
                continue;
            }
            let bar = self.files.entry(number).or_insert_with(|| {
                let bar = quiet_bar(&file.name);
                match &self.total {
                    Some(total) => screen.insert_before(total, bar),
                    None => screen.add(bar),
                }
            });
            set(bar, file);
        }
        if let Some(bar) = &self.total {
            set(bar, frame.total);
        }
    }

    /// Writes something while the bars are out of the way.
    pub(super) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.screen {
            Some(screen) => screen.suspend(write),
            None => write(),
        }
    }

    pub(super) fn clear(&self) {
        let Some(screen) = &self.screen else {
            return;
        };
        // Nobody is left to see it when the terminal is gone.
        drop(screen.clear());
        screen.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// It is not drawn before it is on the screen.
fn quiet_bar(name: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix} [{bar:16}] {wide_msg}").expect("the template is fixed");
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::hidden());
    bar.with_style(style.progress_chars("=> ")).with_prefix(fitting(name))
}

fn set(bar: &ProgressBar, shown: Bar) {
    // A stream's bar stays empty: nobody knows how long it is.
    let (there, total) = shown.total_bytes.map_or((0, 1), |total| (shown.there_bytes, total.max(1)));
    bar.set_length(total);
    bar.set_position(there);
    bar.set_message(shown.text);
}

/// Beginning and end of a name tell more than its middle.
fn fitting(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME_COLUMNS {
        return format!("{name:NAME_COLUMNS$}");
    }
    let half = NAME_COLUMNS / 2;
    let beginning: String = name.chars().take(half - 1).collect();
    let end: String = name.chars().skip(count - half).collect();
    format!("{beginning}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_to_a_column() {
        assert_eq!(fitting("a.mp4"), format!("{:24}", "a.mp4"));
        assert_eq!(fitting("photos/2024/summer/image-0001.jpg"), "photos/2024…age-0001.jpg");
        assert_eq!(fitting(&"ü".repeat(25)), format!("{}…{}", "ü".repeat(11), "ü".repeat(12)));
    }
}
