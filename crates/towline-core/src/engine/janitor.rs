//! The janitor: gives up what expired, heals seals that nobody came back for, and clears what is left behind.
//! Every step can be broken off and begun again.

use std::time::Duration;

use super::expected::Terms;
use super::tally::Count;
use super::{Engine, Room};
use crate::catalog::{Cursor, Filter};
use crate::error::Error;
use crate::store::{Holder, Place};
use crate::upload::{Ending, Phase, PhaseName, Upload, UploadId};

/// How many uploads one step looks at.
const BATCH: usize = 100;
/// How many places that cannot be cleared one sweep puts up with.
const STUCK_MAX: usize = 1000;
/// A seal that nobody has touched for this long is finished here.
const SEALING_GRACE: Duration = Duration::from_mins(1);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub expired: u64,
    pub healed: u64,
    pub cleared: u64,
    pub forgotten: u64,
    pub orphans: u64,
}

impl Engine {
    /// One whole sweep. Places without an upload are removed when they are older than `grace`: younger ones may belong to
    /// a create that is under way.
    pub async fn sweep(&self, grace: Duration) -> Result<Swept, Error> {
        let room = &*self.0;
        Ok(Swept {
            expired: Box::pin(room.give_up_expired()).await?,
            healed: Box::pin(self.heal_seals(grace.min(SEALING_GRACE))).await?,
            cleared: room.clear_ended().await?,
            forgotten: room.forget_ended().await?,
            orphans: room.remove_orphans(grace).await?,
        })
    }

    /// The client asked for the seal and every byte is here: it is owed.
    async fn heal_seals(&self, grace: Duration) -> Result<u64, Error> {
        let room = &*self.0;
        let untouched_since = room.clock.now().before(grace) + room.policy.keep_unfinished;
        let filter = Filter { phases: vec![PhaseName::Sealing], ..Filter::default() };
        let mut healed = 0;
        let mut after: Option<Cursor> = None;
        loop {
            let page = room.catalog.list(&filter, after, BATCH).await?;
            for upload in page.uploads.into_iter().filter(|upload| upload.expires_at <= untouched_since) {
                if upload.expires_at <= room.clock.now() {
                    // It has been tried for as long as an unfinished upload is kept.
                    room.give_up(upload).await;
                    continue;
                }
                if room.is_superseded(&upload).await? {
                    // Its owner may still ask for it; nobody else brings it back over a newer file.
                    continue;
                }
                match self.seal(upload.id, Terms::default()).await {
                    Ok(_) => healed += 1,
                    // Its owner is told when they ask; the next sweep tries again.
                    Err(Error::Refused(_)) => {}
                    Err(Error::Failed(fault)) => room.tally.note_ignored(&fault),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(healed);
            }
        }
    }
}

impl Room {
    async fn give_up_expired(&self) -> Result<u64, Error> {
        let mut given_up = 0;
        loop {
            let batch = self.catalog.expired(self.clock.now(), BATCH).await?;
            let before = given_up;
            for upload in batch {
                // A body under way is a sign of life, and so is a part that was carried past us. What cannot be asked about
                // now is not given up now.
                if self.leases.is_held(upload.id) {
                    continue;
                }
                match self.learn(upload).await {
                    Ok(upload) => given_up += u64::from(self.give_up(upload).await),
                    Err(Error::Refused(_)) => {}
                    Err(Error::Failed(fault)) => self.tally.note_ignored(&fault),
                }
            }
            if given_up == before {
                return Ok(given_up);
            }
        }
    }

    /// Whether the upload is given up now. One that is busy or came to life again is left alone.
    async fn give_up(&self, upload: Upload) -> bool {
        match self.abandon(upload, Ending::Expired).await {
            Ok(upload) => upload.phase == Phase::Abandoned(Ending::Expired),
            Err(Error::Refused(_)) => false,
            Err(Error::Failed(fault)) => {
                self.tally.note_ignored(&fault);
                false
            }
        }
    }

