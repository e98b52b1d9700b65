//! Where signed URLs are handed out: what the doors of the documents do, each in its own words.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use towline_core::engine::{Claimed, Cut, Order};
use towline_core::key::Key;
use towline_core::policy::Principal;
use towline_core::store::{Signer, Validity};
use towline_core::upload::{About, Part, Phase, Upload, UploadId};
use towline_core::{Engine, Refusal};
use tracing::Span;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::DoorState;
use crate::auth::Caller;
use crate::json::{self, Query};
use crate::refused::Refused;

/// How many parts the engine gives at once.
const PAGE: usize = 1000;
/// Signed URLs live seven days at most, as on S3.
const LIFETIME_MAX_S: u64 = 7 * 24 * 3600;

/// One caller at the desk.
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) who: Principal,
    /// Of the store, or of our own `s3` door.
    pub(crate) links: Arc<dyn Signer>,
    /// How long URLs live when nobody wishes otherwise.
    pub(crate) url_lifetime: Duration,
}

/// An upload as a client names it: by id, and by its key where the protocol sends both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: UploadId,
    pub(crate) key: Option<String>,
}

impl Ticket {
    pub(crate) fn new(id: &str, key: Option<&str>) -> Result<Self, Refused> {
        let id = UploadId::parse(id).ok_or_else(|| Refused::BadId { text: id.to_owned() })?;
        Span::current().record("upload.id", tracing::field::display(id));
        Ok(Self { id, key: key.map(str::to_owned) })
    }

    /// An upload of another key is none: ids and keys are not mixed.
    fn admit(&self, upload: Upload) -> Result<Upload, Refused> {
        match &self.key {
            Some(key) if key != upload.key.as_str() => Err(Refusal::UploadNotFound(self.id).into()),
            Some(_) | None => Ok(upload),
        }
    }
}

/// The id in the path, the key in the query.
impl<S: Sync> FromRequestParts<S> for Ticket {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let id = json::path_param(parts, "upload_id").await?;
        let query = Query::from_request_parts(parts, state).await?;
        Self::new(&id, Some(query.needed("key")?))
    }
}

impl FromRequestParts<DoorState> for Desk {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &DoorState) -> Result<Self, Refused> {
        let Caller(who) = Caller::from_request_parts(parts, state).await?;
        let links = state.links(&parts.headers, &who).await?;
        let url_lifetime = state.settings.s3.url_lifetime;
        Ok(Self { engine: state.engine.clone(), who, links, url_lifetime })
    }
}

impl Desk {
    /// From now on, for as long as was asked for.
    pub(crate) fn validity(&self, asked: Option<Duration>) -> Validity {
        Validity { from: self.engine.now(), lasts: asked.unwrap_or(self.url_lifetime) }
    }

    /// Begins an upload that is cut as its client likes.
    pub(crate) async fn begin(
        &self,
        key: Key,
        about: About,
        total_bytes: Option<u64>,
    ) -> Result<Upload, Refused> {
        let order = Order { key, cut: Cut::Free, total_bytes, about };
        let upload = self.engine.create(&self.who, order).await?.upload;
        Span::current().record("upload.id", tracing::field::display(upload.id));
        Ok(upload)
    }

    /// The upload as the catalog knows it.
    pub(crate) async fn head(&self, ticket: &Ticket) -> Result<Upload, Refused> {
        ticket.admit(self.engine.head(&self.who, ticket.id).await?)
    }

    /// The parts' numbers and URLs, in the order asked for.
    pub(crate) async fn part_urls(
        &self,
        ticket: &Ticket,
        numbers: impl IntoIterator<Item = u64>,
        lasts: Option<Duration>,
    ) -> Result<Vec<(u32, String)>, Refused> {
        let upload = ticket.admit(self.engine.uploading(&self.who, ticket.id).await?)?;
        let limits = self.engine.limits();
        let url = self.links.part_urls(&upload, self.validity(lasts));
        let signed = numbers.into_iter().map(|number| {
            let slot = upload.plan.slot(number, &limits)?;
            Ok((slot.number, url(slot.number)))
        });
        signed.collect()
    }

    /// The URL of one part.
    pub(crate) async fn part_url(
        &self,
        ticket: &Ticket,
        number: u64,
        lasts: Option<Duration>,
    ) -> Result<String, Refused> {
        let urls = self.part_urls(ticket, [number], lasts).await?;
        Ok(urls.into_iter().map(|(_, url)| url).collect())
    }

    /// All parts that have landed, ascending; also those that went past this server a moment ago.
    pub(crate) async fn landed(&self, ticket: &Ticket) -> Result<Vec<Part>, Refused> {
        let upload = self.head(ticket).await?;
        if let Phase::Abandoned(_) = upload.phase {
            return Err(Refusal::NotOpen(upload.phase.name()).into());
        }
        let mut parts: Vec<Part> = Vec::new();
        loop {
            let after = parts.last().map_or(0, |part| part.number);
            let page = self.engine.parts(&self.who, ticket.id, (after, PAGE)).await?;
            let is_end = page.len() < PAGE;
            parts.extend(page);
            if is_end {
                return Ok(parts);
            }
        }
    }

