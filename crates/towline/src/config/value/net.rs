//! Addresses, URLs, origins and headers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::HeaderValue;
use axum::http::uri::Authority;
use towline_doors::OriginPattern;

use super::{Shown, Value, items, shown, text};

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl Address {
    pub(crate) fn is_loopback(self) -> bool {
        match self.0.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Value for Address {
    const PLACEHOLDER: &'static str = "ADDRESS";

    fn allowed() -> String {
        "an IP address and a port, such as 127.0.0.1:8000, [::1]:8000, 0.0.0.0:80 or localhost:8000".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let text = text(raw)?;
        let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
        let address = match local {
            Some(port) => Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
            None => text.parse().ok(),
        };
        address.map(Self).ok_or_else(|| format!("{text:?} is not an address"))
    }

    fn show(&self) -> Shown {
        shown(self.to_string())
    }
}

/// The start of a URL: scheme, host and perhaps a path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(pub(crate) String);

impl Value for BaseUrl {
    const PLACEHOLDER: &'static str = "URL";

    fn allowed() -> String {
        "http:// or https:// with a host and perhaps a path, without ? and #".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let text = text(raw)?;
        let url = text.parse::<axum::http::Uri>().ok().filter(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.authority().is_some_and(names_machine)
                && !text.contains(['?', '#'])
        });
        match url {
            Some(_) => Ok(Self(text.trim_end_matches('/').to_owned())),
            None => Err(format!("{text:?} is not such a URL")),
        }
    }

    fn show(&self) -> Shown {
        shown(&self.0)
    }
}

/// Whether there is a host, and no port that there cannot be: that one would be dropped without a word, for the scheme's own.
fn names_machine(authority: &Authority) -> bool {
    let (host, text) = (authority.host(), authority.as_str());
    let place = text.rsplit('@').next().unwrap_or_default();
    !host.is_empty() && (place == host || authority.port_u16().is_some_and(|port| port > 0))
}

impl BaseUrl {
    /// As an argument that is no setting.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(&text.into())
    }
}

/// An allow-list of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origins {
    texts: Vec<String>,
    pub(crate) patterns: Vec<OriginPattern>,
}

impl Value for Origins {
    const PLACEHOLDER: &'static str = "ORIGINS";

    fn allowed() -> String {
        "a list of origins such as https://example.com or http://localhost:*, or * alone".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let items = items(raw)?;
        let texts: Vec<&str> = items.iter().map(text).collect::<Result<_, _>>()?;
        let patterns = texts.iter().map(|text| OriginPattern::parse(text));
        Ok(Self {
            patterns: patterns.collect::<Result<_, _>>().map_err(|bad| bad.to_string())?,
            texts: texts.into_iter().map(str::to_owned).collect(),
        })
    }

    fn show(&self) -> Shown {
        Shown::Is(self.texts.clone().into())
    }
}

/// What the header of this name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheControl(pub(crate) HeaderValue);

impl Value for CacheControl {
    const PLACEHOLDER: &'static str = "TEXT";

    fn allowed() -> String {
        "printable ASCII, such as public, max-age=3600".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let text = text(raw)?.trim();
        let value = HeaderValue::from_str(text).ok();
        let value = value.filter(|value| !value.is_empty() && value.to_str().is_ok());
        value.map(Self).ok_or_else(|| format!("{raw} is not the value of a header"))
    }

    fn show(&self) -> Shown {
        shown(self.0.to_str().expect("it was read from ASCII"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port_and_know_whether_they_are_loopback() {
        for (raw, is_loopback) in [
            ("127.0.0.1:8000", true),
            ("127.9.9.9:1", true),
            ("localhost:0", true),
            ("[::1]:8000", true),
            ("[::ffff:127.0.0.1]:8000", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("10.0.0.1:80", false),
        ] {
            assert_eq!(Address::read(&raw.into()).unwrap().is_loopback(), is_loopback, "{raw}");
        }
        for raw in ["", "8000", ":8000", "127.0.0.1", "example.com:80", "localhost:70000"] {
            assert!(Address::read(&raw.into()).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_public_url_is_a_start() {
        let url = BaseUrl::read(&"https://up.example.com/files/".into()).unwrap();
        assert_eq!(url.show(), shown("https://up.example.com/files"));
        for raw in ["", "up.example.com", "ftp://up", "https://up?x=1", "https://up/#a", "https://"] {
            assert!(BaseUrl::read(&raw.into()).is_err(), "{raw}");
        }
        for host in ["up:65535", "[::1]:9000", "[::1]"] {
            assert!(BaseUrl::parse(&format!("http://{host}")).is_ok(), "{host}");
        }
        for host in ["up:0", "up:65536", "127.0.0.1:83967", "up:", "up:abc", "[::1]:70000"] {
            assert!(BaseUrl::parse(&format!("http://{host}/x")).is_err(), "{host}");
        }
    }

    #[test]
    fn origins_are_a_list_and_shown_as_they_were_given() {
        let origins = Origins::read(&"http://localhost:*, https://a.example".into()).unwrap();
        assert_eq!(origins.patterns.len(), 2);
        let list = vec!["http://localhost:*", "https://a.example"];
        assert_eq!(origins.show(), Shown::Is(list.into()));
        assert!(Origins::read(&"example.com".into()).is_err());
    }
    #[test]
    fn what_a_header_says_is_one_line_of_ascii() {
        let said = CacheControl::read(&" public, max-age=60 ".into()).unwrap();
        assert_eq!(said.show(), shown("public, max-age=60"));
        for raw in ["", " ", "a\r\nSet-Cookie: b", "\u{e4}"] {
            assert!(CacheControl::read(&raw.into()).is_err(), "{raw:?}");
        }
    }
}
