//! Uploads that are there already: by their ticket, by the name of their file, or all of them.

use std::sync::Arc;

use towline_core::clock::Timestamp;
use towline_s3::listing::{next, uploads};
use towline_s3::multipart::{Multipart, crc64_of, tag_of};
use towline_s3::tag::md5_of;
use towline_s3::{Client, Problem, listing, xml};

use super::complaint::{Act, is_denied};
use super::{Bucket, layout};
use crate::remote::{Landed, Line, Order, Proof, State, Ticket, Upload};
use crate::trouble::Trouble;

/// How many uploads of one file are looked at.
const CANDIDATES_MAX: usize = 20;
/// How many pages of a thousand uploads are read.
const PAGES_MAX: usize = 20;
/// How S3 calls the only state there is.
const OPEN: &str = "open";

/// The parts of an upload, as the server lists them.
struct Found {
    parts: Vec<xml::Part>,
    /// The one that its parts have to be sent with, where the server says.
    algorithm: Option<String>,
}

impl Found {
    fn is_crc64(&self) -> bool {
        self.algorithm.as_ref().is_some_and(|algorithm| algorithm.eq_ignore_ascii_case("CRC64NVME"))
    }
}

pub(super) async fn candidates(bucket: &Bucket, order: &Order) -> Result<Vec<Upload>, Trouble> {
    let fault = |problem: Problem, act| bucket.trouble(&problem, act, &order.key);
    let mut listed = match Box::pin(under_way(bucket, &order.key, true)).await {
        Ok(listed) => listed,
        // Who may not look for uploads can make them all the same.
        Err(problem) if is_denied(&problem) || problem.code() == "NotImplemented" => return Ok(Vec::new()),
        Err(problem) => return Err(fault(problem, Act::ListUploads)),
    };
    newest_first(&mut listed);
    let mut candidates = Vec::new();
    for upload in listed.into_iter().take(CANDIDATES_MAX) {
        let ticket = Ticket::new(upload.upload_id, order.key.clone());
        let found = match Box::pin(parts(bucket, &ticket)).await {
            Ok(found) => found,
            Err(problem) if is_denied(&problem) => return Ok(Vec::new()),
            Err(problem) => return Err(fault(problem, Act::ListParts)),
        };
        candidates.extend(found.and_then(|found| candidate(ticket, &found, order.total_bytes)));
    }
    Ok(candidates)
}

/// The upload, where a file of this size may have been cut into such parts, and they can be proven from here.
fn candidate(ticket: Ticket, found: &Found, total_bytes: Option<u64>) -> Option<Upload> {
    let is_ours = found.algorithm.is_none() || found.is_crc64();
    let sizes: Vec<_> = found.parts.iter().map(|part| (part.number, part.size)).collect();
    let part_bytes = layout::found(&sizes, total_bytes).filter(|_| is_ours)?;
    let ticket = Ticket { part_bytes: Some(part_bytes), ..ticket };
    Some(Upload { total_bytes, ..upload(ticket, part_bytes, found) })
}

fn upload(ticket: Ticket, part_bytes: u64, found: &Found) -> Upload {
    let landed: Vec<Landed> = found
        .parts
        .iter()
        .map(|part| Landed {
            number: part.number,
            size_bytes: part.size,
            crc64: part.crc64.as_deref().and_then(crc64_of),
            md5: md5_of(tag_of(part)),
            tag: tag_of(part).to_owned(),
        })
        .collect();
    let is_checked = found.is_crc64() || landed.iter().all(|part| part.crc64.is_some());
    Upload {
        ticket,
        part_bytes,
        total_bytes: None,
        proof: if is_checked { Proof::Crc64 } else { Proof::Md5 },
        landed,
        is_resumed: true,
    }
}

pub(super) async fn look(bucket: &Bucket, ticket: &Ticket) -> Result<State, Trouble> {
    let found = Box::pin(parts(bucket, ticket)).await;
    let found = found.map_err(|problem| bucket.trouble(&problem, Act::ListParts, &ticket.key))?;
    let Some(found) = found else { return Ok(State::Gone) };
    // Some servers (Swift) list the parts of an upload that is finished. Who may not look believes them.
    let asked = async |client: Arc<Client>| {
        let name = client.address.name(&ticket.key);
        listing::is_under_way(&client, (&name, &ticket.id)).await
    };
    match Box::pin(bucket.ask(asked)).await {
        Ok(false) => return Ok(State::Gone),
        Ok(true) => {}
        Err(problem) if is_denied(&problem) || problem.code() == "NotImplemented" => {}
        Err(problem) => return Err(bucket.trouble(&problem, Act::ListUploads, &ticket.key)),
    }
    let sizes: Vec<_> = found.parts.iter().map(|part| (part.number, part.size)).collect();
    let known = ticket.part_bytes.or_else(|| layout::found(&sizes, None));
    let part_bytes = match known {
        Some(part_bytes) => part_bytes,
        None if sizes.is_empty() => layout::STREAM_PART_BYTES,
        None => {
            return Err(Trouble::refused("nobody knows any more how this upload is cut")
                .hint("give it up with `towline abort`, and send the file again"));
        }
    };
    let upload = upload(ticket.clone(), part_bytes, &found);
    // Not every server says by what parts have to be proven (Garage does not, and takes none that is not): the stronger way
    // is one that those take who do not know it.
    let proof = if sizes.is_empty() { Proof::Crc64 } else { upload.proof };
    Ok(State::Open(Box::new(Upload { proof, ..upload })))
}

