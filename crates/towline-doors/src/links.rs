//! URLs that carry bytes for whoever has them: of the store itself where clients reach it, else of our own `s3`
//! door. Both are the same kind of URL, made by the same code.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use towline_core::clock::Timestamp;
use towline_core::key::Key;
use towline_core::policy::{Operation, Principal};
use towline_core::store::{Form, Signer, Validity};
use towline_core::upload::{About, Upload};
use towline_sigv4::{Condition, Moment, Origin, Target};

use crate::DoorState;
use crate::refused::Refused;
use crate::settings::{DoorKind, DoorSettings};

/// For whom a URL of ours acts. It is covered by the signature.
pub(crate) const OWNER: &str = "X-Towline-Owner";
/// Says that the owner may see everybody's files.
pub(crate) const MANAGES: &str = "X-Towline-Manages";

impl DoorState {
    /// What makes URLs for this caller, in reply to a request with these headers. Who gets a URL has what it allows:
    /// the caller's permission is to be asked first (`engine.uploading`, `engine.check_put`, `engine.read`).
    pub(crate) async fn links(
        &self,
        headers: &HeaderMap,
        who: &Principal,
    ) -> Result<Arc<dyn Signer>, Refused> {
        if let Some(signer) = self.engine.signer().await? {
            return Ok(signer);
        }
        if !self.settings.doors.contains(&DoorKind::S3) {
            return Err(Refused::NoLinks);
        }
        let base = Base::find(&self.settings, headers)?;
        Ok(Arc::new(OwnLinks {
            signer: Arc::clone(&self.url_signer),
            root: format!("{}/{}", base.path, self.settings.s3.bucket),
            base,
            bucket: self.settings.s3.bucket.clone(),
            owner: who.owner.clone(),
            manages: who.may(Operation::Manage),
        }))
    }
}

/// Where clients reach this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) origin: Origin,
    /// What a proxy takes away from paths; empty, or with a slash at its beginning only.
    pub(crate) path: String,
}

impl Base {
    /// The public URL of the settings; else where this very request came to.
    fn find(settings: &DoorSettings, headers: &HeaderMap) -> Result<Self, Refused> {
        if let Some(base) = settings.public_url.as_deref().and_then(Self::parse) {
            return Ok(base);
        }
        let scheme = forwarded(settings, headers, "x-forwarded-proto").unwrap_or("http");
        let origin = asked_host(settings, headers);
        let origin = origin.and_then(|host| Origin::parse(&format!("{scheme}://{host}")).ok());
        let origin =
            origin.ok_or_else(|| Refused::field("Host", "says no place, and no public URL is set"))?;
        Ok(Self { origin, path: String::new() })
    }

    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let origin = Origin::parse(&format!("{scheme}://{host}")).ok()?;
        Some(Self { origin, path: path.trim_end_matches('/').to_owned() })
    }
}

/// The host that the client asked, with its port where one was said.
pub(crate) fn asked_host<'a>(settings: &DoorSettings, headers: &'a HeaderMap) -> Option<&'a str> {
    forwarded(settings, headers, "x-forwarded-host").or(text(headers, HOST.as_str()))
}

/// What the first of several proxies said, where proxies are believed.
fn forwarded<'a>(settings: &DoorSettings, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let said = text(headers, name).filter(|_| settings.trusts_forwarded)?;
    said.split(',').map(str::trim).find(|value| !value.is_empty())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// URLs of our own `s3` door.
struct OwnLinks {
    signer: Arc<towline_sigv4::Signer>,
    base: Base,
    /// The path of the bucket.
    root: String,
    bucket: String,
    owner: String,
    manages: bool,
}

impl OwnLinks {
    fn path(&self, key: &Key) -> String {
        format!("{}/{key}", self.root)
    }

    fn target<'a>(&'a self, path: &'a str) -> Target<'a> {
        Target { method: "PUT", origin: &self.base.origin, path, query: &[], headers: &[] }
    }
}

