//! Files whose whole digest has to be computed before they become visible. S3 does not read unfinished parts: such a
//! file gathers as an object of our own, is read there, and is copied to its key by the server.

use bytes::Bytes;
use http::Method;
use towline_core::error::{Fault, FaultKind};
use towline_core::store::ByteStream;
use towline_core::upload::{Part, UploadId};
use towline_s3::multipart::{Multipart, begin, copy_source, head};
use towline_s3::{Call, Content, Problem, Reply, xml};

use super::seal::{Completed, complete, find};
use super::{Inner, headers, place, reader};

const DOING: &str = "copying a verified file to its key";
/// What is copied of an object's description when it is copied in parts.
const DESCRIBING: [&str; 2] = ["content-type", "x-amz-meta-"];

/// The bytes of all parts; nothing when they were published before.
pub(super) async fn read(
    store: &Inner,
    (id, s3_id): (UploadId, &str),
    parts: &[Part],
) -> Result<Option<ByteStream>, Fault> {
    if sealed_tag(store, id).await?.is_some() {
        return Ok(None);
    }
    let name = place::whole(&store.client.address, id);
    match gathered(store, (&name, s3_id), parts).await? {
        Completed::Done(_) => reader::whole(&store.client, &name).await,
        Completed::Taken | Completed::Changed(_) => Err(Fault::new(
            FaultKind::Corrupt,
            "reading parts",
            "parts are not what they were acknowledged to be",
        )),
    }
}

/// Copies the file to its key, and remembers that.
pub(super) async fn publish(
    store: &Inner,
    (id, s3_id): (UploadId, &str),
    target: &str,
    parts: &[Part],
) -> Result<Completed, Fault> {
    if let Some(tag) = sealed_tag(store, id).await? {
        return Ok(Completed::Done(tag));
    }
    let fault = |problem: Problem| problem.fault(DOING);
    let name = place::whole(&store.client.address, id);
    let completed = gathered(store, (&name, s3_id), parts).await?;
    let Completed::Done(_) = completed else { return Ok(completed) };
    if store.settings.refuses_existing && head(&store.client, target).await.map_err(fault)?.is_some() {
        // A crash may have come after the copy: then it is our own.
        let own = find(store, target, parts).await?;
        return Ok(own.map_or(Completed::Taken, Completed::Done));
    }
    let source = head(&store.client, &name).await.map_err(fault)?;
    let source = source.ok_or_else(|| Fault::new(FaultKind::Corrupt, DOING, "the file is gone"))?;
    let tag = copy(store, &name, &source, target).await.map_err(fault)?;
    let sealed = store.client.address.path(&place::sealed(&store.client.address, id));
    let remember = Call::new(Method::PUT, sealed)
        .headers(headers::of_every(&store.settings))
        .content(Content::Text(Bytes::from(tag.clone())));
    store.client.send(remember).await.map_err(fault)?;
    Ok(Completed::Done(tag))
}

/// The `ETag` of what was published, when it was.
pub(super) async fn sealed_tag(store: &Inner, id: UploadId) -> Result<Option<String>, Fault> {
    let path = store.client.address.path(&place::sealed(&store.client.address, id));
    match store.client.send(Call::new(Method::GET, path)).await {
        Ok(reply) => Ok(Some(String::from_utf8_lossy(&reply.body).into_owned())),
        Err(problem) if problem.is_missing() => Ok(None),
        Err(problem) => Err(problem.fault("looking for what was published")),
    }
}

async fn gathered(store: &Inner, (name, s3_id): (&str, &str), parts: &[Part]) -> Result<Completed, Fault> {
    complete(store, (name, s3_id), parts, false).await
}

async fn copy(store: &Inner, name: &str, source: &Reply, target: &str) -> Result<String, Problem> {
    let size_bytes = source.size_bytes()?;
    if size_bytes > store.settings.copy_bytes_max {
        return Box::pin(copy_parts(store, (name, size_bytes), source, target)).await;
    }
    let call = Call::new(Method::PUT, store.client.address.path(target))
        .header("x-amz-copy-source", copy_source(&store.client, name))
        .header("x-amz-copy-source-if-match", format!("\"{}\"", source.tag()?))
        .headers(headers::of_keyed(&store.settings))
        .slow();
    xml::read_done(&store.client.send(call).await?.body)
}

/// One copy takes no more than 5 GiB.
async fn copy_parts(
    store: &Inner,
    (name, size_bytes): (&str, u64),
    source: &Reply,
    target: &str,
) -> Result<String, Problem> {
    let described = source.headers.iter().filter_map(|(name, value)| {
        let is_describing = DESCRIBING.iter().any(|start| name.as_str().starts_with(start));
        let value = value.to_str().ok().filter(|_| is_describing)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let own = headers::of_keyed(&store.settings).into_iter().chain(headers::tags(&store.settings));
    let s3_id = begin(&store.client, target, described.chain(own)).await?;
    let multipart = Multipart { client: &store.client, name: target, s3_id: &s3_id };
    let copied = async {
        let step = usize::try_from(store.settings.copy_bytes_max).unwrap_or(usize::MAX);
        let mut tags = Vec::new();
        for (number, start) in (1..).zip((0..size_bytes).step_by(step)) {
            let end = size_bytes.min(start + store.settings.copy_bytes_max);
            tags.push((number, multipart.copy_part(number, name, (start, end)).await?));
        }
        multipart.complete(tags.iter().map(|(number, tag)| (*number, tag.as_str())), []).await
    };
    match Box::pin(copied).await {
        Ok(tag) => Ok(tag),
        Err(problem) => {
            // What is left of it costs room until it is aborted; the problem is what is to be told.
            multipart.abort().await.ok();
            Err(problem)
        }
    }
}