/// All parts of an upload, in order; nothing when it is gone.
async fn parts(bucket: &Bucket, ticket: &Ticket) -> Result<Option<Found>, Problem> {
    let mut found = Found { parts: Vec::new(), algorithm: None };
    loop {
        let after = found.parts.last().map_or(0, |part| part.number);
        let asked = async |client: Arc<Client>| {
            let name = client.address.name(&ticket.key);
            Multipart { client: &client, name: &name, s3_id: &ticket.id }.parts(after, None).await
        };
        let Some(page) = Box::pin(bucket.ask(asked)).await? else { return Ok(None) };
        let is_last = !page.is_truncated;
        let more: Vec<_> = page.parts.into_iter().filter(|part| part.number > after).collect();
        found.algorithm = found.algorithm.or(page.checksum_algorithm);
        let has_more = !more.is_empty();
        found.parts.extend(more);
        if found.parts.len() > layout::PARTS_MAX as usize {
            return Err(Problem::garbled("a list of parts that does not end"));
        }
        if is_last || !has_more {
            found.parts.sort_by_key(|part| part.number);
            return Ok(Some(found));
        }
    }
}

/// Uploads whose names begin so, or are just that.
async fn under_way(bucket: &Bucket, prefix: &str, is_exact: bool) -> Result<Vec<xml::Multipart>, Problem> {
    let mut from = (String::new(), String::new());
    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let asked = async |client: Arc<Client>| uploads(&client, &client.address.name(prefix), &from).await;
        let page = Box::pin(bucket.ask(asked)).await?;
        let next = next(&page);
        let name = bucket.client().address.name(prefix);
        // The shortest name comes first: after it, those that only begin so.
        let is_past = is_exact && page.under_way.last().is_some_and(|last| last.key != name);
        all.extend(page.under_way.into_iter().filter(|upload| !is_exact || upload.key == name));
        match next {
            Some(next) if !is_past => from = next,
            Some(_) | None => break,
        }
    }
    Ok(all)
}

fn newest_first(uploads: &mut [xml::Multipart]) {
    let begun_at =
        |upload: &xml::Multipart| xml::moment(&upload.initiated).unwrap_or(Timestamp::from_millis(0));
    uploads.sort_by_key(|upload| std::cmp::Reverse(begun_at(upload)));
}

pub(super) async fn unfinished(bucket: &Bucket, prefix: &str, limit: usize) -> Result<Vec<Line>, Trouble> {
    let listed = Box::pin(under_way(bucket, prefix, false)).await;
    let mut listed = listed.map_err(|problem| bucket.trouble(&problem, Act::ListUploads, prefix))?;
    newest_first(&mut listed);
    listed.truncate(limit);
    let client = bucket.client();
    let line = |upload: xml::Multipart| {
        let key = upload.key.strip_prefix(&client.address.prefix)?.to_owned();
        Some(Line {
            ticket: Ticket::new(upload.upload_id, key),
            status: OPEN.to_owned(),
            total_bytes: None,
            landed_parts: None,
            total_parts: None,
            begun_at: upload.initiated,
        })
    };
    Ok(listed.into_iter().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn part(number: u32, size_mib: u64, crc64: Option<&str>) -> xml::Part {
        let tag = "\"25f9e794323b453885f5181f1b624d0b\"".to_owned();
        xml::Part { number, tag, size: size_mib * MIB, last_modified: None, crc64: crc64.map(str::to_owned) }
    }

    fn found(parts: Vec<xml::Part>, algorithm: Option<&str>) -> Option<Upload> {
        let ticket = Ticket::new("1", "a");
        candidate(ticket, &Found { parts, algorithm: algorithm.map(str::to_owned) }, Some(20 * MIB))
    }

    #[test]
    fn a_candidate_has_parts_that_can_be_proven() {
        let (crc64, other) = (Some("rosUhgp5mIg="), Some("rosUhgp5mIg=-2"));
        let upload = found(vec![part(1, 8, crc64), part(3, 4, crc64)], Some("CRC64NVME")).unwrap();
        assert_eq!(
            (upload.proof, upload.part_bytes, upload.total_bytes),
            (Proof::Crc64, 8 * MIB, Some(20 * MIB))
        );
        assert_eq!(upload.landed[1].crc64, Some(0xae8b_1486_0a79_9888));
        let upload = found(vec![part(1, 8, None)], None).unwrap();
        assert_eq!((upload.proof, upload.landed[0].md5.is_some()), (Proof::Md5, true));
        assert_eq!(found(vec![part(1, 8, other)], None).unwrap().proof, Proof::Md5);
        for (parts, algorithm) in [
            (vec![], None),
            (vec![part(1, 8, None)], Some("CRC32")),
            (vec![part(1, 8, None), part(2, 4, None)], None),
        ] {
            assert!(found(parts, algorithm).is_none());
        }
    }
}
