//! Uploads whose bytes go past this server: signed URLs are given out, and the store is asked what has landed.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::put_part::check_size;
use super::{Engine, PAGE, Room};
use crate::error::{Error, Refusal};
use crate::key::Key;
use crate::policy::{Existing, Operation, Principal, Transfer};
use crate::store::{Direct, Mark, Signer};
use crate::upload::{Part, Upload, UploadId};

/// How many facts are on their way at once: the catalog writes them together.
const RECORDING_MAX: usize = 64;

impl Engine {
    /// Whether clients are to carry bytes to the store themselves.
    pub fn is_direct(&self) -> bool {
        self.0.direct().is_some()
    }

    /// Signs URLs of the store; nothing where bytes pass through this server.
    pub async fn signer(&self) -> Result<Option<Arc<dyn Signer>>, Error> {
        match self.0.direct() {
            Some(direct) => Ok(Some(direct.signer().await?)),
            None => Ok(None),
        }
    }

    /// An upload that takes parts: the one read that signing any number of them needs.
    pub async fn uploading(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        let upload = self.0.fetch(who, id).await?;
        self.0.check_takes_parts(&upload)?;
        Ok(upload)
    }

    /// Whether this caller may put a whole file under this key now.
    pub async fn check_put(&self, who: &Principal, key: &Key) -> Result<(), Error> {
        let room = &*self.0;
        room.check_key(who, key)?;
        if room.policy.existing == Existing::Refuse && room.store.has(key).await? {
            return Err(Refusal::KeyTaken(key.clone()).into());
        }
        Ok(())
    }

    /// How a client names a landed part when it finishes.
    pub fn part_tag(&self, part: &Part) -> String {
        self.0.store.part_tag(part)
    }
}

impl Room {
    fn direct(&self) -> Option<&dyn Direct> {
        match self.policy.transfer {
            Transfer::Direct => self.store.direct(),
            Transfer::Relayed => None,
        }
    }

    pub(super) fn check_key(&self, who: &Principal, key: &Key) -> Result<(), Refusal> {
        if !who.may(Operation::Upload) || !who.may_name(key) {
            return Err(Refusal::Forbidden(Operation::Upload));
        }
        if let Some(allowed) = self.limits.segment_bytes_max {
            key.check_segments(allowed)
                .map_err(|problem| Refusal::BadKey { text: key.as_str().to_owned(), problem })?;
        }
        Ok(())
    }

    /// Records what has landed in the store without passing through here, and gives the upload as it is then. What does
    /// not fit its slot is not counted: sent again, it will.
    pub(super) async fn learn(&self, upload: Upload) -> Result<Upload, Error> {
        let Some(direct) = self.direct().filter(|_| upload.phase.takes_parts()) else {
            return Ok(upload);
        };
        let mut after = 0;
        let mut has_news = false;
        while let Some(page) = direct.parts(&upload.place, after).await? {
            let Some(last) = page.last().map(|part| part.number) else { break };
            let known = self.marks(upload.id, (after, last)).await?;
            let fits = |part: &Part| {
                let slot = upload.plan.slot(u64::from(part.number), &self.limits);
                slot.is_ok_and(|slot| check_size(slot, part.size_bytes).is_ok())
            };
            let is_news = |part: &Part| known.get(&part.number) != Some(&part.mark) && fits(part);
            let news: Vec<Part> = page.into_iter().filter(is_news).collect();
            has_news |= !news.is_empty();
            let recorded: Result<(), Error> = stream::iter(news)
                .map(|part| self.offer_part(upload.clone(), part))
                .buffer_unordered(RECORDING_MAX)
                .try_for_each(|_| async { Ok(()) })
                .await;
            match recorded {
                Ok(()) => after = last,
                // Somebody finishes or abandons it at this moment: there is nothing more to learn.
                Err(Error::Refused(_)) => break,
                Err(fault) => return Err(fault),
            }
        }
        if !has_news {
            return Ok(upload);
        }
        let fetched = self.catalog.fetch(upload.id, None).await?;
        Ok(fetched.ok_or(Refusal::UploadNotFound(upload.id))?.upload)
    }

    /// The marks of the recorded parts with numbers above `after`, up to `last`.
    async fn marks(&self, id: UploadId, (mut after, last): (u32, u32)) -> Result<HashMap<u32, Mark>, Error> {
        let mut marks = HashMap::new();
        while after < last {
            let page = self.catalog.parts(id, after, PAGE).await?;
            let Some(end) = page.last().map(|part| part.number) else { break };
            marks.extend(page.into_iter().map(|part| (part.number, part.mark)));
            after = end;
        }
        Ok(marks)
    }
}
