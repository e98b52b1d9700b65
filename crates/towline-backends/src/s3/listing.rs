//! Lists, page by page: of objects, of parts, and of what is on its way or was left behind.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use towline_core::clock::Timestamp;
use towline_core::error::Fault;
use towline_core::receipt::Voucher;
use towline_core::store::{Holder, Listed, Mark, Place};
use towline_core::upload::{Part, UploadId};

use super::Inner;
use super::client::{Call, Client};
use super::multipart::{Multipart, crc64_of, head, remove, tag_of};
use super::place::{Room, bare};
use super::problem::Problem;
use super::writer::PLACE_HEADER;
use super::xml;

/// S3's largest page.
const PAGE: usize = 1000;
/// Sorts after every name in a folder of ours.
const AFTER_ALL: char = '\u{10ffff}';

/// Objects whose names begin with `prefix` and come after `after`, in order; no more than a page.
async fn page(client: &Client, prefix: &str, after: &str, limit: usize) -> Result<xml::Objects, Problem> {
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

pub(super) async fn list(
    store: &Inner,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Listed>, Fault> {
    let address = &store.client.address;
    let (prefix, own) = (address.before(prefix), address.own());
    let mut after = if after.is_empty() { String::new() } else { address.before(after) };
    let mut listed: Vec<Listed> = Vec::new();
    while listed.len() < limit {
        let found = page(&store.client, &prefix, &after, limit - listed.len()).await;
        let found = found.map_err(|problem| problem.fault("listing objects"))?;
        let Some(last) = found.objects.last() else { break };
        // What is our own is passed over in one step, however much of it there is.
        after = if last.key.starts_with(&own) { format!("{own}{AFTER_ALL}") } else { last.key.clone() };
        let is_last = !found.is_truncated;
        listed.extend(found.objects.into_iter().filter_map(|object| {
            Some(Listed {
                key: address.key(&object.key)?,
                size_bytes: object.size,
                version: bare(&object.tag).to_owned(),
                modified_at: xml::moment(&object.last_modified)?,
            })
        }));
        if is_last {
            break;
        }
    }
    Ok(listed)
}

/// The parts that the server has.
pub(super) async fn parts(store: &Inner, place: &Place, after: u32) -> Result<Option<Vec<Part>>, Fault> {
    let room = Room::of(place)?;
    let Some((name, s3_id)) = room.multipart(&store.client.address) else { return Ok(None) };
    let multipart = Multipart { client: &store.client, name: &name, s3_id };
    let page = multipart.parts(after, None).await.map_err(|problem| problem.fault("listing parts"))?;
    let Some(page) = page else { return Ok(None) };
    let now = store.client.now();
    let parts = page.parts.into_iter().filter(|part| part.number > after).map(|part| Part {
        number: part.number,
        size_bytes: part.size,
        crc64: part.crc64.as_deref().and_then(crc64_of),
        digests: Vec::new(),
        mark: Mark(tag_of(&part).to_owned()),
        voucher: Voucher::Store,
        landed_at: part.last_modified.as_deref().and_then(xml::moment).unwrap_or(now),
    });
    Ok(Some(parts.collect()))
}

/// Removes all objects of a folder of ours.
pub(super) async fn clear(client: &Client, folder: &str) -> Result<(), Problem> {
    loop {
        let found = page(client, folder, "", PAGE).await?;
        for object in &found.objects {
            remove(client, &object.key).await?;
        }
        if !found.is_truncated || found.objects.is_empty() {
            return Ok(());
        }
    }
}

/// Aborts what gathers in a folder of ours.
pub(super) async fn abort_all(client: &Client, folder: &str) -> Result<(), Problem> {
    let mut from = (String::new(), String::new());
    loop {
        let found = uploads(client, folder, &from).await?;
        for upload in &found.under_way {
            Multipart { client, name: &upload.key, s3_id: &upload.upload_id }.abort().await?;
        }
        match next(&found) {
            Some(next) => from = next,
            None => return Ok(()),
        }
    }
}

/// Uploads under way whose names begin with `prefix`, after a name and an id.
async fn uploads(client: &Client, prefix: &str, after: &(String, String)) -> Result<xml::Uploads, Problem> {
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
pub(super) async fn is_under_way(client: &Client, (name, s3_id): (&str, &str)) -> Result<bool, Problem> {
    let mut from = (String::new(), String::new());
    loop {
        let found = uploads(client, name, &from).await?;
        if found.under_way.iter().any(|upload| upload.key == name && upload.upload_id == s3_id) {
            return Ok(true);
        }
        match next(&found) {
            Some(next) => from = next,
            None => return Ok(false),
        }
    }
}

/// Where the page after this one begins.
fn next(found: &xml::Uploads) -> Option<(String, String)> {
    let key = found.next_key_marker.as_deref().and_then(xml::decode).filter(|key| !key.is_empty());
    let next = key.zip(found.next_upload_id_marker.clone());
    if found.is_truncated { next } else { None }
}

/// What is on its way or was left behind, last changed at or before `before`: first uploads, then our own folders.
pub(super) async fn survey(
    store: &Inner,
    before: Timestamp,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<(Place, Holder)>, Fault> {
    let fault = |problem: Problem| problem.fault("looking for what was left behind");
    let after = after.map(Room::of).transpose()?;
    let address = &store.client.address;
    let mut found = Found { store, before, limit, places: Vec::new() };
    match &after {
        Some(room @ (Room::Left { .. } | Room::Tails { .. })) => {
            let from = format!("{}{AFTER_ALL}", room.folder(address));
            Box::pin(found.folders(from)).await.map_err(fault)?;
        }
        Some(Room::Keyed { .. } | Room::Staged { .. }) | None => {
            let from = after.as_ref().and_then(|room| room.multipart(address));
            let from = from.map(|(name, s3_id)| (name, s3_id.to_owned())).unwrap_or_default();
            Box::pin(found.uploads(from)).await.map_err(fault)?;
            Box::pin(found.folders(String::new())).await.map_err(fault)?;
        }
    }
    Ok(found.places)
}

/// What a survey has found so far.
struct Found<'a> {
    store: &'a Inner,
    before: Timestamp,
    limit: usize,
    places: Vec<(Place, Holder)>,
}

impl Found<'_> {
    fn is_full(&self) -> bool {
        self.places.len() >= self.limit
    }

    async fn uploads(&mut self, mut from: (String, String)) -> Result<(), Problem> {
        let client = &self.store.client;
        // In a bucket that others use too, their uploads are none of our business.
        let own =
            if self.store.settings.owns_bucket { client.address.before("") } else { client.address.own() };
        loop {
            let page = uploads(client, &own, &from).await?;
            for upload in &page.under_way {
                let is_old = xml::moment(&upload.initiated).is_some_and(|at| at <= self.before);
                let holder = self.of_upload(upload).filter(|_| is_old && !self.is_full());
                self.places.extend(holder);
            }
            match next(&page) {
                Some(next) if !self.is_full() => from = next,
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn of_upload(&self, upload: &xml::Multipart) -> Option<(Place, Holder)> {
        let address = &self.store.client.address;
        let (s3_id, name) = (upload.upload_id.clone(), upload.key.clone());
        if let Some(key) = address.key(&name) {
            return Some((Room::Keyed { s3_id, name }.to_place(), Holder::Key(key)));
        }
        let (folder, _) = name.strip_prefix(&address.own())?.split_once('/')?;
        let id = UploadId::parse(folder)?;
        Some((Room::Staged { s3_id, id }.to_place(), Holder::Upload(id)))
    }

    async fn folders(&mut self, mut from: String) -> Result<(), Problem> {
        let own = self.store.client.address.own();
        while !self.is_full() {
            let page = page(&self.store.client, &own, &from, PAGE).await?;
            let folder_of =
                |object: &xml::Listed| Some(object.key.strip_prefix(&own)?.split_once('/')?.0.to_owned());
            for objects in page.objects.chunk_by(|one, other| folder_of(one) == folder_of(other)) {
                let is_old = |object: &xml::Listed| {
                    xml::moment(&object.last_modified).is_some_and(|at| at <= self.before)
                };
                if let Some(folder) = folder_of(&objects[0])
                    && objects.iter().all(is_old)
                    && !self.is_full()
                {
                    let found = self.of_folder(&folder, &objects[0].key).await?;
                    self.places.extend(found);
                }
            }
            let Some(last) = page.objects.last().filter(|_| page.is_truncated) else { break };
            from = format!("{own}{}/{AFTER_ALL}", folder_of(last).unwrap_or_default());
        }
        Ok(())
    }

    async fn of_folder(&self, folder: &str, object: &str) -> Result<Option<(Place, Holder)>, Problem> {
        if let Some(id) = UploadId::parse(folder) {
            return Ok(Some((Room::Left { id }.to_place(), Holder::Upload(id))));
        }
        // Tails say whose they are. While their upload is under way they belong to its place.
        let client = &self.store.client;
        let Some(reply) = head(client, object).await? else { return Ok(None) };
        let place = reply.header(PLACE_HEADER).and_then(|text| BASE64_STANDARD.decode(text).ok());
        let Some(place) = place.and_then(|bytes| String::from_utf8(bytes).ok()).map(Place) else {
            return Ok(None);
        };
        let Ok(Room::Keyed { s3_id, name }) = Room::of(&place) else { return Ok(None) };
        let Some(key) = client.address.key(&name) else { return Ok(None) };
        let is_under_way =
            Multipart { client, name: &name, s3_id: &s3_id }.parts(0, Some(1)).await?.is_some();
        let room = Room::Tails { fold: folder.to_owned() };
        Ok((!is_under_way).then(|| (room.to_place(), Holder::Key(key))))
    }
}
