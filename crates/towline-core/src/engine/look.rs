//! Looking without touching: status, parts, lists, and reading what was sealed.

use super::{Engine, Room};
use crate::catalog::{Cursor, Filter, Page};
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::policy::{Operation, Principal};
use crate::store::Object;
use crate::upload::{Part, Phase, PhaseName, Upload, UploadId};

/// The most uploads or parts that one look returns.
const PAGE_MAX: usize = 1000;

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
    pub async fn status(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        self.0.fetch(who, id).await
    }

    /// Landed parts with numbers above `after`, ascending; at most 1,000.
    pub async fn parts(
        &self,
        who: &Principal,
        id: UploadId,
        (after, limit): (u32, usize),
    ) -> Result<Vec<Part>, Error> {
        self.0.fetch(who, id).await?;
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
        let filter = Filter { owner: None, phases: vec![PhaseName::Sealed], key: Some(key.clone()) };
        let newest = self.0.catalog.list(&filter, None, 1).await?.uploads.pop();
        let Some(object) = self.0.store.read(&key).await? else {
            return Err(Refusal::FileNotFound(key).into());
        };
        let upload = newest.filter(|upload| match &upload.phase {
            Phase::Sealed(receipt) => receipt.version == object.version,
            Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => false,
        });
        let is_own = upload.as_ref().is_some_and(|upload| upload.owner == who.owner);
        if !is_own && !who.may(Operation::Manage) {
            return Err(Refusal::FileNotFound(key).into());
        }
        Ok(Download { object, upload })
    }
}

impl Room {
    fn filter(who: &Principal, phases: Vec<PhaseName>) -> Filter {
        let owner = (!who.may(Operation::Manage)).then(|| who.owner.clone());
        Filter { owner, phases, key: None }
    }
}
