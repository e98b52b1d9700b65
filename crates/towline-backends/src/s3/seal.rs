//! Making an object of an upload's parts: once, whatever breaks in between, and never of other parts than those that
//! were acknowledged.

use http::{Method, StatusCode};
use towline_core::crc64::Joined;
use towline_core::error::{Fault, FaultKind};
use towline_core::key::Key;
use towline_core::store::{Obstacle, Place, Seal, SealedObject};
use towline_core::upload::Part;
use towline_s3::listing::is_under_way;
use towline_s3::multipart::{Check, Multipart, crc64_of, crc64_text, head, tag_of};
use towline_s3::tag::{EMPTY_TAG, whole_tag};
use towline_s3::{Call, Problem};

use super::place::Room;
use super::{Inner, staged};

const DOING: &str = "completing an upload";

/// What came of a completion.
pub(super) enum Completed {
    Done(String),
    /// Something is there, and is not to be replaced.
    Taken,
    Changed(Vec<u32>),
}

pub(super) async fn seal(store: &Inner, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault> {
    let name = store.client.address.name(key.as_str());
    let completed = match Room::of(place)? {
        Room::Keyed { s3_id, name: own } if own == name => {
            complete(store, (&own, &s3_id), parts, store.settings.refuses_existing).await?
        }
        Room::Staged { s3_id, id } => Box::pin(staged::publish(store, (id, &s3_id), &name, parts)).await?,
        Room::Keyed { .. } | Room::Left { .. } | Room::Tails { .. } => {
            return Err(Fault::new(FaultKind::Internal, DOING, "the upload is not one of this key"));
        }
    };
    Ok(match completed {
        Completed::Done(tag) => {
            let location = store.client.address.url(&name);
            Seal::Sealed(SealedObject { location, version: tag.clone(), tag: Some(tag) })
        }
        Completed::Taken => Seal::Blocked(Obstacle { name: key.as_str().to_owned(), is_folder: false }),
        Completed::Changed(numbers) => Seal::Changed(numbers),
    })
}

pub(super) async fn is_sealed(
    store: &Inner,
    place: &Place,
    key: &Key,
    parts: &[Part],
) -> Result<bool, Fault> {
    let name = store.client.address.name(key.as_str());
    match Room::of(place)? {
        Room::Keyed { s3_id, .. } => {
            if find(store, &name, parts).await?.is_none() {
                return Ok(false);
            }
            // The same content may have been there before: it is this upload's own only when the upload is no more.
            let is_open = is_under_way(&store.client, (&name, &s3_id)).await;
            Ok(!is_open.map_err(|problem| problem.fault(DOING))?)
        }
        Room::Staged { id, .. } => Ok(staged::sealed_tag(store, id).await?.is_some()),
        Room::Left { .. } | Room::Tails { .. } => Ok(false),
    }
}

/// Completes a multipart upload. When it is no more, the object says whether that was done before.
pub(super) async fn complete(
    store: &Inner,
    (name, s3_id): (&str, &str),
    parts: &[Part],
    refuses_existing: bool,
) -> Result<Completed, Fault> {
    let multipart = Multipart { client: &store.client, name, s3_id };
    let mut headers = Vec::new();
    if store.check == Check::Crc64Whole
        && let Some(crc64) = joined(parts)
    {
        headers.push(("x-amz-checksum-crc64nvme".to_owned(), crc64_text(crc64)));
        headers.push(("x-amz-checksum-type".to_owned(), "FULL_OBJECT".to_owned()));
    }
    if refuses_existing && store.has_conditions {
        headers.push(("if-none-match".to_owned(), "*".to_owned()));
    }
    let problem = match completion(&multipart, parts, headers).await {
        Ok(tag) => return Ok(Completed::Done(tag)),
        Err(problem) => problem,
    };
    let is_taken = problem.status() == Some(StatusCode::PRECONDITION_FAILED);
    let mut is_gone =
        problem.is_upload_missing() || (problem.is_missing() && problem.code() != "NoSuchBucket");
    if matches!(problem.code(), "InvalidPart" | "InvalidPartOrder") {
        match changed(&multipart, parts).await? {
            Some(changed) if !changed.is_empty() => return Ok(Completed::Changed(changed)),
            Some(_) => {}
            None => is_gone = true,
        }
    }
    if is_gone || is_taken {
        return match find(store, name, parts).await? {
            Some(tag) => Ok(Completed::Done(tag)),
            None if is_taken => Ok(Completed::Taken),
            None => {
                let what = "the upload is gone, and there is no object of its parts";
                Err(Fault::new(FaultKind::Corrupt, DOING, what))
            }
        };
    }
    Err(problem.fault(DOING))
}

async fn completion(
    multipart: &Multipart<'_>,
    parts: &[Part],
    headers: Vec<(String, String)>,
) -> Result<String, Problem> {
    if parts.is_empty() {
        return completion_of_nothing(multipart, headers).await;
    }
    multipart.complete(parts.iter().map(|part| (part.number, part.mark.0.as_str())), headers).await
}

/// S3 completes no upload without parts: nothing is a part of no bytes, which keeps type and metadata.
async fn completion_of_nothing(
    multipart: &Multipart<'_>,
    headers: Vec<(String, String)>,
) -> Result<String, Problem> {
    let put = multipart.client.send(multipart.put_call(1)).await;
    match put {
        Ok(reply) => {
            let tag = reply.tag()?;
            multipart.complete([(1, tag.as_str())].into_iter(), headers).await
        }
        // Not every server takes such a part (Garage does not). The object is put as it is, then, without them.
        Err(problem) if problem.status() == Some(StatusCode::BAD_REQUEST) => {
            let client = multipart.client;
            let is_condition = |(name, _): &(String, String)| name == "if-none-match";
            let call = Call::new(Method::PUT, client.address.path(multipart.name))
                .headers(headers.into_iter().filter(is_condition));
            let tag = client.send(call).await?.tag()?;
            multipart.abort().await?;
            Ok(tag)
        }
        Err(problem) => Err(problem),
    }
}

/// The object's `ETag`, when it is the one that these parts make.
pub(super) async fn find(store: &Inner, name: &str, parts: &[Part]) -> Result<Option<String>, Fault> {
    let fault = |problem: Problem| problem.fault("looking for a completed object");
    let Some(reply) = head(&store.client, name).await.map_err(fault)? else { return Ok(None) };
    let (tag, size_bytes) = (reply.tag().map_err(fault)?, reply.size_bytes().map_err(fault)?);
    let expected_bytes: u64 = parts.iter().map(|part| part.size_bytes).sum();
    if size_bytes != expected_bytes {
        return Ok(None);
    }
    let expected = if parts.is_empty() {
        whole_tag([EMPTY_TAG].into_iter())
    } else {
        whole_tag(parts.iter().map(|part| part.mark.0.as_str()))
    };
    let crc64 = reply.header("x-amz-checksum-crc64nvme").and_then(crc64_of);
    let is_same = expected.as_ref() == Some(&tag)
        || (parts.is_empty() && tag == EMPTY_TAG)
        || (crc64.is_some() && crc64 == joined(parts));
    Ok(is_same.then_some(tag))
}

/// The CRC-64/NVME of the whole, where that of every part is known.
fn joined(parts: &[Part]) -> Option<u64> {
    let mut joined = Joined::default();
    for part in parts {
        joined.push(part.crc64?, part.size_bytes);
    }
    Some(joined.crc64())
}

/// The parts that the server has no more as they were acknowledged. Of an upload that is gone nothing is known.
async fn changed(multipart: &Multipart<'_>, parts: &[Part]) -> Result<Option<Vec<u32>>, Fault> {
    let mut listed = std::collections::HashMap::new();
    let mut after = 0;
    loop {
        let page = multipart.parts(after, None).await.map_err(|problem| problem.fault("listing parts"))?;
        let Some(page) = page else { return Ok(None) };
        let Some(last) = page.parts.last().map(|part| part.number).filter(|last| *last > after) else {
            break;
        };
        after = last;
        listed.extend(page.parts.iter().map(|part| (part.number, (tag_of(part).to_owned(), part.size))));
        if !page.is_truncated {
            break;
        }
    }
    let is_there = |part: &&Part| {
        listed.get(&part.number).is_some_and(|(tag, size)| *tag == part.mark.0 && *size == part.size_bytes)
    };
    Ok(Some(parts.iter().filter(|part| !is_there(part)).map(|part| part.number).collect()))
}