    /// A part's `ETag` without quotes.
    pub(crate) fn tag(&self, part: &Part) -> String {
        self.engine.part_tag(part)
    }

    /// Seals the upload of the listed parts, or of all that have landed. Again, the answer is the same.
    pub(crate) async fn finish(
        &self,
        ticket: &Ticket,
        listed: Option<Vec<Claimed>>,
    ) -> Result<Finished, Refused> {
        let head = self.head(ticket).await?;
        let limits = self.engine.limits();
        for claimed in listed.iter().flatten() {
            head.plan.slot(claimed.number, &limits)?;
        }
        let upload = match listed {
            Some(listed) => self.engine.finish_listed(&self.who, ticket.id, in_order(listed)).await?,
            None => self.engine.finish(&self.who, ticket.id).await?,
        };
        let Phase::Sealed(receipt) = upload.phase else {
            return Err(Refusal::NotOpen(upload.phase.name()).into());
        };
        let location = self.links.location(&upload.key);
        Ok(Finished { location, tag: receipt.tag.unwrap_or_default(), key: upload.key })
    }

    /// Gives the upload up. Again, the answer is the same.
    pub(crate) async fn abandon(&self, ticket: &Ticket) -> Result<Upload, Refused> {
        self.head(ticket).await?;
        Ok(self.engine.abandon(&self.who, ticket.id).await?)
    }
}

/// A finished file.
pub(crate) struct Finished {
    pub(crate) key: Key,
    /// Its address, without a signature.
    pub(crate) location: String,
    /// Its `ETag` without quotes.
    pub(crate) tag: String,
}

/// As S3 writes an `ETag`.
pub(crate) fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

/// An `ETag` as clients repeat it: bare, quoted, or quoted again by every hand it went through.
pub(crate) fn bare(tag: &str) -> String {
    let is_wrapping = |c: char| c == '"' || c == '\\' || c.is_whitespace();
    tag.trim_matches(is_wrapping).to_owned()
}

/// Clients repeat parts and shuffle them: the last word on each holds.
fn in_order(listed: Vec<Claimed>) -> Vec<Claimed> {
    let by_number: BTreeMap<u64, Claimed> =
        listed.into_iter().map(|claimed| (claimed.number, claimed)).collect();
    by_number.into_values().collect()
}

/// How long a URL is wished to live.
pub(crate) fn lifetime(field: &'static str, seconds: Option<u64>) -> Result<Option<Duration>, Refused> {
    match seconds {
        Some(seconds) if !(1..=LIFETIME_MAX_S).contains(&seconds) => {
            Err(Refused::field(field, format!("is not a number of seconds from 1 to {LIFETIME_MAX_S}")))
        }
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Ok(None),
    }
}

/// A part's number as clients write it: a whole number, or its digits as text. The documents' own servers took both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartNumber(pub(crate) u64);

impl<'de> Deserialize<'de> for PartNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = PartNumber;

            /// As serde calls what it would take instead: the complaint is made of it.
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("u64")
            }

            fn visit_u64<E>(self, number: u64) -> Result<PartNumber, E> {
                Ok(PartNumber(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PartNumber, E> {
                let number = json::whole_number(text).map(PartNumber);
                number.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

impl PartialSchema for PartNumber {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(10_000))
            .examples([1]);
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]+$"));
        OneOfBuilder::new().item(number).item(text).into()
    }
}

impl ToSchema for PartNumber {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_with_any_number_of_quotes() {
        for text in ["abc", "\"abc\"", "\"\"abc\"\"", "\\\"abc\\\"", " \"abc\" "] {
            assert_eq!(bare(text), "abc", "{text}");
        }
    }

    #[test]
    fn parts_are_put_in_order_and_the_last_word_holds() {
        let claimed = |number, tag: &str| Claimed { number, tag: tag.to_owned() };
        let ordered = in_order(vec![claimed(2, "b"), claimed(1, "a"), claimed(2, "c")]);
        assert_eq!(ordered, [claimed(1, "a"), claimed(2, "c")]);
    }

    #[test]
    fn a_number_may_be_text() {
        for (text, number) in
            [("7", Some(7)), ("\"7\"", Some(7)), ("-7", None), ("\"x\"", None), ("7.0", None)]
        {
            let read: Option<PartNumber> = serde_json::from_str(text).ok();
            assert_eq!(read, number.map(PartNumber), "{text}");
        }
    }

    #[test]
    fn a_lifetime_is_within_a_week() {
        assert_eq!(lifetime("expires_in", Some(1)).unwrap(), Some(Duration::from_secs(1)));
        assert_eq!(lifetime("expires_in", Some(604_800)).unwrap(), Some(Duration::from_hours(168)));
        assert_eq!(lifetime("expires_in", None).unwrap(), None);
        assert!(lifetime("expires_in", Some(0)).is_err() && lifetime("expires_in", Some(604_801)).is_err());
    }
}
