//! `towline bench`: checks what is asked, runs the course and says what came out.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::threaded;
use crate::bench::{CASES_MAX, Course, End, Noise, Plan, to_json, to_text};
use crate::client::{self, Means};
use crate::exit::{Complaint, Exit};
use crate::output::{bytes, printable};
use crate::{cli, output};

pub(super) fn run(asked: cli::Bench) -> Result<Exit, Complaint> {
    let plan = plan(&asked)?;
    if let Some((_, path)) = &asked.chart {
        check_chart(path)?;
    }
    threaded(Box::pin(measure(asked, plan)))
}

/// What can be measured; all doubles are taken away.
fn plan(asked: &cli::Bench) -> Result<Plan, Complaint> {
    let mut part_sizes: Vec<u64> = asked.sizes.iter().map(|size| size.0).collect();
    let mut workers: Vec<usize> = asked.workers.iter().map(|count| usize::from(*count)).collect();
    part_sizes.sort_unstable();
    part_sizes.dedup();
    workers.sort_unstable();
    workers.dedup();
    let case_count = part_sizes.len() * workers.len();
    if case_count > CASES_MAX {
        let what = format!("{case_count} combinations of part size and workers are too many");
        return Err(Complaint::usage(what).hint(format!("measure at most {CASES_MAX} at a time")));
    }
    let largest = part_sizes.last().copied().unwrap_or_default();
    if largest > asked.size.0 {
        let what = format!(
            "a part of {} is larger than all that is uploaded, {}",
            bytes(largest),
            bytes(asked.size.0)
        );
        return Err(Complaint::usage(what).hint("say a larger --size, or smaller ones in --sizes"));
    }
    Ok(Plan { part_sizes, workers, size_bytes: asked.size.0, repeat: usize::from(asked.repeat) })
}

/// Before minutes of measuring: whether the chart could be written after them.
fn check_chart(path: &Path) -> Result<(), Complaint> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = |path: &Path| printable(&path.display().to_string());
    if !folder.is_dir() {
        return Err(Complaint::usage(format!("--chart: there is no folder {}", shown(folder))));
    }
    if path.is_dir() {
        return Err(Complaint::usage(format!("--chart: {} is a folder", shown(path))));
    }
    Ok(())
}

async fn measure(asked: cli::Bench, plan: Plan) -> Result<Exit, Complaint> {
    let cli::Bench { destination, chart, json, way, .. } = asked;
    let means = Means::load(way)?;
    let spot = means.spot(destination.as_deref())?;
    let link = means.connect(&spot.place)?;
    let size_bytes = plan.size_bytes;
    let laid = Box::pin(Course::lay(Arc::clone(&link.remote), &spot.key, plan)).await;
    let mut course = laid.map_err(|trouble| link.complain(&trouble))?;
    let noise = Noise::make(&env::temp_dir(), size_bytes)?;
    let end = Box::pin(course.run(&noise, interrupted())).await;
    if !matches!(end, End::Whole) {
        Box::pin(clear(&course)).await;
    }
    let report = &course.report;
    if !report.rows.is_empty() {
        output::data(&if json { to_json(report) } else { to_text(report) })?;
        if let Some((drawing, path)) = &chart {
            let drawn = fs::write(path, drawing.draw(report));
            drawn.with_context(|| format!("cannot write {}", printable(&path.display().to_string())))?;
        }
    }
    match end {
        End::Whole => Ok(Exit::Done),
        End::Interrupted => Ok(Exit::Interrupted),
        End::Failed(trouble) => Err(link.complain(&trouble)),
    }
}

async fn interrupted() {
    if client::interrupted().await.is_err() {
        // Who cannot be interrupted measures to the end.
        std::future::pending::<()>().await;
    }
}

/// What was begun is given up, unless somebody is in a hurry.
async fn clear(course: &Course) {
    output::say("giving up the upload under way; Ctrl-C again leaves it to the server\n");
    let cleared = tokio::select! {
        () = interrupted() => return,
        cleared = course.clear() => cleared,
    };
    if let Err(trouble) = cleared {
        let what = printable(&trouble.to_string());
        output::say(&format!("the upload under way may have stayed, until it expires: {what}\n"));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn plan_of(line: &str) -> Result<Plan, String> {
        let words = ["towline", "bench"].into_iter().chain(line.split_whitespace());
        let cli = cli::Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let cli::Command::Bench(asked) = cli.command else { panic!("{line}") };
        plan(&asked).map_err(|complaint| complaint.to_text())
    }

    #[test]
    fn lists_are_sorted_and_without_doubles() {
        let plan = plan_of("--sizes 2MiB,1MiB,2048KiB --workers 4,1,4 --size 8MiB --repeat 3").unwrap();
        assert_eq!((plan.part_sizes, plan.workers), (vec![1 << 20, 2 << 20], vec![1, 4]));
        assert_eq!((plan.size_bytes, plan.repeat), (8 << 20, 3));
    }

    #[test]
    fn what_makes_no_sense_is_said_before_anything_is_measured() {
        let many: Vec<String> = (1..=101).map(|count| count.to_string()).collect();
        for (line, problem) in [
            ("--size 1MiB", "a part of 10.0 MiB is larger than all that is uploaded, 1.0 MiB"),
            (&format!("--sizes 1MiB --workers {}", many.join(",")), "101 combinations"),
            ("--sizes 0", "at least 1"),
            ("--sizes 1MiB,", "at least 1"),
            ("--workers 0", "0 is not in 1..=256"),
            ("--workers 1,,2", "invalid"),
            ("--workers 257", "is not in 1..=256"),
            ("--repeat 0", "is not in 1..=100"),
            ("--size 2TiB", "at most 1TiB"),
            ("--chart a.png", "ends in .svg or .html"),
        ] {
            let told = plan_of(line).unwrap_err();
            assert!(told.contains(problem), "{line}: {told}");
        }
    }

    #[test]
    fn a_chart_needs_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_chart(Path::new("a.svg")).is_ok());
        assert!(check_chart(&folder.path().join("a.svg")).is_ok());
        assert!(check_chart(&folder.path().join("b/a.svg")).is_err());
        assert!(check_chart(folder.path()).is_err());
    }
}
