//! Lists, page by page: of objects, of parts, and of what is on its way or was left behind.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use towline_core::clock::Timestamp;
use towline_core::error::Fault;
use towline_core::receipt::Voucher;
use towline_core::store::{Holder, Listed, Mark, Place};
use towline_core::upload::{Part, UploadId};
use towline_s3::listing::{PAGE, next, page, uploads};
use towline_s3::multipart::{Multipart, crc64_of, head, remove, tag_of};
use towline_s3::tag::bare;
use towline_s3::{Client, Problem, xml};

use super::place::Room;
use super::writer::PLACE_HEADER;
use super::{Inner, corner};

/// Sorts after every name in a folder of ours.
const AFTER_ALL: char = '\u{10ffff}';

pub(super) async fn list(
    store: &Inner,
    prefix: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Listed>, Fault> {
    let address = &store.client.address;
    let (prefix, own) = (address.name(prefix), corner::own(address));
    let mut after = if after.is_empty() { String::new() } else { address.name(after) };
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
                key: corner::key(address, &object.key)?,
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
        let own = if self.store.settings.owns_bucket {
            client.address.name("")
        } else {
            corner::own(&client.address)
        };
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
        if let Some(key) = corner::key(address, &name) {
            return Some((Room::Keyed { s3_id, name }.to_place(), Holder::Key(key)));
        }
        let (folder, _) = name.strip_prefix(&corner::own(address))?.split_once('/')?;
        let id = UploadId::parse(folder)?;
        Some((Room::Staged { s3_id, id }.to_place(), Holder::Upload(id)))
    }

    async fn folders(&mut self, mut from: String) -> Result<(), Problem> {
        let own = corner::own(&self.store.client.address);
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
        let Some(key) = corner::key(&client.address, &name) else { return Ok(None) };
        let is_under_way =
            Multipart { client, name: &name, s3_id: &s3_id }.parts(0, Some(1)).await?.is_some();
        let room = Room::Tails { fold: folder.to_owned() };
        Ok((!is_under_way).then(|| (room.to_place(), Holder::Key(key))))
    }
}