    /// A place that cannot be cleared must not keep the others from it: it is passed over until the next sweep.
    async fn clear_ended(&self) -> Result<u64, Error> {
        let mut cleared = 0;
        let mut stuck: Vec<UploadId> = Vec::new();
        loop {
            let mut batch = self.catalog.uncleared(BATCH + stuck.len()).await?;
            batch.retain(|upload| !stuck.contains(&upload.id));
            if batch.is_empty() || stuck.len() >= STUCK_MAX {
                return Ok(cleared);
            }
            for upload in batch {
                if self.clear(&upload).await {
                    cleared += 1;
                } else {
                    stuck.push(upload.id);
                }
            }
        }
    }

    async fn forget_ended(&self) -> Result<u64, Error> {
        let before = self.clock.now().before(self.policy.keep_ended);
        let mut forgotten = 0;
        loop {
            let batch = self.catalog.forgettable(before, BATCH).await?;
            if batch.is_empty() {
                return Ok(forgotten);
            }
            for id in batch {
                self.catalog.forget(id).await?;
                forgotten += 1;
            }
        }
    }

    async fn remove_orphans(&self, grace: Duration) -> Result<u64, Error> {
        let before = self.clock.now().before(grace);
        let mut after: Option<Place> = None;
        let mut removed = 0;
        loop {
            let batch = self.store.survey(before, after.as_ref(), BATCH).await?;
            let Some((last, _)) = batch.last() else {
                return Ok(removed);
            };
            after = Some(last.clone());
            for (place, holder) in &batch {
                if self.is_wanted(place, holder).await? {
                    continue;
                }
                match self.store.discard(place).await {
                    Ok(()) => {
                        self.tally.add(Count::OrphansSwept, 1);
                        removed += 1;
                    }
                    Err(fault) => self.tally.note_ignored(&fault),
                }
            }
        }
    }
}

impl Room {
    /// Whether a file of the same key was sealed after this seal broke off.
    async fn is_superseded(&self, upload: &Upload) -> Result<bool, Error> {
        let begun_at = upload.expires_at.before(self.policy.keep_unfinished);
        let key = Some(upload.key.clone());
        let filter = Filter { owner: None, phases: vec![PhaseName::Sealed], key };
        let newest = self.catalog.list(&filter, None, BATCH).await?.uploads;
        let is_later = |other: &Upload| match &other.phase {
            Phase::Sealed(receipt) => receipt.sealed_at >= begun_at,
            Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => false,
        };
        if !newest.iter().any(is_later) {
            return Ok(false);
        }
        // It may be visible all the same, and only its fact be missing.
        let parts = self.recorded_parts(upload.id).await?;
        Ok(!self.store.is_sealed(&upload.place, &upload.key, &parts).await?)
    }

    /// Whether a place belongs to an upload that goes on.
    async fn is_wanted(&self, place: &Place, holder: &Holder) -> Result<bool, Error> {
        let is_its = |upload: &Upload| upload.place == *place && !is_ended(&upload.phase);
        match holder {
            // An upload may have more than one place: what is written as it goes on is not known by the first one's name.
            Holder::Upload(id) => Ok(self
                .catalog
                .fetch(*id, None)
                .await?
                .is_some_and(|fetched| !is_ended(&fetched.upload.phase))),
            Holder::Key(key) => {
                let phases = vec![PhaseName::Open, PhaseName::Disputed, PhaseName::Sealing];
                let filter = Filter { owner: None, phases, key: Some(key.clone()) };
                let mut after: Option<Cursor> = None;
                loop {
                    let page = self.catalog.list(&filter, after, BATCH).await?;
                    if page.uploads.iter().any(is_its) {
                        return Ok(true);
                    }
                    after = page.next;
                    if after.is_none() {
                        return Ok(false);
                    }
                }
            }
        }
    }
}

fn is_ended(phase: &Phase) -> bool {
    match phase {
        Phase::Sealed(_) | Phase::Abandoned(_) => true,
        Phase::Open | Phase::Disputed | Phase::Sealing => false,
    }
}
