//! Where a server is: its URL, with the path that it lives under.

use http::Uri;
use http::uri::Scheme;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::trouble::Trouble;

/// What a key's characters become in a path; the slashes between its segments stay.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// The same of one value in a query.
const IN_QUERY: &AsciiSet = &IN_PATH.add(b'/');

/// A URL without a slash at its end; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(String);

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, Trouble> {
        let refused = |why: &str| Trouble::refused(format!("this is no URL of a server: {why}"));
        let uri = parse_uri(text)
            .map_err(|why| refused(why).hint("a server's URL is like https://up.example.org"))?;
        if uri.query().is_some() {
            return Err(refused("it has a query"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// What lies at a path, which begins with a slash and is escaped.
    pub(super) fn at(&self, path: &str) -> Result<Uri, Trouble> {
        let text = format!("{}{path}", self.0);
        text.parse().map_err(|_| Trouble::refused("a name is too long for a URL"))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.starts_with("https:")
    }
}

/// An absolute URL of HTTP without credentials, or what is wrong with it.
pub(super) fn parse_uri(text: &str) -> Result<Uri, &'static str> {
    // What comes after it is never sent, and would be lost without a word.
    if text.contains('#') {
        return Err("it has a '#'");
    }
    let uri: Uri = text.parse().map_err(|_| "it cannot be read")?;
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => {}
        Some(_) | None => return Err("it begins with neither http:// nor https://"),
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("it has a user in it: a token is given by TOWLINE_TOKEN or --token")
        }
        Some(authority) if authority.host().is_empty() => Err("it names no host"),
        // It would be dropped without a word, and the scheme's own port would be asked, token included.
        Some(authority)
            if authority.as_str() != authority.host()
                && authority.port_u16().is_none_or(|port| port == 0) =>
        {
            Err("its port is none: ports are numbers from 1 to 65535")
        }
        Some(_) => Ok(uri),
        None => Err("it names no host"),
    }
}

/// Where a redirect leads, as seen from the URL that was asked for; nothing where it cannot be followed, or leads out of
/// TLS: what was asked for in confidence is not asked for in the open.
pub(super) fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    if location.contains("://") {
        let is_weaker =
            |to: &Uri| from.scheme() == Some(&Scheme::HTTPS) && to.scheme() != Some(&Scheme::HTTPS);
        return parse_uri(location).ok().filter(|to| !is_weaker(to));
    }
    let path = location.strip_prefix('/')?;
    if path.starts_with('/') {
        return None;
    }
    parse_uri(&format!("{}://{}{location}", from.scheme_str()?, from.authority()?)).ok()
}

/// A URL without its query, which may be a signature.
pub(super) fn shown(uri: &Uri) -> String {
    let (scheme, authority) = (uri.scheme_str().unwrap_or("http"), uri.authority());
    format!("{scheme}://{}{}", authority.map_or("", |authority| authority.as_str()), uri.path())
}

pub(super) fn in_path(key: &str) -> String {
    utf8_percent_encode(key, IN_PATH).to_string()
}

pub(super) fn in_query(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_live_under_a_path() {
        for (text, expected) in [
            ("http://a", "http://a/x"),
            ("https://a.b:8443/", "https://a.b:8443/x"),
            ("http://[::1]:9/up/", "http://[::1]:9/up/x"),
        ] {
            assert_eq!(Address::parse(text).unwrap().at("/x").unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_server_is_refused_without_repeating_what_may_be_secret() {
        for text in [
            "",
            "a",
            "a:80",
            "ftp://a",
            "http://",
            "http:///x",
            "http://me:secret@a",
            "http://a/?x=secret",
            "http://a/#secret",
        ] {
            let trouble = Address::parse(text).unwrap_err();
            assert!(matches!(trouble, Trouble::Refused { .. }), "{text}");
            assert!(!format!("{trouble:?}").contains("secret"), "{trouble:?}");
        }
    }

    #[test]
    fn a_port_that_cannot_be_is_refused_wherever_a_url_comes_from() {
        let from: Uri = "http://a/x".parse().unwrap();
        for host in ["a:65535", "a:1", "[::1]:80", "[::1]"] {
            assert!(parse_uri(&format!("http://{host}/x")).is_ok(), "{host}");
        }
        for host in [
            "a:0",
            "a:65536",
            "127.0.0.1:83967",
            "a:",
            "a:abc",
            "[::1]:70000",
            "[::1]:",
            "[::1]a",
            "a:99999999999999999999",
        ] {
            let url = format!("http://{host}/x?y=secret");
            assert!(parse_uri(&url).is_err(), "{host}");
            assert_eq!(resolve(&from, &url), None, "{host}");
            let trouble = Address::parse(&format!("http://{host}")).unwrap_err();
            assert!(matches!(trouble, Trouble::Refused { .. }), "{trouble:?}");
            assert!(crate::server::Link::open(&url).is_err(), "{host}");
        }
    }

    #[test]
    fn a_redirect_is_followed_from_where_it_was_said() {
        let from: Uri = "https://a:1/x/y?z".parse().unwrap();
        for (location, expected) in [
            ("https://b/c?d=e", Some("https://b/c?d=e")),
            ("http://b/c?d=e", None),
            ("HTTPS://b/c", Some("https://b/c")),
            ("/c", Some("https://a:1/c")),
            ("//b/c", None),
            ("c", None),
            ("file:///etc", None),
            ("ftp://b/c", None),
        ] {
            assert_eq!(resolve(&from, location).map(|uri| uri.to_string()).as_deref(), expected);
        }
        let plain: Uri = "http://a/x".parse().unwrap();
        for location in ["http://b/c", "https://b/c"] {
            assert_eq!(resolve(&plain, location).unwrap().to_string(), location);
        }
        assert_eq!(shown(&from), "https://a:1/x/y");
    }

    #[test]
    fn keys_are_escaped() {
        assert_eq!(in_path("a b/ü+%.mp4"), "a%20b/%C3%BC%2B%25.mp4");
        assert_eq!(in_query("a/b&c"), "a%2Fb%26c");
    }
}
