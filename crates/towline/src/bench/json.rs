//! The figures and what follows from them, for programs.

use std::time::Duration;

use serde_json::{Value, json};
use towline_doors::rfc3339;

use super::judge::judge;
use super::words::{conclusions, notes};
use super::{Report, Row, Run};

pub(crate) fn to_json(report: &Report) -> String {
    let advice = judge(report).map(|verdict| verdict.advice);
    let object = json!({
        "place": report.place,
        "at": rfc3339(report.at),
        "size_bytes": report.size_bytes,
        "repeat": report.repeat,
        "is_whole": report.is_whole(),
        "rows": report.rows.iter().map(|row| of_row(report, row)).collect::<Vec<_>>(),
        "advice": advice.map(|case| json!({"part_bytes": case.part_bytes, "workers": case.workers})),
        "conclusions": conclusions(report),
        "notes": notes(report),
    });
    format!("{object}\n")
}

/// The median run's figures stand beside all of them.
fn of_row(report: &Report, row: &Row) -> Value {
    let asked = report.grants.iter().filter(|grant| grant.part_bytes == row.case.part_bytes);
    let asked: Vec<u64> = asked.map(|grant| grant.asked_bytes).collect();
    let mut object = of_run(row.median());
    let more = json!({
        "part_bytes": row.case.part_bytes,
        "asked_part_bytes": asked,
        "workers": row.case.workers,
        "part_count": report.part_count(row),
        "bytes_per_s": report.rate(row),
        "speed_up": speed_up(report, row),
        "runs": row.runs.iter().map(of_run).collect::<Vec<_>>(),
    });
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn of_run(run: &Run) -> Value {
    json!({
        "duration_ms": millis(run.took),
        "part_median_ms": millis(run.median_part),
        "part_slowest_ms": millis(run.slowest_part),
        "peak_bytes": run.peak_bytes,
        "failed_tries": run.failed_tries,
    })
}

fn millis(span: Duration) -> f64 {
    // Microseconds: more digits would be noise.
    (span.as_secs_f64() * 1e6).round() / 1e3
}

/// In hundredths.
fn speed_up(report: &Report, row: &Row) -> Option<f64> {
    let alone = report.row(super::Case { workers: 1, ..row.case })?;
    let factor = alone.median().took.as_secs_f64() / row.median().took.as_secs_f64().max(1e-6);
    Some((factor * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{MIB, far, report};
    use super::*;

    #[test]
    fn an_object_holds_every_row_and_what_follows() {
        let report = far();
        let object: Value = serde_json::from_str(&to_json(&report)).unwrap();
        assert_eq!(object["rows"].as_array().unwrap().len(), report.rows.len());
        assert_eq!(object["advice"], json!({"part_bytes": 5 * MIB, "workers": 4}));
        assert_eq!(object["is_whole"], true);
        let row = &object["rows"][6];
        assert_eq!((&row["part_bytes"], &row["workers"]), (&json!(5 * MIB), &json!(4)));
        assert_eq!(row["speed_up"], 3.83);
        assert_eq!((&row["part_count"], &row["asked_part_bytes"]), (&json!(20), &json!([5 * MIB])));
        assert_eq!(row["runs"][0]["part_median_ms"], 250.0);
        assert_eq!(object["conclusions"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn what_was_not_measured_is_null() {
        let object: Value = serde_json::from_str(&to_json(&report(&[]))).unwrap();
        assert_eq!((&object["advice"], &object["rows"]), (&Value::Null, &json!([])));
        let mut report = report(&[(5, 4, 100)]);
        report.case_count = 2;
        report.rows[0].runs[0].peak_bytes = None;
        let object: Value = serde_json::from_str(&to_json(&report)).unwrap();
        assert_eq!(
            (&object["rows"][0]["speed_up"], &object["rows"][0]["peak_bytes"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(object["is_whole"], false);
    }
}
