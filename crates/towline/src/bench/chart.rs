//! The rates as a chart: a line for each part size over the workers, and the figures below, each under its point. It
//! holds all it needs, and is read on light and on dark.

mod scale;

use std::fmt::Write as _;

use super::judge::judge;
use super::words::size;
use super::{Case, Report};
use crate::output::bytes;
use scale::{Scale, Unit};

const LEFT: usize = 112;
const RIGHT: usize = 40;
const TOP: usize = 104;
const PLOT_HEIGHT: usize = 300;
const BOTTOM: usize = TOP + PLOT_HEIGHT;
const ROW_HEIGHT: usize = 30;
/// Where the figures begin.
const FIGURES: usize = BOTTOM + 84;

/// Told apart by people who see few colours, too: Okabe and Ito's, lighter ones on dark. Shapes differ as well.
const COLOURS: [(&str, &str); 6] = [
    ("#0072b2", "#5cb3f0"),
    ("#d55e00", "#ff9256"),
    ("#009e73", "#35cfa0"),
    ("#b0508a", "#e99ac9"),
    ("#8a6d00", "#f0c541"),
    ("#5b5fc7", "#a5a8ff"),
];

const STYLE: &str = "\
text{font:14px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1d2329;font-variant-numeric:tabular-nums}\
.title{font-size:20px;font-weight:650}.soft{fill:#5d6875}.small{font-size:13px}.chosen{font-weight:700}\
.paper{fill:#fff}.grid{stroke:#e3e7eb}.axis{stroke:#9aa5b1}.halo{stroke:#fff}.row{fill:#f4f6f8}";

const DARK_STYLE: &str = "\
text{fill:#e7ebef}.soft{fill:#9ba7b4}.paper{fill:#14181d}.grid{stroke:#2a313a}.axis{stroke:#5d6875}\
.halo{stroke:#14181d}.row{fill:#1c2229}";

pub(super) fn to_svg(report: &Report) -> String {
    let chart = Chart::of(report);
    let (width, height) = (chart.width(), chart.height());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Upload rate by workers and part size\">\n<style>{STYLE}{}\
         @media (prefers-color-scheme:dark){{{DARK_STYLE}{}}}</style>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"12\"/>\n",
        colours(|colour| colour.0),
        colours(|colour| colour.1),
    );
    chart.heading(&mut svg);
    chart.axes(&mut svg);
    chart.lines(&mut svg);
    chart.figures(&mut svg);
    svg + "</svg>\n"
}

/// `color` is what `currentColor` means: viewers know that which know no variables.
fn colours(of: impl Fn(&(&'static str, &'static str)) -> &'static str) -> String {
    let rules =
        COLOURS.iter().enumerate().map(|(index, colour)| format!(".s{index}{{color:{}}}", of(colour)));
    rules.collect()
}

/// What is drawn, and where.
struct Chart<'a> {
    report: &'a Report,
    part_sizes: Vec<u64>,
    worker_counts: Vec<usize>,
    column_width: usize,
    scale: Scale,
    advice: Option<Case>,
}

impl<'a> Chart<'a> {
    fn of(report: &'a Report) -> Self {
        let worker_counts = report.worker_counts();
        let top = report.rows.iter().map(|row| report.rate(row)).max().unwrap_or(0);
        Self {
            report,
            part_sizes: report.part_sizes(),
            column_width: (640 / worker_counts.len().max(1)).clamp(68, 220),
            worker_counts,
            scale: Scale::up_to(top),
            advice: judge(report).map(|verdict| verdict.advice),
        }
    }

    fn plot_width(&self) -> usize {
        (self.column_width * self.worker_counts.len()).max(480)
    }

    fn width(&self) -> usize {
        LEFT + self.plot_width() + RIGHT
    }

    fn height(&self) -> usize {
        FIGURES + self.part_sizes.len() * ROW_HEIGHT + 48
    }

