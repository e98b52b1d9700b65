//! What `towline put` is asked.

use std::ffi::OsString;

use clap::ValueHint;
use clap::builder::RangedI64ValueParser;
use towline_client::put::Patience;

use crate::config::Size;

use super::{Voice, Way};

const EXAMPLES: &str = "\
Examples:
  towline put video.mp4 http://up.example:8000      to a Towline server (or set TOWLINE_SERVER)
  towline put -r photos s3://bucket/2026/           straight to S3, as AWS's tools do
  tar c /etc | towline put - --key etc.tar

Broken off? The same command again goes on: what has landed is not sent again.";

/// S3 and its kin take no larger one.
const PART_BYTES_MAX: u64 = 5 << 30;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = "towline put [OPTIONS] <FILE>... [DEST]")]
pub(crate) struct Put {
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    #[arg(help = "Files, '*.patterns', - for stdin; last, where to: http://SERVER or s3://BUCKET[/KEY]")]
    pub(crate) files: Vec<OsString>,
    /// The name there; ending in / it stands before the files' names
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Folders with all that is in them; of FOLDER/ only what is in it
    #[arg(long, short)]
    pub(crate) recursive: bool,
    /// What the files are [default: guessed from their names]
    #[arg(long, value_name = "TYPE", value_parser = parse_type)]
    pub(crate) content_type: Option<String>,
    /// Kept with the files; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_meta)]
    pub(crate) meta: Vec<(String, String)>,
    /// How large parts are, such as 16MiB [default: the other end's]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) part_size: Option<Size>,
    /// How many parts are sent at once [default: as many as help]
    #[arg(long, value_name = "COUNT", value_parser = parse_workers())]
    pub(crate) workers: Option<u16>,
    /// How often a part is tried before its file fails
    #[arg(long, value_name = "COUNT", default_value_t = Patience::default().tries, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) tries: u32,
    /// Only show what would go where
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Go on with this upload
    #[arg(long, value_name = "ID")]
    pub(crate) resume: Option<String>,
    /// Break off on purpose when this share is there, such as 0.6
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    pub(crate) simulate_failure: Option<f64>,
    /// Remember nothing on this machine
    #[arg(long)]
    pub(crate) no_journal: bool,
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(flatten)]
    pub(crate) way: Way,
}

pub(super) fn parse_workers() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=256)
}

fn parse_size(text: &str) -> Result<Size, String> {
    let size = Size::parse(text)?;
    if size.0 > PART_BYTES_MAX {
        return Err("a part has at most 5GiB".to_owned());
    }
    Ok(size)
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    let share = share.ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "it is a share between 0 and 1, such as 0.6 or 60%".to_owned())
}

/// Both become headers of HTTP, and S3 writes names small.
fn parse_meta(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no = between name and value")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(format!("{name:?} is no name: letters, digits, '-', '_' and '.' make one"));
    }
    if value.chars().any(char::is_control) {
        return Err("the value holds control characters".to_owned());
    }
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

fn parse_type(text: &str) -> Result<String, String> {
    let is_type = text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    let is_header = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if is_type && is_header { Ok(text.to_owned()) } else { Err("it is such as video/mp4".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_no_larger_than_s3_takes() {
        assert_eq!(parse_size("16MiB"), Ok(Size(16 << 20)));
        assert_eq!(parse_size("5GiB"), Ok(Size(5 << 30)));
        for bad in ["0", "big", "", "6GiB", "-1"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_is_a_fraction_or_a_percentage() {
        for (text, share) in [("0.6", 0.6), ("60%", 0.6), (".25", 0.25)] {
            assert!((parse_share(text).unwrap() - share).abs() < 1e-9, "{text}");
        }
        for bad in ["0", "1", "60", "x", "NaN", "inf", "-0.5", "100%"] {
            assert!(parse_share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_is_named_as_headers_are() {
        assert_eq!(parse_meta("Camera=a=b"), Ok(("camera".to_owned(), "a=b".to_owned())));
        for bad in ["camera", "=x", "a b=c", "ä=1", "a=\n"] {
            assert!(parse_meta(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_content_type_fits_a_header() {
        assert!(parse_type("text/plain; charset=utf-8").is_ok());
        for bad in ["", "video", "/mp4", "video/", "a/b\r\nc: d", "ä/b"] {
            assert!(parse_type(bad).is_err(), "{bad}");
        }
    }
}
