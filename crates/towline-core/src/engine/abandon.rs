//! Giving an upload up, by its owner or when its time is over. Asked for again it says the same.

use super::tally::Count;
use super::{Engine, Room, TRIES_MAX};
use crate::catalog::{Fact, Recorded};
use crate::error::{Error, Refusal};
use crate::policy::Principal;
use crate::upload::{Ending, Phase, Upload, UploadId};

impl Engine {
    /// Gives an upload up; one that is given up already is returned as it is.
    pub async fn abandon(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        let upload = self.0.fetch(who, id).await?;
        self.0.abandon(upload, Ending::Cancelled).await
    }
}

impl Room {
    /// Ends an upload without an object. The fact comes first: nothing is deleted that could still be wanted.
    pub(super) async fn abandon(&self, upload: Upload, ending: Ending) -> Result<Upload, Error> {
        match &upload.phase {
            Phase::Abandoned(_) => return Ok(upload),
            Phase::Sealed(_) => return Err(Refusal::NotOpen(upload.phase.name()).into()),
            Phase::Open | Phase::Disputed | Phase::Sealing => {}
        }
        let frozen = self.leases.freeze(upload.id, self.policy.admission_wait).await;
        let _frozen = frozen.ok_or_else(|| self.busy())?;
        for _ in 0..TRIES_MAX {
            let upload = self.claim(upload.id).await?;
            if let Some(ended) = self.try_abandon(upload, ending).await? {
                return Ok(ended);
            }
        }
        Err(self.busy().into())
    }

    /// One try; nothing when another node claimed the upload meanwhile.
    async fn try_abandon(&self, mut upload: Upload, ending: Ending) -> Result<Option<Upload>, Error> {
        match &upload.phase {
            Phase::Abandoned(_) => return Ok(Some(upload)),
            Phase::Sealed(_) => return Err(Refusal::NotOpen(upload.phase.name()).into()),
            Phase::Sealing => self.take_back_seal(&upload).await?,
            Phase::Open | Phase::Disputed => {}
        }
        if ending == Ending::Expired && upload.expires_at > self.clock.now() {
            // It showed a sign of life after it was listed as expired.
            return Ok(Some(upload));
        }
        if self.record(&upload, Fact::Abandoned(ending)).await? == Recorded::Stale {
            return Ok(None);
        }
        upload.phase = Phase::Abandoned(ending);
        let count = match ending {
            Ending::Cancelled => Count::UploadsAbandoned,
            Ending::Expired => Count::UploadsExpired,
        };
        self.tally.add(count, 1);
        self.clear(&upload).await;
        Ok(Some(upload))
    }

    /// A seal that was begun and broke off can be taken back while nothing is visible. Where the store cannot even say
    /// that, because what it had is broken, there is nothing to go on with.
    async fn take_back_seal(&self, upload: &Upload) -> Result<(), Error> {
        let is_visible = match self.all_parts(upload).await {
            Ok(parts) => matches!(self.store.is_sealed(&upload.place, &upload.key, &parts).await, Ok(true)),
            Err(_) => false,
        };
        if is_visible {
            return Err(Refusal::NotOpen(upload.phase.name()).into());
        }
        self.record(upload, Fact::SealUndone).await?;
        Ok(())
    }
}
