//! How far the course is: a bar on a terminal, else a line for each upload.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::words::size;
use super::Case;
use crate::client::seconds;
use crate::output::say;

/// Clones show the same.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Screen {
    bar: Option<ProgressBar>,
    /// Nothing is to be said.
    is_silent: bool,
    done: Arc<Mutex<Done>>,
    run_count: usize,
}

#[derive(Debug, Default)]
struct Done {
    begun: usize,
    ended: u32,
    took: Duration,
}

impl Screen {
    pub(in crate::bench) fn new(run_count: usize, size_bytes: u64) -> Self {
        let total_bytes = size_bytes.saturating_mul(run_count as u64);
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total_bytes), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{prefix} [{bar:20}] {binary_bytes_per_sec}{msg}");
            bar.with_style(style.expect("the template is fixed").progress_chars("=> "))
        });
        Self { bar, is_silent: false, done: Arc::default(), run_count }
    }

    pub(in crate::bench) fn silent() -> Self {
        Self { bar: None, is_silent: true, done: Arc::default(), run_count: 0 }
    }

    pub(super) fn warm_up(&self) {
        match &self.bar {
            Some(bar) => bar.set_prefix("warming up"),
            None => say("warming up\n"),
        }
    }

    pub(super) fn begin(&self, case: Case) {
        let (what, left) = self.lock().next(case, self.run_count);
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(what);
                bar.set_message(left);
            }
            None if !self.is_silent => say(&format!("{what}{left}\n")),
            None => {}
        }
    }

    pub(super) fn end(&self, took: Duration) {
        let mut done = self.lock();
        done.ended += 1;
        done.took += took;
    }

    pub(in crate::bench) fn sent(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    pub(in crate::bench) fn lost(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.dec(bytes);
        }
    }

    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Done {
    /// What runs now, and how long all of it will still take, going by what it took so far.
    fn next(&mut self, case: Case, run_count: usize) -> (String, String) {
        self.begun += 1;
        let workers =
            if case.workers == 1 { "1 worker".to_owned() } else { format!("{} workers", case.workers) };
        let what = format!("{} of {run_count}: parts of {}, {workers}", self.begun, size(case.part_bytes));
        let rest = u32::try_from(run_count + 1 - self.begun).unwrap_or(u32::MAX);
        let left = self.took.checked_div(self.ended).map(|each| each.saturating_mul(rest));
        (what, left.map_or_else(String::new, |left| format!(", about {} left", seconds(left))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_guessed_from_what_was_measured() {
        let mut done = Done::default();
        let case = Case { part_bytes: 5 << 20, workers: 1 };
        assert_eq!(done.next(case, 3), ("1 of 3: parts of 5 MiB, 1 worker".to_owned(), String::new()));
        (done.ended, done.took) = (1, Duration::from_secs(30));
        let (what, left) = done.next(Case { workers: 4, ..case }, 3);
        assert_eq!(
            (what.as_str(), left.as_str()),
            ("2 of 3: parts of 5 MiB, 4 workers", ", about 60 s left")
        );
    }
}
