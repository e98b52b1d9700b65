//! A page about one course: what follows, the chart, all figures. It needs no network.

use towline_doors::rfc3339;

use super::Report;
use super::chart::{escaped, to_svg};
use super::table::{HEAD, cells};
use super::words::{conclusions, notes};
use crate::output::bytes;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1d2329;--soft:#5d6875;--paper:#f4f6f8;--card:#fff;--line:#e3e7eb;--mark:#0072b2}
@media (prefers-color-scheme:dark){:root{--ink:#e7ebef;--soft:#9ba7b4;--paper:#0d1014;--card:#14181d;--line:#2a313a;--mark:#5cb3f0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:2.25rem 0 .75rem}
.soft{color:var(--soft);margin:0}
.advice{font-size:1.15rem;font-weight:600;border-left:4px solid var(--mark);padding:.1rem 0 .1rem 1rem;margin:1.75rem 0 1rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow-x:auto}
.card svg{display:block;max-width:100%;height:auto;min-width:34rem;margin:0 auto}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}
th::first-letter{text-transform:uppercase}
tr:last-child td{border-bottom:0}
ul{margin:0;padding-left:1.2rem}li{margin:.25rem 0}
@media print{body{background:none}.card{border:0}}
";

pub(super) fn to_html(report: &Report) -> String {
    let mut sentences = conclusions(report).into_iter().map(|sentence| escaped(&sentence));
    let best = sentences.next().unwrap_or_default();
    let (size, place, at) = (bytes(report.size_bytes), escaped(&report.place), rfc3339(report.at));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>towline bench</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Part size and workers</h1>\n<p class=\"soft\">{size} each to {place}, measured at {at}</p>\n\
         <p class=\"advice\">{best}</p>\n{}\n<h2>Rate</h2>\n<div class=\"card\">\n{}</div>\n\
         <h2>All figures</h2>\n<div class=\"card\">\n{}</div>\n<h2>To be known</h2>\n{}\n</main>\n</body>\n</html>\n",
        list(sentences),
        to_svg(report),
        table(report),
        list(notes(report).iter().map(|note| escaped(note))),
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items = items.map(|item| format!("<li>{item}</li>\n")).collect::<Vec<_>>().concat();
    if items.is_empty() { items } else { format!("<ul>\n{items}</ul>") }
}

fn table(report: &Report) -> String {
    let row = |name: &str, cells: &[String]| {
        let cells: Vec<String> =
            cells.iter().map(|cell| format!("<{name}>{}</{name}>", escaped(cell))).collect();
        format!("<tr>{}</tr>\n", cells.concat())
    };
    let head = row("th", &HEAD.map(str::to_lowercase));
    let rows = cells(report).iter().map(|cells| row("td", cells)).collect::<Vec<_>>().concat();
    format!("<table>\n<thead>\n{head}</thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}

#[cfg(test)]
mod tests {
    use super::super::samples::far;
    use super::*;

    #[test]
    fn a_page_holds_the_chart_every_row_and_what_follows() {
        let mut report = far();
        report.place = "http://a&b".to_owned();
        let html = to_html(&report);
        assert_eq!(html.matches("<tr><td>").count(), report.rows.len());
        assert!(html.contains("<svg ") && html.contains("http://a&amp;b, measured at 2026-"));
        for sentence in conclusions(&report) {
            assert!(html.contains(&escaped(&sentence)), "{sentence}");
        }
        assert!(!html.contains("src=") && !html.contains("href="), "it needs nothing from elsewhere");
    }
}