    /// The middle of a column.
    fn x(&self, column: usize) -> usize {
        let width = self.plot_width() / self.worker_counts.len().max(1);
        LEFT + column * width + width / 2
    }

    fn y(&self, bytes_per_s: u64) -> usize {
        BOTTOM - self.scale.height(bytes_per_s, PLOT_HEIGHT)
    }

    fn heading(&self, svg: &mut String) {
        let about = format!("{} each to {}", bytes(self.report.size_bytes), self.report.place);
        text(svg, (24, 38), "title", "Upload rate");
        text(svg, (24, 62), "soft", &about);
        anchored(svg, (LEFT - 12, TOP - 18), ("soft small", "end"), self.scale.unit.name);
    }

    fn axes(&self, svg: &mut String) {
        let right = LEFT + self.plot_width();
        for tick in self.scale.ticks() {
            let y = self.y(tick.bytes_per_s);
            let class = if tick.bytes_per_s == 0 { "axis" } else { "grid" };
            put(
                svg,
                &format!("<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>"),
            );
            anchored(svg, (LEFT - 12, y + 5), ("soft small", "end"), &tick.label);
        }
        for (column, workers) in self.worker_counts.iter().enumerate() {
            let x = self.x(column);
            put(
                svg,
                &format!(
                    "<line class=\"axis\" x1=\"{x}\" y1=\"{BOTTOM}\" x2=\"{x}\" y2=\"{}\"/>",
                    BOTTOM + 6
                ),
            );
            anchored(svg, (x, BOTTOM + 25), ("", "middle"), &workers.to_string());
        }
        let middle = LEFT + self.plot_width() / 2;
        anchored(svg, (middle, BOTTOM + 50), ("soft small", "middle"), "workers: parts sent at once");
    }

    fn lines(&self, svg: &mut String) {
        for (series, part_bytes) in self.part_sizes.iter().copied().enumerate() {
            let points: Vec<Point> = self.points(part_bytes).collect();
            let path: Vec<String> = points.iter().map(|point| format!("{},{}", point.x, point.y)).collect();
            put(
                svg,
                &format!(
                    "<g class=\"s{}\" stroke=\"currentColor\" fill=\"currentColor\">",
                    series % COLOURS.len()
                ),
            );
            put(
                svg,
                &format!(
                    "<polyline points=\"{}\" fill=\"none\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>",
                    path.join(" ")
                ),
            );
            for point in points {
                if Some(point.case) == self.advice {
                    let (x, y) = (point.x, point.y);
                    put(
                        svg,
                        &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"11\" fill=\"none\" stroke-width=\"2\"/>"),
                    );
                }
                put(svg, &mark(series, (point.x, point.y), ("point halo", Some(&self.tip(&point)))));
            }
            put(svg, "</g>");
        }
    }

    fn points(&self, part_bytes: u64) -> impl Iterator<Item = Point> {
        self.worker_counts.iter().enumerate().filter_map(move |(column, workers)| {
            let case = Case { part_bytes, workers: *workers };
            let bytes_per_s = self.report.rate(self.report.row(case)?);
            Some(Point { case, bytes_per_s, x: self.x(column), y: self.y(bytes_per_s) })
        })
    }

    fn tip(&self, point: &Point) -> String {
        let Unit { name, .. } = self.scale.unit;
        let (part, rate) = (size(point.case.part_bytes), self.scale.figure(point.bytes_per_s));
        format!("parts of {part}, workers: {}, {rate} {name}", point.case.workers)
    }

    /// The legend and all values in one: a row for each part size.
    fn figures(&self, svg: &mut String) {
        let width = self.width() - 32;
        for (series, part_bytes) in self.part_sizes.iter().copied().enumerate() {
            let top = FIGURES + series * ROW_HEIGHT;
            let base = top + 20;
            if series % 2 == 0 {
                let place =
                    format!("x=\"16\" y=\"{top}\" width=\"{width}\" height=\"{ROW_HEIGHT}\" rx=\"6\"");
                put(svg, &format!("<rect class=\"row\" {place}/>"));
            }
            put(
                svg,
                &format!(
                    "<g class=\"s{}\" stroke=\"currentColor\" fill=\"currentColor\">",
                    series % COLOURS.len()
                ),
            );
            put(svg, &mark(series, (32, base - 5), ("halo", None)));
            put(svg, "</g>");
            text(svg, (46, base), "", &size(part_bytes));
            for point in self.points(part_bytes) {
                let class = if Some(point.case) == self.advice { "chosen" } else { "" };
                anchored(svg, (point.x, base), (class, "middle"), &self.scale.figure(point.bytes_per_s));
            }
        }
        let last = FIGURES + self.part_sizes.len() * ROW_HEIGHT + 28;
        let unit = self.scale.unit.name;
        let what = self.advice.map_or_else(String::new, |case| {
            let workers = if case.workers == 1 { "1 worker" } else { &format!("{} workers", case.workers) };
            format!(" The ring is the advice: {workers}, parts of {}.", size(case.part_bytes))
        });
        text(svg, (24, last), "soft small", &format!("A row for each part size, in {unit}.{what}"));
    }
}

