//! The total of an upload that began without knowing it, and the last part that the total makes of a tail.

use std::sync::Arc;

use super::{Engine, Room, refuse_full};
use crate::catalog::{Fact, Recorded};
use crate::error::{Error, Refusal};
use crate::lease::{Lease, Seat};
use crate::policy::Principal;
use crate::receipt::Voucher;
use crate::store::PartPlace;
use crate::upload::{Part, Upload, UploadId};

impl Engine {
    /// Says how large the whole will be, for an upload that began without knowing.
    pub async fn declare_total(
        &self,
        who: &Principal,
        id: UploadId,
        total_bytes: u64,
    ) -> Result<Upload, Error> {
        self.0.declare_total(who, id, total_bytes).await
    }
}

impl Room {
    async fn declare_total(
        self: &Arc<Self>,
        who: &Principal,
        id: UploadId,
        total_bytes: u64,
    ) -> Result<Upload, Error> {
        self.fetch(who, id).await?;
        self.limits.check_total(total_bytes)?;
        let end = self.take_seat(id, Seat::End).await?;
        let mut upload = self.claim(id).await?;
        if !upload.phase.takes_parts() {
            return Err(Refusal::NotOpen(upload.phase.name()).into());
        }
        if let Some(declared_bytes) = upload.plan.total_bytes() {
            if declared_bytes != total_bytes {
                return Err(Refusal::TotalConflict { declared_bytes, got_bytes: total_bytes }.into());
            }
        } else {
            self.check_landed_within(&upload, total_bytes).await?;
            upload.plan = upload.plan.with_total(total_bytes);
            match self.record(&upload, Fact::TotalDeclared(total_bytes)).await? {
                Recorded::Done { .. } | Recorded::Repeat { .. } => {}
                Recorded::Stale => return Err(Refusal::TakenOver.into()),
            }
        }
        if let Some(tail) = &upload.tail {
            let lease = self.take_seat(id, Seat::Slot(tail.number)).await?;
            self.settle_tail(&upload, lease).await?;
        }
        drop(end);
        self.fetch(who, id).await
    }

    /// What has landed must fit the total that is declared afterwards.
    async fn check_landed_within(&self, upload: &Upload, total_bytes: u64) -> Result<(), Error> {
        let conflict = Refusal::TotalConflict { declared_bytes: upload.offset(), got_bytes: total_bytes };
        if total_bytes < upload.offset() {
            return Err(conflict.into());
        }
        let plan = upload.plan.with_total(total_bytes);
        let Some(last) = plan.total_parts() else {
            return Ok(());
        };
        if last > self.limits.parts_max {
            let slot = upload.plan.slot(1, &self.limits)?;
            let allowed_bytes = slot.room.max_bytes().saturating_mul(u64::from(self.limits.parts_max));
            return Err(Refusal::TooLarge { got_bytes: total_bytes, allowed_bytes }.into());
        }
        for part in self.catalog.parts(upload.id, last.saturating_sub(1), 2).await? {
            let fits = plan.slot(u64::from(part.number), &self.limits);
            if !fits.is_ok_and(|slot| slot.room.max_bytes() == part.size_bytes) {
                return Err(conflict.into());
            }
        }
        Ok(())
    }

    /// A tail that reaches the total is the last part: lands it. The lease keeps every other writer of it away.
    pub(super) async fn settle_tail(self: &Arc<Self>, upload: &Upload, lease: Lease) -> Result<(), Error> {
        let Some(tail) = upload.tail.as_ref().filter(|_| upload.plan.total_bytes() == Some(upload.offset()))
        else {
            return Ok(());
        };
        let slot = upload.plan.slot(u64::from(tail.number), &self.limits)?;
        let at = PartPlace {
            place: &upload.place,
            slot,
            size_bytes: None,
            is_begun: upload.is_begun(),
            lease: lease.clone(),
        };
        let writer = self.store.continue_part(at, tail).await.map_err(refuse_full)?;
        let mark = writer.land().await.map_err(refuse_full)?;
        let part = Part {
            number: tail.number,
            size_bytes: tail.size_bytes,
            crc64: Some(tail.crc64),
            digests: Vec::new(),
            mark,
            voucher: Voucher::Towline,
            landed_at: self.clock.now(),
        };
        self.record_part(upload.clone(), part, lease).await?;
        Ok(())
    }
}
