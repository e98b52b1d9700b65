//! To which servers the token goes: it belongs to one, and no other one sees it.

use axum::http::Uri;
use towline_client::trouble::Trouble;

use super::place::Place;
use super::words::complain;
use crate::config::{BaseUrl, Secret};
use crate::exit::Complaint;
use crate::output::printable;

/// What the client's hint says where a token is missing or wrong.
const WANTS_TOKEN: &str = "TOWLINE_TOKEN";

/// The token, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) secret: Option<Secret>,
    /// Nothing: it is for whoever is asked.
    pub(super) owner: Option<BaseUrl>,
}

impl Token {
    /// What is sent to this server.
    pub(super) fn for_server(&self, url: &str) -> Option<&str> {
        self.secret.as_ref().filter(|_| self.keeps_from(url).is_none()).map(Secret::expose)
    }

    /// The owner, where this place is not to see the token.
    pub(super) fn withheld(&self, place: &Place) -> Option<String> {
        match place {
            Place::Server { server } if self.secret.is_some() => self.keeps_from(server).map(str::to_owned),
            Place::Server { .. } | Place::Bucket { .. } => None,
        }
    }

    fn keeps_from(&self, url: &str) -> Option<&str> {
        let owner = self.owner.as_ref()?;
        (door(&owner.0).is_none() || door(&owner.0) != door(url)).then_some(&owner.0)
    }
}

/// Who listens at a URL: scheme, host and port. What runs under another path there could read the token anyway.
fn door(url: &str) -> Option<(String, String, u16)> {
    let url = url.parse::<Uri>().ok()?;
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let port = url.port_u16().or(match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    let host = url.host()?.to_ascii_lowercase();
    Some((scheme, host.trim_end_matches('.').to_owned(), port))
}

/// A trouble at a place, with what to do about it: the other end does not know what was not sent, nor what was meant.
pub(super) fn complain_at((place, withheld): (&Place, Option<&str>), trouble: &Trouble) -> Complaint {
    let (Place::Server { server }, Trouble::Refused { hint: Some(hint), .. }) = (place, trouble) else {
        return complain(trouble);
    };
    let server = server.as_str();
    if let Some(owner) = withheld.filter(|_| hint.contains(WANTS_TOKEN)) {
        let owner = printable(owner);
        return complain(trouble).hint(format!(
            "the token of the settings belongs to {owner} and was not sent: give --token, or set TOWLINE_SERVER, too"
        ));
    }
    let has_path = server.parse::<Uri>().is_ok_and(|url| url.path() != "/");
    if has_path && (hint.contains("'doors'") || hint.contains("GET /health")) {
        let hint = printable(hint);
        return complain(trouble)
            .hint(format!("files are named by --key, and DEST is the server's URL only; or: {hint}"));
    }
    complain(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(owner: Option<&str>) -> Token {
        let owner = owner.map(|owner| BaseUrl::parse(owner).unwrap());
        Token { secret: None, owner }
    }

    #[test]
    fn the_token_goes_to_its_server_only() {
        let ours = token(Some("https://up.example/files"));
        for url in ["https://up.example", "https://UP.example:443/other", "https://up.example./files"] {
            assert_eq!(ours.keeps_from(url), None, "{url}");
        }
        for url in [
            "http://up.example",
            "https://up.example:8443",
            "https://up.example.evil",
            "https://evil/up.example",
            "https://up.example@evil",
        ] {
            assert_eq!(ours.keeps_from(url), Some("https://up.example/files"), "{url}");
        }
        assert_eq!(token(None).keeps_from("http://any"), None);
    }

    #[test]
    fn a_hint_speaks_of_what_was_not_sent_and_of_what_was_meant() {
        let said = |server: &str, hint: &str| {
            let place = Place::Server { server: server.to_owned() };
            let trouble = Trouble::refused("no").hint(hint);
            complain_at((&place, Some("http://a")), &trouble).to_text()
        };
        let text = said("http://b", "give one by TOWLINE_TOKEN");
        assert!(
            text.contains("hint: the token of the settings belongs to http://a and was not sent"),
            "{text}"
        );
        let doors = "see its setting 'doors'";
        assert_eq!(said("http://b", doors), format!("error: no\nhint: {doors}\n"));
        let text = said("http://b/a.mp4", doors);
        assert!(text.contains("hint: files are named by --key, and DEST is the server's URL only"), "{text}");
        assert_eq!(said("http://b/a.mp4", "other"), "error: no\nhint: other\n");
    }
}
