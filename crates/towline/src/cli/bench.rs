//! What `towline bench` is asked.

use std::path::PathBuf;

use clap::ValueHint;

use crate::bench::{Drawing, WORKERS_MAX};
use crate::config::Size;

use super::Way;

const EXAMPLES: &str = "\
Examples:
  towline bench http://up.example:8000 --chart bench.html
  towline bench --sizes 5MiB --workers 1,4 --size 100MB --repeat 3

A bad line to try it on, and how to measure there:
  towline chaos --listen 127.0.0.1:8001 --to 127.0.0.1:8000 --rate 10mbit --latency 50ms
  towline bench http://127.0.0.1:8001 --size 16MiB --sizes 1MiB

Nothing stays there: uploads are given up once their parts are in. Ctrl-C shows what was measured.";

const DESTINATION: &str = "http(s)://SERVER or s3://BUCKET[/PREFIX] [default: the server of TOWLINE_SERVER]";

const SIZE_MAX: u64 = 1 << 40;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bench {
    #[arg(value_name = "DEST", value_hint = ValueHint::Url, help = DESTINATION)]
    pub(crate) destination: Option<String>,
    /// How large parts are, one after the other
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "1MiB,5MiB,10MiB")]
    #[arg(value_parser = Size::parse)]
    pub(crate) sizes: Vec<Size>,
    /// How many parts are sent at once, one after the other
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1,2,4,8,16")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(WORKERS_MAX)))]
    pub(crate) workers: Vec<u16>,
    /// How much is uploaded for each combination
    #[arg(long, default_value = "256MiB", value_parser = parse_size)]
    pub(crate) size: Size,
    /// How often each combination is measured; the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) repeat: u16,
    /// Draw the rates into this .svg or .html file
    #[arg(long, value_name = "FILE", value_parser = parse_drawing, value_hint = ValueHint::FilePath)]
    pub(crate) chart: Option<(Drawing, PathBuf)>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) way: Way,
}

fn parse_size(text: &str) -> Result<Size, String> {
    let size = Size::parse(text)?;
    if size.0 > SIZE_MAX { Err("at most 1TiB is uploaded".to_owned()) } else { Ok(size) }
}

/// What is drawn is known by the end of the file's name.
fn parse_drawing(text: &str) -> Result<(Drawing, PathBuf), String> {
    let path = PathBuf::from(text);
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let drawing = match ending.to_str() {
        Some("svg") => Drawing::Svg,
        Some("html" | "htm") => Drawing::Html,
        Some(_) | None => return Err("its name ends in .svg or .html".to_owned()),
    };
    Ok((drawing, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_known_by_its_name() {
        assert_eq!(parse_drawing("a.SVG").unwrap().0, Drawing::Svg);
        assert_eq!(parse_drawing("b/c.html").unwrap().0, Drawing::Html);
        for bad in ["", "svg", "a.png", "a.svg.gz", ".html"] {
            assert!(parse_drawing(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_uploaded_has_an_end() {
        assert_eq!(parse_size("1TiB"), Ok(Size(SIZE_MAX)));
        for bad in ["0", "2TiB", "much"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
