//! What comes as JSON, in a path or in a query: read within bounds, and every complaint names the field.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use towline_core::upload::UploadId;
use tracing::Span;

use crate::DoorState;
use crate::refused::Refused;

/// A JSON body. Its content type is not looked at: pages of the documents send none.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<DoorState> for Json<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &DoorState) -> Result<Self, Refused> {
        parse(&read(request.into_body(), state, state.settings.json_bytes_max).await?).map(Self)
    }
}

/// A list of 10,000 parts as the most talkative client writes it, four times over.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A JSON body that may name all parts of an upload.
#[derive(Debug)]
pub(crate) struct ListJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<DoorState> for ListJson<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &DoorState) -> Result<Self, Refused> {
        parse(&read(request.into_body(), state, LIST_BYTES_MAX).await?).map(Self)
    }
}

/// The same, or nothing at all.
#[derive(Debug)]
pub(crate) struct MaybeListJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<DoorState> for MaybeListJson<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &DoorState) -> Result<Self, Refused> {
        maybe(&read(request.into_body(), state, LIST_BYTES_MAX).await?).map(Self)
    }
}

/// A small JSON body, or nothing at all.
#[derive(Debug)]
pub(crate) struct MaybeJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<DoorState> for MaybeJson<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &DoorState) -> Result<Self, Refused> {
        maybe(&read(request.into_body(), state, state.settings.json_bytes_max).await?).map(Self)
    }
}

fn maybe<T: DeserializeOwned>(body: &[u8]) -> Result<Option<T>, Refused> {
    if body.trim_ascii().is_empty() { Ok(None) } else { parse(body).map(Some) }
}

async fn read(body: Body, state: &DoorState, allowed_bytes: usize) -> Result<Bytes, Refused> {
    let reading = Limited::new(body, allowed_bytes).collect();
    let read =
        tokio::time::timeout(state.settings.json_wait, reading).await.map_err(|_| Refused::BodyLate)?;
    let body = read.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refused::BodyTooLarge { allowed_bytes }
        } else {
            Refused::BodyCut
        }
    })?;
    Ok(body.to_bytes())
}

/// Reads a value and says which field is wrong.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refused> {
    // serde takes a list for an object, field by field; nobody means that.
    if text.trim_ascii_start().first() == Some(&b'[') {
        return Err(bad_field("body", "must be an object".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let told = error.to_string();
        match missing_or_repeated(&told) {
            Some((field, problem)) => bad_field(field, problem.to_owned()),
            None if error.is_data() && path != "." && path != "?" => bad_field(&path, wanted(&told)),
            None if error.is_data() => bad_field("body", wanted(&told)),
            None => no_json(&error),
        }
    })?;
    reader.end().map_err(|error| no_json(&error))?;
    Ok(value)
}

/// How much of a field's name is shown: it is what was sent.
const FIELD_CHARS_MAX: usize = 300;

fn bad_field(field: &str, problem: String) -> Refused {
    let field: String = field.chars().take(FIELD_CHARS_MAX).collect();
    towline_core::Refusal::BadField { field: field.into(), problem }.into()
}

fn no_json(error: &serde_json::Error) -> Refused {
    let (line, column) = (error.line(), error.column());
    bad_field("body", format!("is not JSON: it goes wrong in line {line}, column {column}"))
}

/// serde names such a field in its message and nowhere else (the path ends at the object around it), so its words
/// are read; a test notices when they change.
fn missing_or_repeated(told: &str) -> Option<(&str, &'static str)> {
    let (told, problem) = match told.strip_prefix("missing field `") {
        Some(rest) => (rest, "is missing"),
        None => (told.strip_prefix("duplicate field `")?, "is given twice"),
    };
    told.split('`').next().map(|field| (field, problem))
}

/// What a field should have been, in our words: the library's are for programmers. It says so in its message and
/// nowhere else; words that are not known, because they changed, point to the documentation.
fn wanted(told: &str) -> String {
    let expected = told.rsplit("expected ").next().unwrap_or_default();
    let wanted = match expected.split(" at line").next().unwrap_or_default() {
        "a string" => "text",
        "u16" | "u32" | "u64" => "a whole number, not negative",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        object if object.starts_with("struct ") => "an object",
        _ => "something else: see /api/docs",
    };
    format!("must be {wanted}")
}

