//! The janitor: gives up what expired, heals seals that nobody came back for, and clears what is left behind.
//! Every step can be broken off and begun again.

use std::time::Duration;

use super::tally::Count;
use super::{Engine, Room};
use crate::catalog::{Cursor, Filter};
use crate::error::Error;
use crate::store::Place;
use crate::upload::{Ending, Phase, PhaseName, Upload};

/// How many uploads one step looks at.
const BATCH: usize = 100;
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
            expired: room.give_up_expired().await?,
            healed: self.heal_seals(grace.min(SEALING_GRACE)).await?,
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
            for upload in page.uploads.iter().filter(|upload| upload.expires_at <= untouched_since) {
                match self.seal(upload.id).await {
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
            let mut progressed = false;
            for upload in batch {
                let ended = self.abandon(upload, Ending::Expired).await;
                // One that is busy or came to life again is left alone.
                if let Ok(Upload { phase: Phase::Abandoned(Ending::Expired), .. }) = ended {
                    given_up += 1;
                    progressed = true;
                }
            }
            if !progressed {
                return Ok(given_up);
            }
        }
    }

    async fn clear_ended(&self) -> Result<u64, Error> {
        let mut cleared = 0;
        loop {
            let batch = self.catalog.uncleared(BATCH).await?;
            if batch.is_empty() {
                return Ok(cleared);
            }
            for upload in batch {
                self.store.discard(&upload.place).await?;
                self.catalog.clear(upload.id).await?;
                cleared += 1;
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
            for (place, id) in &batch {
                let wanted = self.catalog.fetch(*id, None).await?.is_some_and(|fetched| {
                    fetched.upload.place == *place && !is_ended(&fetched.upload.phase)
                });
                if !wanted {
                    self.store.discard(place).await?;
                    self.tally.add(Count::OrphansSwept, 1);
                    removed += 1;
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
