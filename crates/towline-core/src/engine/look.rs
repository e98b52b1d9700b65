//! Looking without touching: status, parts, lists, and reading what was sealed.

use super::{Engine, Room};
use crate::catalog::{Cursor, Filter, Page};
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::policy::{Operation, Principal};
use crate::store::Object;
use crate::upload::{Part, Phase, PhaseName, Upload, UploadId};

/// The most uploads, parts or objects that one look returns.
pub(super) const PAGE_MAX: usize = 1000;
/// How many uploads of one key are looked through for the one that became the object.
pub(super) const SAME_KEY_MAX: usize = 100;

/// Which uploads to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Empty means all.
    pub phases: Vec<PhaseName>,
    pub after: Option<Cursor>,
    /// At most 1,000 are given.
    pub limit: usize,
}

/// An object and what is known of the upload it came from.
#[derive(Debug)]
pub struct Download {
    pub object: Object,
    /// Nothing when the file was put there by other means, or changed since.
    pub upload: Option<Upload>,
}

impl Engine {
    /// An upload as the catalog knows it; the store is not asked what has landed.
    pub async fn head(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        self.0.fetch(who, id).await
    }

    pub async fn status(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        self.0.learn(self.0.fetch(who, id).await?).await
    }

    /// Landed parts with numbers above `after`, ascending; at most 1,000.
    pub async fn parts(
        &self,
        who: &Principal,
        id: UploadId,
        (after, limit): (u32, usize),
    ) -> Result<Vec<Part>, Error> {
        let upload = self.0.fetch(who, id).await?;
        if after == 0 {
            self.0.learn(upload).await?;
        }
        Ok(self.0.catalog.parts(id, after, limit.min(PAGE_MAX)).await?)
    }

    /// The caller's uploads, newest first; a manager sees everybody's.
    pub async fn list(&self, who: &Principal, listing: Listing) -> Result<Page, Error> {
        let Listing { phases, after, limit } = listing;
        let filter = Room::filter(who, phases);
        Ok(self.0.catalog.list(&filter, after, limit.clamp(1, PAGE_MAX)).await?)
    }

    /// How many uploads `list` would give over all pages.
    pub async fn count(&self, who: &Principal, phases: Vec<PhaseName>) -> Result<u64, Error> {
        Ok(self.0.catalog.count(&Room::filter(who, phases)).await?)
    }

    /// Opens a finished file. Files of others do not exist for the caller.
    pub async fn read(&self, who: &Principal, key: Key) -> Result<Download, Error> {
        if !who.may(Operation::Read) || !who.may_name(&key) {
            return Err(Refusal::Forbidden(Operation::Read).into());
        }
        let room = &*self.0;
        let fits = room.limits.segment_bytes_max.is_none_or(|allowed| key.check_segments(allowed).is_ok());
        let object = if fits { room.store.read(&key).await? } else { None };
        let Some(object) = object else {
            return Err(Refusal::FileNotFound(key).into());
        };
        let phases = vec![PhaseName::Sealed, PhaseName::Sealing];
        let filter = Filter { owner: None, phases, key: Some(key.clone()) };
        let uploads = room.catalog.list(&filter, None, SAME_KEY_MAX).await?.uploads;
        let is_own = |upload: &Upload| upload.owner == who.owner;
        // A file that no receipt names (it is being replaced, or was copied here) is its owner's all the same, as
        // long as nobody else ever had the key.
        let all_own = if uploads.is_empty() { who.owns_unknown() } else { uploads.iter().all(is_own) };
        let upload = uploads.into_iter().find(|upload| is_version(upload, &object.version));
        if !upload.as_ref().map_or(all_own, is_own) && !who.may(Operation::Manage) {
            return Err(Refusal::FileNotFound(key).into());
        }
        Ok(Download { object, upload })
    }
}

/// Whether the object is what the upload became.
pub(super) fn is_version(upload: &Upload, version: &str) -> bool {
    match &upload.phase {
        Phase::Sealed(receipt) => receipt.version == version,
        Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => false,
    }
}

impl Room {
    fn filter(who: &Principal, phases: Vec<PhaseName>) -> Filter {
        let owner = (!who.may(Operation::Manage)).then(|| who.owner.clone());
        Filter { owner, phases, key: None }
    }
}
