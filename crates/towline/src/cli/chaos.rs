//! What `towline chaos` is asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::chaos::{Conditions, Rate, Share, Spacing, Target, WINDOW_BYTES, parse_time};
use crate::config::Size;

const EXAMPLES: &str = "\
Examples:
  towline chaos --to http://127.0.0.1:8000 --rate 10mbit --latency 100ms
  towline chaos --to localhost:3900 --listen 127.0.0.1:4000 --cut-every 20MiB --error-rate 5%

Point any client at the address that is printed. Ctrl-C prints what was carried and done.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Chaos {
    /// The server: http://HOST:PORT or HOST:PORT
    #[arg(long, value_name = "ADDRESS", value_parser = Target::parse)]
    pub(crate) to: Target,
    /// Where clients connect to; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = parse_address)]
    pub(crate) listen: SocketAddr,
    /// The same number, the same chances [default: a random one]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    pub(crate) lasts: Option<Duration>,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// What a connection gets, each way: 10mbit, 500kbit, 2MiB … a second
    #[arg(long, value_parser = Rate::parse, help_heading = "Slow and far away")]
    pub(crate) rate: Option<Rate>,
    /// What all connections get together, each way
    #[arg(long, value_name = "RATE", value_parser = Rate::parse, help_heading = "Slow and far away")]
    pub(crate) line_rate: Option<Rate>,
    /// How long bytes are on their way, each way
    #[arg(long, value_name = "TIME", default_value = "0", hide_default_value = true, value_parser = parse_time, help_heading = "Slow and far away")]
    pub(crate) latency: Duration,
    /// Up to so much longer, by chance; bytes stay in order
    #[arg(long, value_name = "TIME", default_value = "0", hide_default_value = true, value_parser = parse_time, help_heading = "Slow and far away")]
    pub(crate) jitter: Duration,
    /// At most so much of a connection is on its way, each way [default: 4MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_window, help_heading = "Slow and far away")]
    pub(crate) window: Option<u64>,
    /// Lose packets: each is a pause of 200 ms and twice the latency
    #[arg(long, value_name = "SHARE", default_value = "0%", hide_default_value = true, value_parser = parse_loss, help_heading = "Slow and far away")]
    pub(crate) loss: Share,

    /// Reset a connection after 20MiB, or 30s, on average
    #[arg(long, value_name = "SIZE|TIME", value_parser = Spacing::parse, help_heading = "Broken")]
    pub(crate) cut_every: Option<Spacing>,
    /// Let a connection fall silent every so often
    #[arg(long, value_name = "SIZE|TIME", value_parser = Spacing::parse, help_heading = "Broken")]
    pub(crate) stall_every: Option<Spacing>,
    /// How long it stays silent
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time, help_heading = "Broken")]
    pub(crate) stall: Duration,
    /// Answer so many requests with 429, 500, 502 or 503 instead
    #[arg(long, value_name = "SHARE", default_value = "0%", hide_default_value = true, value_parser = Share::parse, help_heading = "Broken")]
    pub(crate) error_rate: Share,
    /// Let the server do what so many ask, and cut instead of a reply
    #[arg(long, value_name = "SHARE", default_value = "0%", hide_default_value = true, value_parser = Share::parse, help_heading = "Broken")]
    pub(crate) swallow_rate: Share,
}

impl Chaos {
    /// `seed` where none was asked for.
    pub(crate) fn conditions(&self, seed: u64) -> Conditions {
        Conditions {
            rate: self.rate,
            line_rate: self.line_rate,
            latency: self.latency,
            jitter: self.jitter,
            window_bytes: self.window.unwrap_or(WINDOW_BYTES),
            loss: self.loss,
            cut_every: self.cut_every,
            stall_every: self.stall_every,
            stall: self.stall,
            error_rate: self.error_rate,
            swallow_rate: self.swallow_rate,
            seed: self.seed.unwrap_or(seed),
        }
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let address = match local {
        Some(port) => Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        None => text.parse().ok(),
    };
    address.ok_or_else(|| "allowed is an IP address and a port, such as 127.0.0.1:0 or [::1]:4000".to_owned())
}

/// Less than a few packets would stall TCP itself.
fn parse_window(text: &str) -> Result<u64, String> {
    let window = Size::parse(text).ok().map(|size| size.0);
    window
        .filter(|bytes| (4096..=1 << 30).contains(bytes))
        .ok_or_else(|| "allowed is a size from 4KiB to 1GiB, such as 128KiB".to_owned())
}

/// More would be no line at all.
fn parse_loss(text: &str) -> Result<Share, String> {
    let loss = Share::parse(text)?;
    if loss.is_at_most_half() {
        Ok(loss)
    } else {
        Err("allowed is a share from 0% to 50%, such as 1%".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_line_can_be_is_refused() {
        assert_eq!(parse_address("localhost:80"), Ok("127.0.0.1:80".parse().unwrap()));
        assert!(parse_address("80").is_err());
        for (text, window) in [("4KiB", Some(4096)), ("1GiB", Some(1 << 30)), ("1KiB", None), ("2GiB", None)]
        {
            assert_eq!(parse_window(text).ok(), window, "{text}");
        }
        assert!(parse_loss("50%").is_ok() && parse_loss("51%").is_err());
    }
}
