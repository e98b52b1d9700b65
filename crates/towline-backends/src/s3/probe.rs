//! What the server can do, tried on an object of our own when the store is opened. Servers that speak S3 differ in
//! what they check, and some take a checksum without looking at it.

use bytes::Bytes;
use http::{Method, StatusCode};
use towline_core::digest::{Computed, Digester};
use towline_core::error::Fault;
use towline_core::upload::UploadId;
use towline_s3::multipart::{Check, Multipart, begin, crc64_text, head, remove};
use towline_s3::{Call, Client, Content, Problem};

use super::{S3Settings, headers, place};

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    pub(super) check: Check,
    /// A completion can be refused when the key is taken.
    pub(super) has_conditions: bool,
}

const CONTENT: &[u8] = b"Towline tries what this server checks";

/// Tries, says it in the log, and leaves nothing behind.
pub(super) async fn probe(client: &Client, settings: &S3Settings) -> Result<Abilities, Fault> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let name = place::whole(&client.address, UploadId::from_u128(u128::from_be_bytes(random)));
    let probed = Box::pin(try_all(client, settings, &name)).await;
    let removed = remove(client, &name).await;
    let abilities = probed.and_then(|abilities| removed.map(|()| abilities));
    let abilities = abilities.map_err(|problem| problem.fault("trying the bucket"))?;
    tracing::info!(
        bucket = %client.address.bucket,
        part_checks = match abilities.check {
            Check::Crc64Whole | Check::Crc64 => "CRC-64/NVME",
            Check::Crc32c => "CRC32C",
            Check::Md5 => "our own MD5",
        },
        checks_whole = abilities.check == Check::Crc64Whole,
        conditional_complete = abilities.has_conditions,
        "S3 store opened"
    );
    Ok(abilities)
}

async fn try_all(client: &Client, settings: &S3Settings, name: &str) -> Result<Abilities, Problem> {
    // The plainest way comes first: what fails here is no matter of abilities.
    let headers = headers::of_every(settings);
    let s3_id = begin(client, name, headers.clone()).await?;
    Multipart { client, name, s3_id: &s3_id }.abort().await?;
    let mut check = Check::Md5;
    for candidate in [Check::Crc64Whole, Check::Crc64, Check::Crc32c] {
        let can = Box::pin(can_check(client, candidate, (name, &headers))).await?;
        // What clients send themselves has no checksum of theirs.
        let needs_none =
            settings.is_relayed || Box::pin(can_do_without(client, candidate, (name, &headers))).await?;
        if can && needs_none {
            check = candidate;
            break;
        }
    }
    let has_conditions =
        settings.refuses_existing && Box::pin(can_refuse(client, check, (name, &headers))).await?;
    Ok(Abilities { check, has_conditions })
}

/// Takes an answer for what it says of an ability: only what may be otherwise the next time is a problem.
fn said<T>(result: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match result {
        Ok(value) => Ok(Some(value)),
        // A part with a wrong digest is refused as one that may be right when it is sent again.
        Err(problem) if !problem.may_pass() || problem.code() == "BadDigest" => Ok(None),
        // Not every server has a better word for what it does not know.
        Err(problem) if problem.status() == Some(StatusCode::INTERNAL_SERVER_ERROR) => Ok(None),
        Err(problem) => Err(problem),
    }
}

type Probed<'a> = (&'a str, &'a [(String, String)]);

async fn can_check(client: &Client, check: Check, (name, headers): Probed<'_>) -> Result<bool, Problem> {
    let begun = begin(client, name, headers.iter().cloned().chain(check.of_upload())).await;
    let Some(s3_id) = said(begun)? else { return Ok(false) };
    let multipart = Multipart { client, name, s3_id: &s3_id };
    let wrong = put(&multipart, check, &computed(check, b"something else")).await?;
    let right = put(&multipart, check, &computed(check, CONTENT)).await?;
    let mut can = wrong.is_none() && right.is_some();
    if let Some(tag) = right.filter(|_| can && check == Check::Crc64Whole) {
        let of_whole = |crc64| {
            let value = crc64_text(crc64);
            [("x-amz-checksum-crc64nvme", value.as_str()), ("x-amz-checksum-type", "FULL_OBJECT")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let crc64 = computed(check, CONTENT).crc64;
        let wrong = said(multipart.complete([(1, tag.as_str())].into_iter(), of_whole(!crc64)).await)?;
        can = wrong.is_none();
        // A server may give up the upload with the refusal.
        if can && multipart.parts(0, Some(1)).await?.is_some() {
            can = said(multipart.complete([(1, tag.as_str())].into_iter(), of_whole(crc64)).await)?.is_some();
        }
    }
    multipart.abort().await?;
    Ok(can)
}

async fn can_do_without(client: &Client, check: Check, (name, headers): Probed<'_>) -> Result<bool, Problem> {
    let begun = begin(client, name, headers.iter().cloned().chain(check.of_upload())).await;
    let Some(s3_id) = said(begun)? else { return Ok(false) };
    let multipart = Multipart { client, name, s3_id: &s3_id };
    let tag = put(&multipart, Check::Md5, &computed(check, CONTENT)).await?;
    multipart.abort().await?;
    Ok(tag.is_some())
}

async fn can_refuse(client: &Client, check: Check, (name, headers): Probed<'_>) -> Result<bool, Problem> {
    let path = client.address.path(name);
    let put_it = Call::new(Method::PUT, path)
        .headers(headers.to_vec())
        .content(Content::Text(Bytes::from_static(b"x")));
    client.send(put_it).await?;
    let s3_id = begin(client, name, headers.iter().cloned().chain(check.of_upload())).await?;
    let multipart = Multipart { client, name, s3_id: &s3_id };
    let tag = put(&multipart, check, &computed(check, CONTENT)).await?;
    let tag = tag.ok_or_else(|| Problem::garbled("a part was refused that was taken before"))?;
    let condition = [("if-none-match".to_owned(), "*".to_owned())];
    let parts = || [(1, tag.as_str())].into_iter();
    // A server that knows no conditions may refuse them all: only this refusal is the one that is meant.
    let is_refused = match multipart.complete(parts(), condition.clone()).await {
        Ok(_) => false,
        Err(problem) if problem.status() == Some(StatusCode::PRECONDITION_FAILED) => true,
        Err(problem) => said::<()>(Err(problem))?.is_some(),
    };
    let is_kept = head(client, name).await?.map(|reply| reply.size_bytes()).transpose()? == Some(1);
    remove(client, name).await?;
    let is_taken = is_refused && said(multipart.complete(parts(), condition).await)?.is_some();
    multipart.abort().await?;
    Ok(is_refused && is_kept && is_taken)
}

async fn put(
    multipart: &Multipart<'_>,
    check: Check,
    computed: &Computed,
) -> Result<Option<String>, Problem> {
    let call = multipart
        .put_call(1)
        .headers(check.of_bytes(computed))
        .content(Content::Text(Bytes::from_static(CONTENT)))
        .once();
    said(multipart.client.send(call).await.and_then(|reply| reply.tag()))
}

fn computed(check: Check, bytes: &[u8]) -> Computed {
    let mut digester = Digester::new(check.algorithm());
    digester.update(bytes);
    digester.finish()
}
