//! Makes an object of an upload's parts, once, whatever breaks in between.

use std::sync::Arc;

use http::{Method, StatusCode};
use tokio::time::sleep;
use towline_core::receipt::Voucher;
use towline_s3::multipart::{Multipart, crc64_of, crc64_text};
use towline_s3::tag::{EMPTY_TAG, bare, whole_tag};
use towline_s3::{Call, Client, Problem, Reply, xml};

use super::complaint::Act;
use super::{Bucket, proving, reading};
use crate::remote::{Landed, Proof, Receipt, Upload, Whole};
use crate::trouble::Trouble;

/// How often a server is asked for what it has just made.
const LOOKS: u32 = 4;
const SEND_AGAIN: &str = "this is not the file: send it again, and look at what answers at the endpoint";

/// What the bucket's server says of an object that it has.
struct Made {
    tag: String,
    crc64: Option<u64>,
}

pub(super) async fn finish(
    bucket: &Bucket,
    upload: &Upload,
    parts: &[Landed],
    whole: Whole,
) -> Result<Receipt, Trouble> {
    let key = &upload.ticket.key;
    let made = match Box::pin(complete(bucket, upload, parts, whole)).await {
        Ok(done) => made(&done, parts.len())?,
        Err(problem) if may_be_done(&problem) => {
            let found = Box::pin(find(bucket, key, parts, whole)).await;
            let trouble = bucket.trouble(&problem, Act::Finish, key);
            found.ok().flatten().ok_or(if is_gone(&problem) {
                Trouble::gone(trouble.to_string())
            } else {
                trouble
            })?
        }
        Err(problem) if matches!(problem.code(), "InvalidPart" | "InvalidPartOrder") => {
            return Err(Trouble::gone("completing an upload: S3 has not all parts as they were sent"));
        }
        Err(problem) => return Err(bucket.trouble(&problem, Act::Finish, key)),
    };
    let crc64 = match made.crc64 {
        Some(crc64) => Some(crc64),
        None => Box::pin(told(bucket, key, &made.tag, whole)).await?,
    };
    let address = &bucket.client().address;
    Ok(Receipt {
        key: key.clone(),
        size_bytes: whole.total_bytes,
        part_count: u32::try_from(parts.len()).unwrap_or(u32::MAX),
        crc64,
        voucher: Voucher::Store,
        location: address.url(&address.name(key)),
    })
}

/// What the answer tells, where it is about an object of as many parts as were sent; one of no bytes is one of one part.
fn made(done: &xml::Done, part_count: usize) -> Result<Made, Trouble> {
    let tag = bare(&done.tag);
    match parts_in(tag) {
        Some(count) if count != part_count.max(1) => {
            Err(Trouble::refused(format!("S3 made an object of {count} parts instead of {part_count}"))
                .hint(SEND_AGAIN))
        }
        Some(_) | None => Ok(Made { tag: tag.to_owned(), crc64: done.crc64.as_deref().and_then(crc64_of) }),
    }
}

/// Of how many parts an `ETag` says that its object was made, if it has that form: hexadecimal digits, and the number.
fn parts_in(tag: &str) -> Option<usize> {
    let (digest, count) = tag.split_once('-')?;
    let is_hex = !digest.is_empty() && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    count.parse().ok().filter(|_| is_hex)
}

async fn complete(
    bucket: &Bucket,
    upload: &Upload,
    parts: &[Landed],
    whole: Whole,
) -> Result<xml::Done, Problem> {
    let mut headers = Vec::new();
    if upload.proof == Proof::Crc64 {
        headers.push((proving::CRC64.to_owned(), crc64_text(whole.crc64)));
        headers.push((proving::WHOLE.0.to_owned(), proving::WHOLE.1.to_owned()));
    }
    let mut tags: Vec<(u32, &str)> = parts.iter().map(|part| (part.number, part.tag.as_str())).collect();
    tags.sort_unstable();
    let complete = async |headers: Vec<(String, String)>| {
        let asked = async |client: Arc<Client>| {
            let name = client.address.name(&upload.ticket.key);
            let multipart = Multipart { client: &client, name: &name, s3_id: &upload.ticket.id };
            if tags.is_empty() {
                return Box::pin(complete_nothing(&multipart, headers.clone())).await;
            }
            multipart.completed(tags.iter().copied(), headers.clone()).await
        };
        Box::pin(bucket.ask(asked)).await
    };
    let is_checked = !headers.is_empty();
    match Box::pin(complete(headers)).await {
        // Each part was compared as it came.
        Err(problem) if is_checked && proving::is_about_checksums(&problem) => {
            Box::pin(complete(Vec::new())).await
        }
        completed => completed,
    }
}

