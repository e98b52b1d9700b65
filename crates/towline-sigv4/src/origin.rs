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
        if host.is_empty() || !host.bytes().all(is_host) {
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
}