impl Signer for OwnLinks {
    fn part_urls(&self, upload: &Upload, validity: Validity) -> Box<dyn Fn(u32) -> String + Send + Sync> {
        // A manager's URLs send somebody else's upload for its owner.
        let query = [(OWNER, upload.owner.as_str())];
        let path = self.path(&upload.key);
        let target = Target { query: &query, ..self.target(&path) };
        let id = upload.id.to_string();
        let urls = self.signer.parts(&target, &id, moment(validity.from), validity.lasts);
        Box::new(move |number| urls.url(number))
    }

    fn put_url(&self, key: &Key, content_type: Option<&str>, validity: Validity) -> String {
        let query = [(OWNER, self.owner.as_str())];
        let headers: Vec<_> = content_type.map(|text| ("content-type", text)).into_iter().collect();
        let path = self.path(key);
        let target = Target { query: &query, headers: &headers, ..self.target(&path) };
        self.signer.presign(&target, moment(validity.from), validity.lasts)
    }

    fn get_url(&self, key: &Key, disposition: Option<&str>, validity: Validity) -> String {
        let mut query = vec![(OWNER, self.owner.as_str())];
        query.extend(self.manages.then_some((MANAGES, "true")));
        query.extend(disposition.map(|text| ("response-content-disposition", text)));
        let path = self.path(key);
        let target = Target { method: "GET", query: &query, ..self.target(&path) };
        self.signer.presign(&target, moment(validity.from), validity.lasts)
    }

    fn form(&self, key: &Key, about: &About, size_bytes_max: u64, validity: Validity) -> Form {
        let mut fields = vec![
            ("key".to_owned(), key.to_string()),
            ("success_action_status".to_owned(), "201".to_owned()),
            (OWNER.to_ascii_lowercase(), self.owner.clone()),
        ];
        fields.extend(about.content_type.clone().map(|text| ("Content-Type".to_owned(), text)));
        let named = about.metadata.iter();
        fields.extend(named.map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone())));
        let bucket = Condition::Equals("bucket", &self.bucket);
        let size = Condition::SizeBytes { min: 0, max: size_bytes_max };
        let held = fields.iter().map(|(name, value)| Condition::Equals(name, value));
        let conditions: Vec<Condition<'_>> = [bucket, size].into_iter().chain(held).collect();
        let from = moment(validity.from);
        let signed = self.signer.form(&conditions, from, from.after(validity.lasts));
        fields.extend(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Form { url: self.target(&self.root).url(), fields }
    }

    fn location(&self, key: &Key) -> String {
        self.target(&self.path(key)).url()
    }

    fn bucket(&self) -> &str {
        &self.bucket
    }

    fn region(&self) -> &str {
        self.signer.region()
    }
}

/// As signatures count: in whole seconds.
pub(crate) fn moment(at: Timestamp) -> Moment {
    Moment::from_unix(at.as_millis().div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(public_url: Option<&str>, trusts_forwarded: bool) -> Option<String> {
        let public_url = public_url.map(str::to_owned);
        let settings = DoorSettings { public_url, trusts_forwarded, ..DoorSettings::default() };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "one:8000".parse().unwrap());
        headers.insert("x-forwarded-host", "two, three".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        Base::find(&settings, &headers).ok().map(|base| format!("{}{}", base.origin, base.path))
    }

    #[test]
    fn the_public_url_comes_before_the_host_and_proxies_count_only_when_trusted() {
        assert_eq!(base(None, false).as_deref(), Some("http://one:8000"));
        assert_eq!(base(None, true).as_deref(), Some("https://two"));
        assert_eq!(base(Some("https://up.example"), true).as_deref(), Some("https://up.example"));
        assert_eq!(base(Some("https://up.example/a/b/"), false).as_deref(), Some("https://up.example/a/b"));
    }

    #[test]
    fn without_a_host_there_is_no_url() {
        assert!(Base::find(&DoorSettings::default(), &HeaderMap::new()).is_err());
    }
}