/// S3 completes no upload without parts: nothing is a part of no bytes, which keeps type and metadata.
async fn complete_nothing(
    multipart: &Multipart<'_>,
    headers: Vec<(String, String)>,
) -> Result<xml::Done, Problem> {
    let client = multipart.client;
    match client.send(multipart.put_call(1)).await {
        Ok(reply) => {
            let tag = reply.tag()?;
            multipart.completed([(1, tag.as_str())].into_iter(), headers).await
        }
        // Not every server takes such a part (Garage does not). The object is put as it is, then, without them.
        Err(problem) if problem.status() == Some(StatusCode::BAD_REQUEST) => {
            let put = client.send(Call::new(Method::PUT, client.address.path(multipart.name))).await?;
            let tag = put.tag()?;
            multipart.abort().await?;
            Ok(xml::Done { tag, crc64: None })
        }
        Err(problem) => Err(problem),
    }
}

/// Whether the object may have been made all the same: the answer was lost, or the upload is gone for that very reason.
fn may_be_done(problem: &Problem) -> bool {
    is_gone(problem) || problem.may_pass()
}

fn is_gone(problem: &Problem) -> bool {
    problem.is_upload_missing() || (problem.is_missing() && problem.code() != "NoSuchBucket")
}

/// The object, when it is the one that these parts make.
async fn find(bucket: &Bucket, key: &str, parts: &[Landed], whole: Whole) -> Result<Option<Made>, Problem> {
    let Some(reply) = Box::pin(reading::asked(bucket, key)).await? else { return Ok(None) };
    let (tag, crc64) = (reply.tag()?, proving::crc64_in(&reply));
    let nothing = || std::iter::once(EMPTY_TAG);
    let expected = if parts.is_empty() {
        whole_tag(nothing())
    } else {
        whole_tag(parts.iter().map(|part| part.tag.as_str()))
    };
    let is_empty = parts.is_empty() && tag == EMPTY_TAG;
    let is_same = crc64 == Some(whole.crc64) || expected.as_ref() == Some(&tag) || is_empty;
    let is_made = is_same && reply.size_bytes()? == whole.total_bytes;
    Ok(is_made.then_some(Made { tag, crc64 }))
}

/// The digest of what was made, where it can be asked for. Another size than that of the file is no success.
async fn told(bucket: &Bucket, key: &str, tag: &str, whole: Whole) -> Result<Option<u64>, Trouble> {
    // The object is made: who may not read it, or a line that breaks now, changes nothing of that.
    let Ok(found) = Box::pin(seen(bucket, key)).await else { return Ok(None) };
    let reply = found.ok_or_else(|| {
        Trouble::refused("S3 said that it made the object, and does not have it")
            .hint("did somebody remove or move it at once? else send the file again: run the same command")
    })?;
    let is_this = reply.tag().is_ok_and(|found| found == tag);
    match reply.size_bytes() {
        Ok(size_bytes) if is_this && size_bytes != whole.total_bytes => {
            Err(Trouble::refused(format!("S3 made {size_bytes} bytes of a file of {}", whole.total_bytes)))
        }
        Ok(_) if is_this => Ok(proving::crc64_in(&reply)),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// The object that was just made. S3 has it at once; others may need a moment.
async fn seen(bucket: &Bucket, key: &str) -> Result<Option<Reply>, Problem> {
    let mut wait = bucket.settings.patience.pause;
    for _ in 1..LOOKS {
        if let Some(reply) = Box::pin(reading::asked(bucket, key)).await? {
            return Ok(Some(reply));
        }
        sleep(wait).await;
        wait *= 2;
    }
    Box::pin(reading::asked(bucket, key)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_another_number_of_parts_is_not_what_was_sent() {
        let done = |tag: &str| xml::Done { tag: tag.to_owned(), crc64: None };
        for (tag, part_count, is_right) in [
            ("\"abc-8\"", 8, true),
            ("\"abc-2\"", 8, false),
            ("abc-1", 0, true),
            ("d41d8cd98f00b204e9800998ecf8427e", 0, true),
            ("d41d8cd98f00b204e9800998ecf8427e", 8, true),
            // Tags of other forms say nothing.
            ("550e8400-e29b-41d4-a716-446655440000", 8, true),
            ("strange-2", 8, true),
            ("-2", 8, true),
            ("", 8, true),
        ] {
            assert_eq!(made(&done(tag), part_count).is_ok(), is_right, "{tag} {part_count}");
        }
    }
}
