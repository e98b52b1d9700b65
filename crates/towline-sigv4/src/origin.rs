//! Scheme and authority of the server that a signature is for.

use std::fmt;

use thiserror::Error;

/// Where requests go: `https://host:port`, without a path. The port that the scheme implies is left out, as clients
/// leave it out of the `Host` header that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    host_at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an origin is written https://host or http://host:port, without a path")]
pub struct BadOrigin;

impl Origin {
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let (scheme, host) = text.split_once("://").ok_or(BadOrigin)?;
        let implied = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => return Err(BadOrigin),
        };
        let host = host.strip_suffix(implied).unwrap_or(host);
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if !host.bytes().all(is_host) || !names_machine(host) {
            return Err(BadOrigin);
        }
        Ok(Self { host_at: scheme.len() + 3, text: format!("{scheme}://{host}") })
    }

    /// As the `Host` header says it.
    pub fn host(&self) -> &str {
        &self.text[self.host_at..]
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether it is a name or an address, perhaps with a port that there can be. Clients drop one that there cannot be, and ask
/// at the scheme's own port.
fn names_machine(host: &str) -> bool {
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    let (name, port) = host.split_at(end.unwrap_or(host.len()));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_name = match name.strip_prefix('[') {
        Some(address) => address.ends_with(']'),
        None => !name.is_empty() && !name.contains(['[', ']']),
    };
    is_name && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_the_scheme_implies_is_left_out() {
        for (text, origin, host) in [
            ("https://Bucket.S3.amazonaws.com", "https://bucket.s3.amazonaws.com", "bucket.s3.amazonaws.com"),
            ("https://s3.example:443/", "https://s3.example", "s3.example"),
            ("http://127.0.0.1:80", "http://127.0.0.1", "127.0.0.1"),
            ("http://127.0.0.1:443", "http://127.0.0.1:443", "127.0.0.1:443"),
            ("http://[::1]:9000", "http://[::1]:9000", "[::1]:9000"),
        ] {
            let found = Origin::parse(text).unwrap();
            assert_eq!((found.as_str(), found.host()), (origin, host));
        }
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in
            ["", "s3.example", "ftp://s3.example", "https://", "https://a/b", "https://u@h", "http://a b"]
        {
            assert_eq!(Origin::parse(text), Err(BadOrigin), "{text}");
        }
    }

    #[test]
    fn a_port_that_cannot_be_is_refused() {
        for host in ["a:65535", "[::1]:1", "[::1]"] {
            assert!(Origin::parse(&format!("http://{host}")).is_ok(), "{host}");
        }
        for host in [
            "a:0",
            "a:65536",
            "127.0.0.1:83967",
            "a:",
            ":80",
            "a:abc",
            "a:1:2",
            "[::1]:70000",
            "[::1]:",
            "[::1]a",
            "[::1",
            "a]:1",
        ] {
            for scheme in ["http", "https"] {
                assert_eq!(Origin::parse(&format!("{scheme}://{host}")), Err(BadOrigin), "{host}");
            }
        }
    }
}
