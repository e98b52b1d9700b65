//! The whole course: what is granted, a warm-up, then every combination, as often as asked.

mod screen;

use std::sync::Arc;

use towline_client::remote::Remote;
use towline_client::trouble::Trouble;

use super::grant::cases;
use super::trial::Track;
use super::words::size;
use super::{Case, Grant, Noise, Plan, Report, Row, Run};
use crate::clock::SystemClock;
use crate::output::bytes;

pub(super) use screen::Screen;
use towline_core::clock::Clock as _;

/// How a course ended; what was measured is in the report in any case.
#[derive(Debug)]
pub(crate) enum End {
    Whole,
    Interrupted,
    Failed(Trouble),
}

/// A course that can be run.
#[derive(Debug)]
pub(crate) struct Course {
    plan: Plan,
    track: Track,
    screen: Screen,
    pub(crate) report: Report,
    cases: Vec<Case>,
}

impl Course {
    /// Asks the other end what it grants. `key` stands before the names of all uploads.
    pub(crate) async fn lay(remote: Arc<dyn Remote>, key: &str, plan: Plan) -> Result<Self, Trouble> {
        let place = remote.name();
        let track = Track::new(remote, key);
        let mut grants = Vec::new();
        for asked_bytes in plan.part_sizes.iter().copied() {
            let part_bytes = Box::pin(track.granted(asked_bytes, plan.size_bytes)).await?;
            if part_bytes > plan.size_bytes {
                let (granted, all) = (size(part_bytes), bytes(plan.size_bytes));
                let what = format!("{place} makes parts of {granted}, and {all} are less than one");
                return Err(Trouble::refused(what).hint("say a larger --size"));
            }
            grants.push(Grant { asked_bytes, part_bytes });
        }
        let cases = cases(&plan, &grants);
        let report = Report {
            place,
            at: SystemClock.now(),
            size_bytes: plan.size_bytes,
            grants,
            case_count: cases.len(),
            repeat: plan.repeat,
            rows: Vec::new(),
        };
        let screen = Screen::new(cases.len() * plan.repeat, plan.size_bytes);
        Ok(Self { plan, track, screen, report, cases })
    }

    /// Measures until all is measured, something fails for good, or `interrupted` comes.
    pub(crate) async fn run(&mut self, noise: &Noise, interrupted: impl Future<Output = ()>) -> End {
        let end = tokio::select! {
            biased;
            () = interrupted => End::Interrupted,
            measured = Box::pin(self.measure(noise)) => measured.map_or_else(End::Failed, |()| End::Whole),
        };
        self.screen.clear();
        end
    }

    /// Gives up what an end in the middle has left at the other end.
    pub(crate) async fn clear(&self) -> Result<(), Trouble> {
        Box::pin(self.track.clear()).await
    }

    /// Round by round: what slows the line for a while does not hit all runs of one combination.
    async fn measure(&mut self, noise: &Noise) -> Result<(), Trouble> {
        Box::pin(self.warm_up(noise)).await?;
        for _ in 0..self.plan.repeat {
            for case in self.cases.clone() {
                self.screen.begin(case);
                let run = Box::pin(self.track.run(noise, case, &self.screen)).await?;
                self.screen.end(run.took);
                self.keep(case, run);
            }
        }
        Ok(())
    }

    /// Caches and the other end come to life here. One worker only: the memory of more would be in the figures of few.
    async fn warm_up(&self, noise: &Noise) -> Result<(), Trouble> {
        let part_bytes = self.cases.iter().map(|case| case.part_bytes).min().unwrap_or(noise.size_bytes);
        let few = Noise { size_bytes: noise.size_bytes.min(part_bytes.saturating_mul(2)), ..noise.clone() };
        self.screen.warm_up();
        let part_bytes = Box::pin(self.track.granted(part_bytes, few.size_bytes)).await?;
        Box::pin(self.track.run(&few, Case { part_bytes, workers: 1 }, &Screen::silent())).await?;
        Ok(())
    }

    fn keep(&mut self, case: Case, run: Run) {
        let rows = &mut self.report.rows;
        match rows.binary_search_by_key(&case, |row| row.case) {
            Ok(at) => rows[at].runs.push(run),
            Err(at) => rows.insert(at, Row { case, runs: vec![run] }),
        }
    }
}
