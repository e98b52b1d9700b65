//! The list of uploads that are under way. The catalog gives them newest first, S3's clients want them by key: what
//! comes next in their order is picked out while all are looked through, and no more is held than one page.

use std::collections::BTreeMap;

use axum::response::Response;
use towline_core::engine::Listing;
use towline_core::upload::{PhaseName, Upload};

use super::list::{Delimited, Names};
use super::problem::Denied;
use super::xml::Element;
use super::{Visit, document};
use crate::moment::rfc3339;

/// The most uploads of one page.
const PAGE: usize = 1000;

/// Where an entry stands in the list: by key, then by age, then by id.
type Rank = (String, i64, String);

impl Visit {
    pub(super) async fn list_uploads(self) -> Result<Response, Denied> {
        let names = Names::read(&self.query)?;
        let limit = self.query.number("max-uploads")?.unwrap_or(PAGE as u64).min(PAGE as u64);
        let limit = usize::try_from(limit).unwrap_or(PAGE);
        let key_marker = self.query.text("key-marker").unwrap_or("");
        let id_marker = self.query.filled("upload-id-marker");
        let found = self.find_uploads(&names, (key_marker, id_marker), limit).await?;
        let has_more = found.len() > limit && limit > 0;
        let mut listed = Element::reply("ListMultipartUploadsResult")
            .text("Bucket", self.bucket())
            .text("KeyMarker", &names.written(key_marker))
            .text("UploadIdMarker", id_marker.unwrap_or(""));
        if let Some(((key, _, id), _)) = found.iter().nth(limit.saturating_sub(1)).filter(|_| has_more) {
            listed = listed.text("NextKeyMarker", &names.written(key)).text("NextUploadIdMarker", id);
        }
        listed = names.told(listed).number("MaxUploads", limit as u64).claim("IsTruncated", has_more);
        for ((key, _, id), upload) in found.iter().take(limit) {
            listed = match upload {
                None => listed.open("CommonPrefixes").text("Prefix", &names.written(key)).close(),
                Some(upload) => listed
                    .open("Upload")
                    .text("Key", &names.written(key))
                    .text("UploadId", id)
                    .person("Initiator", &upload.owner)
                    .person("Owner", &upload.owner)
                    .text("StorageClass", "STANDARD")
                    .text("Initiated", &rfc3339(upload.created_at))
                    .close(),
            };
        }
        Ok(document(listed.end()))
    }

    /// What comes after the markers, one entry more than `limit`. Without an upload: a common prefix.
    async fn find_uploads(
        &self,
        names: &Names,
        (key_marker, id_marker): (&str, Option<&str>),
        limit: usize,
    ) -> Result<BTreeMap<Rank, Option<Upload>>, Denied> {
        let mut found: BTreeMap<Rank, Option<Upload>> = BTreeMap::new();
        // Where the marker is an upload that has ended meanwhile, its key is all that can be gone by.
        let after = match id_marker.and_then(towline_core::upload::UploadId::parse) {
            None => None,
            Some(id) => self.state.engine.head(self.who(), id).await.ok().map(|upload| rank(&upload)),
        };
        let is_after = |rank: &Rank| match &after {
            Some(after) => rank > after,
            None => rank.0.as_str() > key_marker || key_marker.is_empty(),
        };
        let mut next = None;
        loop {
            let listing =
                Listing { phases: vec![PhaseName::Open, PhaseName::Disputed], after: next, limit: PAGE };
            let page = self.state.engine.list(self.who(), listing).await?;
            for upload in page.uploads {
                if !self.who().may_name(&upload.key) {
                    continue;
                }
                let (rank, entry) = match names.place(upload.key.as_str()) {
                    Delimited::Outside => continue,
                    Delimited::Folder(prefix) => ((prefix, 0, String::new()), None),
                    Delimited::Here => (rank(&upload), Some(upload)),
                };
                if is_after(&rank) {
                    found.insert(rank, entry);
                    if found.len() > limit + 1 {
                        found.pop_last();
                    }
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

fn rank(upload: &Upload) -> Rank {
    (upload.key.to_string(), upload.created_at.as_millis(), upload.id.to_string())
}
