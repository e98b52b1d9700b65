//! What Uppy sends and reads. The OpenAPI document is made of these types.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use towline_core::engine::Claimed;
use towline_core::upload::About;
use utoipa::ToSchema;

use crate::desk::{PartNumber, bare};
use crate::json::{Query, whole_number};
use crate::naming;
use crate::problem;
use crate::refused::Refused;

/// How many parts are signed at once.
const BATCH_MAX: u64 = 10_000;

/// A file that is to be uploaded in parts.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = companion::CreateRequest)]
pub(super) struct CreateRequest {
    #[schema(example = "video.mp4")]
    pub(super) filename: String,
    /// Its content type.
    #[schema(example = "video/mp4")]
    pub(super) r#type: Option<String>,
    /// Kept with the upload as texts; nulls are dropped.
    #[schema(value_type = Option<Object>)]
    pub(super) metadata: Option<Map<String, Value>>,
}

impl CreateRequest {
    pub(super) fn into_about(self) -> About {
        let kept = self.metadata.unwrap_or_default().into_iter().filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, text)),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some((name, other.to_string()))
            }
        });
        about(&self.filename, self.r#type, kept.collect())
    }
}

/// The same out of the query of `params`: `filename`, `type` and `metadata[…]`.
pub(super) fn about_of_query(query: &Query) -> Result<About, Refused> {
    let filename = query.needed("filename")?;
    let kept = query.pairs().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        // 6.x writes what is not there as text.
        (value != "null").then(|| (name.to_owned(), value.to_owned()))
    });
    Ok(about(filename, query.text("type").map(str::to_owned), kept.collect()))
}

fn about(filename: &str, content_type: Option<String>, metadata: Vec<(String, String)>) -> About {
    let content_type = content_type.filter(|text| !text.is_empty());
    About { filename: naming::plain(filename), content_type, metadata, ..About::default() }
}

/// An upload that takes parts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = companion::CreateReply)]
pub(super) struct CreateReply {
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) bucket: String,
}

/// Where one part goes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = companion::SignReply)]
pub(super) struct SignReply {
    pub(super) url: String,
    /// In seconds; Uppy gives a part no longer than this.
    pub(super) expires: u64,
}

/// Where many parts go.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = companion::BatchReply)]
pub(super) struct BatchReply {
    /// By number.
    #[serde(serialize_with = "by_number")]
    #[schema(value_type = Object)]
    pub(super) presigned_urls: Vec<(u32, String)>,
}

fn by_number<S: Serializer>(urls: &[(u32, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(urls.len()))?;
    for (number, url) in urls {
        map.serialize_entry(number, url)?;
    }
    map.end()
}

/// One landed part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = companion::PartLine)]
pub(super) struct PartLine {
    pub(super) part_number: u32,
    pub(super) size: u64,
    #[serde(rename = "ETag")]
    pub(super) tag: String,
    pub(super) last_modified: String,
}

/// The parts that the file is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = companion::CompleteRequest)]
pub(super) struct CompleteRequest {
    pub(super) parts: Vec<NamedPart>,
}

/// A part by its number and the `ETag` that its PUT was answered with. What else Uppy adds is not looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = companion::NamedPart)]
pub(super) struct NamedPart {
    #[serde(rename = "PartNumber")]
    number: PartNumber,
    #[serde(rename = "ETag")]
    #[schema(example = "\"eb62f6b9306db575c2d596b1279627a4\"")]
    tag: String,
}

impl From<NamedPart> for Claimed {
    fn from(part: NamedPart) -> Self {
        Self { number: part.number.0, tag: bare(&part.tag) }
    }
}

/// The file is in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = companion::CompleteReply)]
pub(super) struct CompleteReply {
    pub(super) location: String,
    pub(super) key: String,
    pub(super) bucket: String,
}

/// The upload is given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = companion::AbortReply)]
pub(super) struct AbortReply {}

/// A form to POST a whole file with, in its last field `file`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = companion::ParamsReply)]
pub(super) struct ParamsReply {
    pub(super) method: &'static str,
    pub(super) url: String,
    #[serde(serialize_with = "by_name")]
    #[schema(value_type = Object)]
    pub(super) fields: Vec<(String, String)>,
    /// In seconds.
    pub(super) expires: u64,
}

fn by_name<S: Serializer>(fields: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}

/// Credentials for a page that signs for itself.
#[derive(Serialize, ToSchema)]
#[schema(as = companion::StsReply)]
pub(super) struct StsReply {
    pub(super) credentials: StsCredentials,
    pub(super) bucket: String,
    pub(super) region: String,
}

/// Good for uploads below the caller's own place, until they expire.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = companion::StsCredentials)]
pub(super) struct StsCredentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: String,
    pub(super) expiration: String,
}

/// A no as all versions of Uppy find it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = companion::Error)]
pub(super) struct CompanionError {
    message: String,
    error: String,
    /// Stable; explained at `/api/errors`.
    code: &'static str,
}

impl CompanionError {
    pub(super) fn of(refused: &Refused) -> Self {
        let (code, _, _) = problem::kind(refused);
        let message = problem::detail(refused);
        Self { error: message.clone(), message, code }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

/// Numbers with commas between them, and ranges: `1,2,5-10000`.
pub(super) fn part_numbers(text: &str) -> Result<Vec<u64>, Refused> {
    let problem = |problem: String| Refused::field("partNumbers", problem);
    let mut numbers = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (Some(first), Some(last)) = (whole_number(first), whole_number(last)) else {
            let shown: String = item.chars().take(40).collect();
            return Err(problem(format!("{shown:?} is neither a number nor a range")));
        };
        if last.saturating_sub(first) >= BATCH_MAX - numbers.len() as u64 {
            return Err(problem(format!("asks for more than the {BATCH_MAX} parts that are signed at once")));
        }
        numbers.extend(first..=last);
    }
    if numbers.is_empty() {
        return Err(problem("names no part".to_owned()));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_ranges_are_read_within_bounds() {
        assert_eq!(part_numbers("3, 1,5-7").unwrap(), [3, 1, 5, 6, 7]);
        assert_eq!(part_numbers("1-10000").unwrap().len(), 10_000);
        for bad in ["", ",", "a", "-1", "1-", "1-10001", "1-10000,1", "1-18446744073709551615", "1.5", "7-3"]
        {
            assert!(part_numbers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_becomes_text_and_nulls_are_dropped() {
        let body = r#"{"filename":"a","type":"","metadata":{"a":"x","b":null,"c":1,"d":[true]}}"#;
        let request: CreateRequest = serde_json::from_str(body).unwrap();
        let about = request.into_about();
        let expected = [("a", "x"), ("c", "1"), ("d", "[true]")];
        assert_eq!(about.metadata, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(about.content_type, None);
    }

    proptest! {
        #[test]
        fn no_list_of_numbers_panics(text in "[0-9,-]{0,40}") {
            if let Ok(numbers) = part_numbers(&text) {
                prop_assert!(numbers.len() <= 10_000);
            }
        }
    }
}
