//! Bars on a terminal: one for each file under way, and one for all. Without colours, so that `NO_COLOR` has nothing to
//! ask for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Named;
use super::rate::Rate;
use super::tally::Tally;
use super::text::{describe, there_bytes, total, total_bytes};

const SHOWN_MAX: usize = 8;
const NAME_COLUMNS: usize = 24;

#[derive(Debug)]
pub(super) struct Bars {
    screen: Option<MultiProgress>,
    total: Option<ProgressBar>,
    /// By the number of the file.
    files: Mutex<BTreeMap<usize, ProgressBar>>,
}

impl Bars {
    pub(super) fn new(is_shown: bool, file_count: usize) -> Self {
        let screen = is_shown.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        let total = screen.as_ref().filter(|_| file_count > 1).map(|screen| screen.add(quiet_bar("all")));
        Self { screen, total, files: Mutex::default() }
    }

    pub(super) fn show(&self, named: &[Named], tallies: &[Tally], rate: &Rate) {
        let Some(screen) = &self.screen else {
            return;
        };
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|number, bar| {
            let stays = tallies.get(*number).is_some_and(Tally::is_under_way);
            if !stays {
                bar.finish_and_clear();
                screen.remove(bar);
            }
            stays
        });
        let under_way = named.iter().zip(tallies).enumerate().filter(|(_, (_, tally))| tally.is_under_way());
        for (number, (file, tally)) in under_way {
            if files.len() >= SHOWN_MAX && !files.contains_key(&number) {
                continue;
            }
            let bar = files.entry(number).or_insert_with(|| {
                let bar = quiet_bar(&file.shown());
                match &self.total {
                    Some(total) => screen.insert_before(total, bar),
                    None => screen.add(bar),
                }
            });
            set(bar, tally.there_bytes(), tally.total_bytes, describe(tally, self.total.is_none()));
        }
        if let Some(bar) = &self.total {
            set(bar, there_bytes(tallies), total_bytes(tallies), total(tallies, rate));
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

fn set(bar: &ProgressBar, there: u64, total: Option<u64>, text: String) {
    // A stream's bar stays empty: nobody knows how long it is.
    let (there, total) = total.map_or((0, 1), |total| (there, total.max(1)));
    bar.set_length(total);
    bar.set_position(there);
    bar.set_message(text);
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
