//! What goes to standard output and standard error, and how names from outside are made safe for a terminal.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::Context as _;

/// Writes data. A reader that has gone away (`towline ls | head`) is no error.
pub(crate) fn data(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Says something to the person at the terminal.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told when standard error is closed.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// A name from outside with everything escaped that could steer a terminal or hide what it says.
pub(crate) fn printable(name: &str) -> String {
    name.chars()
        .flat_map(|c| {
            let is_plain = c == '\'' || c == '"' || (!c.is_control() && !is_invisible(c));
            let escaped = (!is_plain || c == '\\').then(|| c.escape_debug().collect());
            escaped.unwrap_or_else(|| vec![c])
        })
        .collect()
}

/// Marks that change the direction of text, and characters without any width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Lines up columns; the last one may be as wide as it likes.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            write!(line, "{cell:width$}  ").expect("a String takes every write");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number of bytes as a person reads it.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // Tenths of the unit below: enough for people, and whole numbers cannot round wrongly.
    let mut tenths = u128::from(count) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A span of time in its largest unit.
pub(crate) fn age(span: std::time::Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_from_outside_cannot_steer_the_terminal() {
        for (name, shown) in [
            ("holiday video 🎬.mp4", "holiday video 🎬.mp4"),
            ("it's \"here\"", "it's \"here\""),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\tc\u{7f}", "a\\nb\\tc\\u{7f}"),
            ("exe.\u{202e}gpj", "exe.\\u{202e}gpj"),
            ("back\\slash", "back\\\\slash"),
        ] {
            assert_eq!(printable(name), shown);
        }
    }

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let rows = [vec!["id".into(), "name".into()], vec!["ü".into(), "b c".into()]];
        assert_eq!(table(&rows), "id  name\nü   b c\n");
    }

    #[test]
    fn sizes_and_ages_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (5 * 1024 * 1024, "5.0 MiB"),
            (1_610_612_736, "1.5 GiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
