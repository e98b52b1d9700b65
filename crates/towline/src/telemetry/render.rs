//! The metrics as Prometheus reads them (text format 0.0.4).

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use towline_core::engine::{Count, Tally};

use super::meter::{BUCKETS_S, Histogram, Label, Meter};
use super::process;

/// All metrics of a server.
pub(crate) fn to_prometheus(meter: &Meter, tally: &Tally) -> String {
    let mut page = Page::default();
    page.metric("build_info", "gauge", "The version that runs");
    page.sample("build_info", &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")), 1);
    for count in Count::ALL {
        let (name, help) = count.describe();
        page.single(&format!("{name}_total"), "counter", help, tally.get(count));
    }
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (name, kind, help, value) in [
        ("received_bytes_total", "counter", "Bytes read from connections", &meter.received_bytes),
        ("sent_bytes_total", "counter", "Bytes written to connections", &meter.sent_bytes),
        ("connections_total", "counter", "Connections accepted", &meter.connections),
        ("open_connections", "gauge", "Connections that are open", &meter.open_connections),
        ("open_requests", "gauge", "Requests without a reply yet", &meter.open_requests),
    ] {
        page.single(name, kind, help, read(value));
    }
    page.requests(meter);
    page.process();
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.text, "# HELP towline_{name} {help}\n# TYPE towline_{name} {kind}")
            .expect("a String takes every write");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        writeln!(self.text, "towline_{name}{labels} {value}").expect("a String takes every write");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.sample(name, "", value);
    }

    fn requests(&mut self, meter: &Meter) {
        const NAME: &str = "request_seconds";
        self.metric(NAME, "histogram", "From the head of a request to the head of its reply");
        for (Label { door, class }, Histogram { counts, sum_s }) in meter.requests() {
            let labels = format!("door=\"{door}\",status=\"{class}xx\"");
            let mut total = 0;
            for (end, count) in BUCKETS_S.iter().map(f64::to_string).chain(["+Inf".into()]).zip(counts) {
                total += count;
                self.sample(&format!("{NAME}_bucket"), &format!("{labels},le=\"{end}\""), total);
            }
            self.sample(&format!("{NAME}_sum"), &labels, sum_s);
            self.sample(&format!("{NAME}_count"), &labels, total);
        }
    }

    fn process(&mut self) {
        let process::Usage { resident_bytes, cpu_s, open_files } = process::usage();
        if let Some(bytes) = resident_bytes {
            self.single("resident_bytes", "gauge", "Memory of the process", bytes);
        }
        if let Some(seconds) = cpu_s {
            self.single("cpu_seconds_total", "counter", "CPU time of the process", seconds);
        }
        if let Some(files) = open_files {
            self.single("open_files", "gauge", "Open file descriptors", files);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_is_counted_in_its_bucket_and_all_above() {
        let meter = Meter::default();
        let label = Label { door: "session", class: 2 };
        meter.add_request(label, Duration::from_millis(3));
        meter.add_request(label, Duration::from_hours(1));
        let mut page = Page::default();
        page.requests(&meter);
        insta::assert_snapshot!("histogram", page.text);
    }

    #[test]
    fn every_line_is_a_comment_or_a_sample_of_ours() {
        let text = to_prometheus(&Meter::default(), &Tally::default());
        for line in text.lines() {
            let is_ours =
                line.starts_with("towline_") && line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok();
            assert!(line.starts_with("# ") || is_ours, "{line}");
        }
        for count in Count::ALL {
            assert!(text.contains(&format!("\ntowline_{}_total 0\n", count.describe().0)));
        }
    }
}
