//! Finished files as a caller sees them: listing and removing.

use super::look::{PAGE_MAX, SAME_KEY_MAX, is_version};
use super::{Engine, Room};
use crate::catalog::Filter;
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::policy::{Operation, Principal};
use crate::store::Listed;
use crate::upload::{Phase, PhaseName};

/// A finished file in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub object: Listed,
    /// How S3 would name the content, where that was recorded.
    pub tag: Option<String>,
}

/// A page of finished files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPage {
    pub files: Vec<Found>,
    /// Where to go on, if there may be more.
    pub next: Option<String>,
}

impl Engine {
    /// The caller's files whose key starts with `prefix` and comes after `after`, ascending; at most 1,000.
    pub async fn objects(
        &self,
        who: &Principal,
        prefix: &str,
        (after, limit): (&str, usize),
    ) -> Result<FoundPage, Error> {
        if !who.may(Operation::Read) {
            return Err(Refusal::Forbidden(Operation::Read).into());
        }
        let limit = limit.clamp(1, PAGE_MAX);
        let page = self.0.store.list(prefix, after, limit).await?;
        let next = page.last().filter(|_| page.len() == limit).map(|last| last.key.as_str().to_owned());
        let mut files = Vec::with_capacity(page.len());
        for object in page {
            if let Some(one) = self.0.recognise(who, object).await? {
                files.push(one);
            }
        }
        Ok(FoundPage { files, next })
    }

    /// Removes a file; whether there was one that the caller may know of.
    pub async fn remove(&self, who: &Principal, key: &Key) -> Result<bool, Error> {
        if !who.may(Operation::Delete) || !who.may_name(key) {
            return Err(Refusal::Forbidden(Operation::Delete).into());
        }
        let reader =
            Principal { operations: [&[Operation::Read], &who.operations[..]].concat(), ..who.clone() };
        match self.read(&reader, key.clone()).await {
            Ok(_) => {
                self.0.store.remove(key).await?;
                Ok(true)
            }
            Err(Error::Refused(Refusal::FileNotFound(_))) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Room {
    /// What the caller may know of a listed object; nothing when it is not theirs.
    async fn recognise(&self, who: &Principal, object: Listed) -> Result<Option<Found>, Error> {
        if !who.may_name(&object.key) {
            return Ok(None);
        }
        let filter = Filter { owner: None, phases: vec![PhaseName::Sealed], key: Some(object.key.clone()) };
        let uploads = self.catalog.list(&filter, None, SAME_KEY_MAX).await?.uploads;
        let upload = uploads.into_iter().find(|upload| is_version(upload, &object.version));
        let is_own = upload.as_ref().map_or(who.owns_unknown(), |upload| upload.owner == who.owner);
        if !is_own && !who.may(Operation::Manage) {
            return Ok(None);
        }
        let tag = upload.and_then(|upload| match upload.phase {
            Phase::Sealed(receipt) => receipt.tag,
            Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => None,
        });
        Ok(Some(Found { object, tag }))
    }
}
