//! The documents of S3: what its answers say, and the few that it is sent. Pure.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use towline_core::clock::Timestamp;

use crate::problem::Problem;
use crate::tag::bare;

/// Why not.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    pub region: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Begun {
    pub upload_id: String,
}

/// The answer to a completion or a copy. It may also say, after a good status, that it came to nothing.
#[derive(Debug, Deserialize)]
pub struct Done {
    #[serde(rename = "ETag")]
    pub tag: String,
    #[serde(rename = "ChecksumCRC64NVME")]
    pub crc64: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Parts {
    pub is_truncated: bool,
    pub checksum_algorithm: Option<String>,
    #[serde(rename = "Part")]
    pub parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Part {
    #[serde(rename = "PartNumber")]
    pub number: u32,
    #[serde(rename = "ETag")]
    pub tag: String,
    pub size: u64,
    pub last_modified: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    pub crc64: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Uploads {
    pub is_truncated: bool,
    pub next_key_marker: Option<String>,
    pub next_upload_id_marker: Option<String>,
    #[serde(rename = "Upload")]
    pub under_way: Vec<Multipart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Multipart {
    pub key: String,
    pub upload_id: String,
    pub initiated: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Objects {
    pub is_truncated: bool,
    #[serde(rename = "Contents")]
    pub objects: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    pub key: String,
    pub last_modified: String,
    #[serde(rename = "ETag")]
    pub tag: String,
    pub size: u64,
}

/// A document that must be just this.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(body).map_err(Problem::garbled)?;
    quick_xml::de::from_str(text).map_err(Problem::garbled)
}

/// The `ETag` of what was made.
pub fn read_done(body: &[u8]) -> Result<String, Problem> {
    Ok(bare(&read::<Done>(body)?.tag).to_owned())
}

/// The status that a code comes with.
pub fn status_of(code: &str) -> http::StatusCode {
    match code {
        "InternalError" => http::StatusCode::INTERNAL_SERVER_ERROR,
        "SlowDown" | "ServiceUnavailable" => http::StatusCode::SERVICE_UNAVAILABLE,
        "NoSuchUpload" | "NoSuchKey" => http::StatusCode::NOT_FOUND,
        "PreconditionFailed" => http::StatusCode::PRECONDITION_FAILED,
        _ => http::StatusCode::BAD_REQUEST,
    }
}

/// Whether a document is an error: servers that take long send a good status before they know.
pub fn is_refusal(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start();
    let root = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, root)| root.trim_start()),
        None => text,
    };
    root.starts_with("<Error")
}

/// What a document says of an error, where it is one.
pub fn read_refusal(body: &[u8]) -> Refusal {
    if is_refusal(body) { read(body).unwrap_or_default() } else { Refusal::default() }
}

/// The text of a name in a list that was asked for in the encoding of URLs.
pub fn decode(text: &str) -> Option<String> {
    String::from_utf8(towline_sigv4::decode_query(text).into_owned()).ok()
}

/// The moment that a list tells, as RFC 3339.
pub fn moment(text: &str) -> Option<Timestamp> {
    let at = humantime::parse_rfc3339(text).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?))
}

/// The document that completes an upload.
pub fn completion<'a>(parts: impl Iterator<Item = (u32, &'a str)>) -> String {
    let mut text =
        String::from(r#"<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"#);
    for (number, tag) in parts {
        let tag = quick_xml::escape::escape(tag);
        write!(text, "<Part><PartNumber>{number}</PartNumber><ETag>&quot;{tag}&quot;</ETag></Part>")
            .expect("a String takes every write");
    }
    text + "</CompleteMultipartUpload>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_with_and_without_checksums() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?><ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId><PartNumberMarker>0</PartNumberMarker>
            <Part><PartNumber>2</PartNumber><ETag>"ab"</ETag><Size>5242880</Size><LastModified>2026-11-21T12:00:00.500Z</LastModified></Part>
            <Part><ETag>&quot;cd&quot;</ETag><PartNumber>3</PartNumber><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME><Size>1</Size></Part>
            <IsTruncated>true</IsTruncated></ListPartsResult>"#;
        let read: Parts = read(body).unwrap();
        assert!(read.is_truncated);
        assert_eq!(read.parts.len(), 2);
        assert_eq!((read.parts[0].number, bare(&read.parts[0].tag)), (2, "ab"));
        assert_eq!((bare(&read.parts[1].tag), read.parts[1].size), ("cd", 1));
        assert_eq!(read.parts[1].crc64.as_deref(), Some("rosUhgp5mIg="));
        let modified = read.parts[0].last_modified.as_deref().and_then(moment);
        assert_eq!(modified, Some(Timestamp::from_millis(1_795_262_400_500)));
    }

    #[test]
    fn lists_may_be_empty_and_mixed() {
        let none: Objects =
            read(b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>").unwrap();
        assert!(none.objects.is_empty() && !none.is_truncated);
        let body = br"<ListMultipartUploadsResult><Upload><Key>a%20b+c</Key><UploadId>1</UploadId><Initiated>2026-11-21T12:00:00Z</Initiated></Upload>
            <NextKeyMarker>x</NextKeyMarker>
            <Upload><Key>d</Key><UploadId>2</UploadId><Initiated>2026-11-21T12:00:00Z</Initiated></Upload></ListMultipartUploadsResult>";
        let uploads: Uploads = read(body).unwrap();
        assert_eq!(uploads.under_way.len(), 2);
        assert_eq!(decode(&uploads.under_way[0].key).as_deref(), Some("a b c"));
        assert_eq!(uploads.next_key_marker.as_deref(), Some("x"));
    }

    #[test]
    fn an_error_is_seen_behind_a_good_status() {
        let done = b"<?xml version=\"1.0\"?>\n<CompleteMultipartUploadResult><ETag>\"x-2\"</ETag></CompleteMultipartUploadResult>";
        assert_eq!(read_done(done).unwrap(), "x-2");
        let failed =
            b"  \n\n<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code><Message>Again</Message></Error>";
        assert!(is_refusal(failed) && !is_refusal(done));
        let refusal = Refusal { code: "SlowDown".to_owned(), message: "Again".to_owned(), region: None };
        assert_eq!(read_refusal(failed), refusal);
        assert_eq!(status_of(&refusal.code), http::StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(read_refusal(b"<html>503</html>"), Refusal::default());
        for garbled in [&b""[..], b"<a/>", b"<CompleteMultipartUploadResult>", b"\xff"] {
            assert!(matches!(read_done(garbled), Err(Problem::Garbled(_))), "{garbled:?}");
        }
    }

    #[test]
    fn a_completion_names_parts_in_order() {
        assert_eq!(
            completion([(1, "ab"), (9, "c<d")].into_iter()),
            concat!(
                r#"<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"#,
                "<Part><PartNumber>1</PartNumber><ETag>&quot;ab&quot;</ETag></Part>",
                "<Part><PartNumber>9</PartNumber><ETag>&quot;c&lt;d&quot;</ETag></Part></CompleteMultipartUpload>"
            )
        );
    }
}
