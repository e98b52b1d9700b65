//! Lists, page by page: of objects, and of uploads under way.

use http::Method;

use crate::client::{Call, Client};
use crate::problem::Problem;
use crate::xml;

/// S3's largest page.
pub const PAGE: usize = 1000;
/// How many pages are read in search of one upload.
const PAGES_MAX: usize = 1000;

/// Objects whose names begin with `prefix` and come after `after`, in order; no more than a page.
pub async fn page(client: &Client, prefix: &str, after: &str, limit: usize) -> Result<xml::Objects, Problem> {
    let mut call = Call::new(Method::GET, client.address.bucket_path())
        .query("list-type", "2")
        .query("encoding-type", "url")
        .query("prefix", prefix)
        .query("max-keys", limit.min(PAGE).to_string());
    if !after.is_empty() {
        call = call.query("start-after", after);
    }
    let mut objects: xml::Objects = xml::read(&client.send(call).await?.body)?;
    for object in &mut objects.objects {
        object.key = xml::decode(&object.key).ok_or_else(|| Problem::garbled("a name that is no text"))?;
    }
    Ok(objects)
}

/// Uploads under way whose names begin with `prefix`, after a name and an id.
pub async fn uploads(
    client: &Client,
    prefix: &str,
    after: &(String, String),
) -> Result<xml::Uploads, Problem> {
    let mut call = Call::new(Method::GET, client.address.bucket_path())
        .query("uploads", "")
        .query("encoding-type", "url")
        .query("prefix", prefix)
        .query("max-uploads", PAGE.to_string());
    if !after.0.is_empty() {
        call = call.query("key-marker", after.0.as_str()).query("upload-id-marker", after.1.as_str());
    }
    let mut found: xml::Uploads = xml::read(&client.send(call).await?.body)?;
    for upload in &mut found.under_way {
        upload.key = xml::decode(&upload.key).ok_or_else(|| Problem::garbled("a name that is no text"))?;
    }
    Ok(found)
}

/// Whether an upload is open. The list of its parts does not tell: some servers (Swift) still have it afterwards.
pub async fn is_under_way(client: &Client, (name, s3_id): (&str, &str)) -> Result<bool, Problem> {
    let mut from = (String::new(), String::new());
    for _ in 0..PAGES_MAX {
        let found = uploads(client, name, &from).await?;
        if found.under_way.iter().any(|upload| upload.key == name && upload.upload_id == s3_id) {
            return Ok(true);
        }
        match next(&found) {
            Some(next) => from = next,
            None => return Ok(false),
        }
    }
    Err(Problem::garbled("a list of uploads that does not end"))
}

/// Where the page after this one begins.
pub fn next(found: &xml::Uploads) -> Option<(String, String)> {
    let key = found.next_key_marker.as_deref().and_then(xml::decode).filter(|key| !key.is_empty());
    let next = key.zip(found.next_upload_id_marker.clone());
    if found.is_truncated { next } else { None }
}