/// A reply of our own types. Never stored: the next one may differ.
pub(crate) fn reply<T: Serialize>(value: &T) -> Response {
    let body = serde_json::to_vec(value).expect("replies are plain data with text keys");
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A query string. Unknown parameters are ignored.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        Ok(Self::parse(parts.uri.query().unwrap_or("")))
    }
}

impl Query {
    fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All of them, in their order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter that must be there.
    pub(crate) fn needed(&self, name: &'static str) -> Result<&str, Refused> {
        self.text(name).ok_or_else(|| Refused::field(name, "is missing"))
    }

    /// A number between `least` and `most`, both of which are taken.
    pub(crate) fn number(
        &self,
        name: &'static str,
        (least, most): (u32, u32),
    ) -> Result<Option<u32>, Refused> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let number = whole_number(text)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (least..=most).contains(number));
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Refused::field(name, format!("is not a number from {least} to {most}"))),
        }
    }
}

/// Digits and nothing else: no sign, no space, no fraction.
pub(crate) fn whole_number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// The upload that a path names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadPath(pub(crate) UploadId);

/// The part that a path names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartPath {
    pub(crate) id: UploadId,
    pub(crate) number: u64,
}

/// The file that a path names, percent-decoded once.
#[derive(Clone, Debug)]
pub(crate) struct KeyPath(pub(crate) String);

/// A named part of a path, percent-decoded once.
pub(crate) async fn path_param(parts: &mut Parts, name: &str) -> Result<String, Refused> {
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| Refused::field("path", "is not UTF-8"))?;
    let found = params.iter().find(|(known, _)| *known == name);
    Ok(found.map_or_else(String::new, |(_, value)| value.to_owned()))
}

impl<S: Sync> FromRequestParts<S> for UploadPath {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let text = path_param(parts, "session_id").await?;
        let id = UploadId::parse(&text).ok_or(Refused::BadId { text })?;
        Span::current().record("upload.id", tracing::field::display(id));
        Ok(Self(id))
    }
}

impl<S: Sync> FromRequestParts<S> for PartPath {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let UploadPath(id) = UploadPath::from_request_parts(parts, state).await?;
        let text = path_param(parts, "part_number").await?;
        let number = whole_number(&text)
            .ok_or_else(|| Refused::field("part_number", format!("{text:?} is not a whole number")))?;
        Span::current().record("part.number", number);
        Ok(Self { id, number })
    }
}

impl<S: Sync> FromRequestParts<S> for KeyPath {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        path_param(parts, "key").await.map(Self)
    }
}

/// A reply without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(rename = "size")]
        _size: u64,
        #[serde(rename = "tags", default)]
        _tags: Vec<String>,
    }

    fn complaint(text: &str) -> String {
        parse::<Sample>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_complaint_names_the_field_as_long_as_serde_keeps_its_words() {
        let cases = [
            ("{}", "size: is missing"),
            ("{\"size\":1,\"size\":1}", "size: is given twice"),
            ("{\"size\":-1}", "size: must be a whole number, not negative"),
            ("{\"size\":1.5}", "size: must be a whole number"),
            ("{\"size\":\"9\"}", "size: must be a whole number"),
            ("{\"size\":18446744073709551616}", "size: must be a whole number"),
            ("{\"size\":1,\"tags\":[7]}", "tags[0]: must be text"),
            ("{\"size\":1} x", "body: is not JSON: it goes wrong in line 1, column 12"),
            ("{\"size\"", "body: is not JSON"),
            ("", "body: is not JSON"),
            (" [\"name\", 1]", "body: must be an object"),
            ("7", "body: must be an object"),
        ];
        for (text, expected) in cases {
            assert!(complaint(text).starts_with(expected), "{text}: {}", complaint(text));
        }
        assert!(parse::<Sample>(b"{\"size\":1,\"unknown\":true}").is_ok());
    }

    #[test]
    fn numbers_in_a_query_are_whole_and_within_bounds() {
        let query = Query::parse("a=7&b=+7&c=1001&d=&e=7.0&a=8");
        assert_eq!(query.number("a", (1, 10)).unwrap(), Some(7));
        assert_eq!(query.number("none", (1, 10)).unwrap(), None);
        for name in ["b", "c", "d", "e"] {
            assert!(query.number(name, (1, 1000)).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_body_and_no_query_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
            parse::<Sample>(&bytes).ok();
            Query::parse(&text).number("a", (0, 1)).ok();
        }
    }
}