struct Point {
    case: Case,
    bytes_per_s: u64,
    x: usize,
    y: usize,
}

/// A mark on a line: its shape tells lines apart without colours.
fn mark(series: usize, (x, y): (usize, usize), (class, tip): (&str, Option<&str>)) -> String {
    let shape = match series % 4 {
        0 => "m-5.5,0a5.5,5.5 0 1,0 11,0a5.5,5.5 0 1,0 -11,0z",
        1 => "m-5,-5h10v10h-10z",
        2 => "m0,-7l7,7l-7,7l-7,-7z",
        _ => "m0,-6.5l6.5,11.5h-13z",
    };
    let tip = tip.map_or_else(String::new, |tip| format!("<title>{}</title>", escaped(tip)));
    format!("<path class=\"{class}\" d=\"M{x},{y}{shape}\" stroke-width=\"1.5\">{tip}</path>")
}

fn text(svg: &mut String, place: (usize, usize), class: &str, words: &str) {
    anchored(svg, place, (class, "start"), words);
}

fn anchored(svg: &mut String, (x, y): (usize, usize), (class, anchor): (&str, &str), words: &str) {
    let words = escaped(words);
    put(svg, &format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>"));
}

fn put(svg: &mut String, element: &str) {
    writeln!(svg, "{element}").expect("a String takes every write");
}

/// As text of XML and HTML. Control characters have no place in either.
pub(super) fn escaped(text: &str) -> String {
    let shown = crate::output::printable(text);
    shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{far, report};
    use super::*;

    #[test]
    fn every_row_has_a_point_and_a_figure() {
        let report = far();
        let svg = to_svg(&report);
        assert_eq!(svg.matches("class=\"point halo\"").count(), report.rows.len());
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert!(svg.contains("<title>parts of 5 MiB, workers: 4, 4.49 MiB/s</title>"), "{svg}");
        assert_eq!(svg.matches("class=\"chosen\"").count(), 1);
    }

    #[test]
    fn points_stay_on_the_paper() {
        let many: Vec<(u64, usize, u64)> =
            (1..=50).flat_map(|n| [(1, n, 100), (2, n, 1_000_000_000)]).collect();
        for report in [report(&many), report(&[(5, 16, 1)]), report(&[])] {
            let chart = Chart::of(&report);
            for point in chart.part_sizes.iter().flat_map(|part_bytes| chart.points(*part_bytes)) {
                assert!(
                    (LEFT..chart.width() - RIGHT).contains(&point.x) && (TOP..=BOTTOM).contains(&point.y)
                );
            }
        }
    }

    #[test]
    fn names_cannot_leave_their_place() {
        let mut report = far();
        report.place = "<script>\u{1b}\"&".to_owned();
        assert!(to_svg(&report).contains("&lt;script&gt;\\u{1b}&quot;&amp;"));
    }
}
