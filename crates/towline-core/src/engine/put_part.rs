//! One part of known number: checked on arrival, durable, recorded, then acknowledged.
//!
//! A part that is sent again never damages the landed one: it is written aside, is a repeat when the content
//! is the same, and replaces the landed one only once it has wholly arrived, been checked and recorded.

use std::sync::Arc;

use super::admission::Intake;
use super::tally::Count;
use super::{Body, Engine, Room, TRIES_MAX, refuse_full};
use crate::catalog::{Fact, Fetched, Recorded};
use crate::digest::{Algorithm, Computed, Digest, Digester};
use crate::error::{Error, Refusal};
use crate::lease::{Lease, Seat};
use crate::plan::{Room as SlotRoom, Slot};
use crate::policy::Principal;
use crate::receipt::Voucher;
use crate::store::{Mark, PartPlace, PartWriter, Spot};
use crate::upload::{Part, Progress, Upload, UploadId};

/// What is said of a part before its bytes.
#[derive(Clone, Debug)]
pub struct PutPart {
    pub id: UploadId,
    pub number: u64,
    /// The length of the body, where the client said so.
    pub size_bytes: Option<u64>,
    /// Digests that the bytes must have.
    pub declared: Vec<Digest>,
    /// Digests that are kept with the part beside those.
    pub computed: Vec<Algorithm>,
}

/// A part that is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    pub part: Part,
    pub progress: Progress,
    /// The same content had landed before.
    pub is_repeat: bool,
    /// The head as it was when the part came; `progress` is newer.
    pub upload: Upload,
}

impl Engine {
    /// Takes one part. When it returns a part, that part survives power loss.
    pub async fn put_part(&self, who: &Principal, put: PutPart, body: Body<'_>) -> Result<Landed, Error> {
        let room = &self.0;
        let landed = room.put_part(who, &put, body).await;
        match &landed {
            Ok(landed) if landed.is_repeat => room.tally.add(Count::PartsRepeated, 1),
            Ok(landed) => {
                room.tally.add(Count::PartsLanded, 1);
                room.tally.add(Count::BytesLanded, landed.part.size_bytes);
            }
            Err(_) => room.tally.add(Count::PartsRefused, 1),
        }
        landed
    }
}

impl Room {
    async fn put_part(
        self: &Arc<Self>,
        who: &Principal,
        put: &PutPart,
        body: Body<'_>,
    ) -> Result<Landed, Error> {
        let seat = Seat::Slot(u32::try_from(put.number).unwrap_or(u32::MAX));
        let generation = self.leases.generation(put.id, seat);
        let (mut fetched, mut slot) = self.fetch_slot(who, put).await?;
        // The seat first: it may be one's own dead body that holds the last permit.
        let lease = self.take_seat(put.id, seat).await?;
        let _permit = self.admit_body().await?;
        if lease.generation() != generation {
            (fetched, slot) = self.fetch_slot(who, put).await?;
        }
        let spot = spot_for(&fetched, slot.number);
        let at = PartPlace {
            place: &fetched.upload.place,
            slot,
            size_bytes: put.size_bytes,
            is_begun: fetched.upload.is_begun(),
            lease: lease.clone(),
        };
        let mut writer = self.store.write_part(at, spot).await.map_err(refuse_full)?;
        let computed = self.take_in(put, slot, &lease, (&mut *writer, body)).await?;
        check_declared(put, slot.number, &computed)?;
        self.land(fetched, (slot.number, computed), writer, lease).await
    }

    async fn fetch_slot(&self, who: &Principal, put: &PutPart) -> Result<(Fetched, Slot), Error> {
        let number = u32::try_from(put.number).ok();
        let fetched = self.catalog.fetch(put.id, number).await?.ok_or(Refusal::UploadNotFound(put.id))?;
        Self::admit(who, &fetched.upload)?;
        self.check_takes_parts(&fetched.upload)?;
        let slot = fetched.upload.plan.slot(put.number, &self.limits)?;
        if let Some(got_bytes) = put.size_bytes {
            check_size(slot, got_bytes)?;
        }
        Ok((fetched, slot))
    }

    /// Reads the body into the writer; each byte is touched once.
    async fn take_in(
        &self,
        put: &PutPart,
        slot: Slot,
        lease: &Lease,
        (writer, body): (&mut dyn PartWriter, Body<'_>),
    ) -> Result<Computed, Error> {
        let declared = put.declared.iter().map(Digest::algorithm);
        let mut digester = Digester::new(declared.chain(put.computed.iter().copied()));
        let mut intake = Intake::new(body, &self.policy);
        loop {
            let next = intake.next(lease).await;
            let Some(frame) = next.map_err(|stop| stop.refusal(self, intake.got_bytes()))? else {
                break;
            };
            if intake.got_bytes() > slot.room.max_bytes() {
                return Err(too_large(slot, intake.got_bytes()).into());
            }
            digester.update(&frame);
            writer.write(frame).await.map_err(refuse_full)?;
        }
        check_size(slot, digester.size_bytes())?;
        Ok(digester.finish())
    }

    async fn land(
        self: &Arc<Self>,
        fetched: Fetched,
        (number, computed): (u32, Computed),
        writer: Box<dyn PartWriter>,
        lease: Lease,
    ) -> Result<Landed, Error> {
        let mut part = Part {
            number,
            size_bytes: computed.size_bytes,
            crc64: Some(computed.crc64),
            digests: computed.others,
            mark: Mark::default(),
            voucher: Voucher::Towline,
            landed_at: self.clock.now(),
        };
        let id = fetched.upload.id;
        if let Some(before) = fetched.part.filter(|before| before.is_same_content(&part)) {
            part.mark = before.mark;
            part.digests = before.digests;
            let upload = self.catalog.fetch(id, None).await?.ok_or(Refusal::UploadNotFound(id))?.upload;
            return Ok(Landed { part, progress: upload.progress, is_repeat: true, upload });
        }
        part.mark = writer.land().await.map_err(refuse_full)?;
        part.landed_at = self.clock.now();
        self.record_part(fetched.upload, part, lease).await
    }

    /// Records a landed part; the seat is given up when that is done. Somebody else's claim does not make the bytes
    /// wrong: they are offered again under the newer epoch for as long as the upload takes parts.
    pub(super) async fn record_part(
        self: &Arc<Self>,
        upload: Upload,
        part: Part,
        lease: Lease,
    ) -> Result<Landed, Error> {
        let room = Arc::clone(self);
        self.see_through(async move {
            let landed = room.offer_part(upload, part).await;
            drop(lease);
            landed
        })
        .await
    }

    pub(super) async fn offer_part(&self, mut upload: Upload, part: Part) -> Result<Landed, Error> {
        for _ in 0..TRIES_MAX {
            match self.record(&upload, Fact::PartLanded(part.clone())).await? {
                Recorded::Done { progress, .. } => {
                    return Ok(Landed { part, progress, is_repeat: false, upload });
                }
                Recorded::Repeat { progress } => {
                    self.drop_unrecorded(&upload, &part).await;
                    let recorded = self.catalog.fetch(upload.id, Some(part.number)).await?;
                    let part = recorded.and_then(|fetched| fetched.part).unwrap_or(part);
                    return Ok(Landed { part, progress, is_repeat: true, upload });
                }
                Recorded::Stale => {}
            }
            let fetched = self.catalog.fetch(upload.id, None).await?;
            upload = fetched.ok_or(Refusal::UploadNotFound(upload.id))?.upload;
            if !upload.phase.takes_parts() {
                self.drop_unrecorded(&upload, &part).await;
                return Err(Refusal::NotOpen(upload.phase.name()).into());
            }
        }
        self.drop_unrecorded(&upload, &part).await;
        Err(self.busy().into())
    }

    /// Removes what a landing left that no fact remembers; what stays goes with the place.
    pub(super) async fn drop_unrecorded(&self, upload: &Upload, part: &Part) {
        if let Err(fault) = self.store.drop_part(&upload.place, part.number, &part.mark).await {
            self.tally.note_ignored(&fault);
        }
    }
}

/// Only a slot whose own place holds nothing acknowledged may be written in place.
fn spot_for(fetched: &Fetched, number: u32) -> Spot {
    let has_tail = fetched.upload.tail.as_ref().is_some_and(|tail| tail.number == number);
    if fetched.part.is_some() || has_tail { Spot::Aside } else { Spot::Own }
}

pub(super) fn check_size(slot: Slot, got_bytes: u64) -> Result<(), Refusal> {
    match slot.room {
        SlotRoom::Exactly(expected_bytes) if got_bytes != expected_bytes => {
            Err(Refusal::PartSize { number: slot.number, got_bytes, expected_bytes })
        }
        SlotRoom::UpTo(allowed_bytes) if got_bytes > allowed_bytes => Err(too_large(slot, got_bytes)),
        SlotRoom::Exactly(_) | SlotRoom::UpTo(_) => Ok(()),
    }
}

fn too_large(slot: Slot, got_bytes: u64) -> Refusal {
    match slot.room {
        SlotRoom::Exactly(expected_bytes) => {
            Refusal::PartSize { number: slot.number, got_bytes, expected_bytes }
        }
        SlotRoom::UpTo(allowed_bytes) => Refusal::PartTooLarge { number: slot.number, allowed_bytes },
    }
}

fn check_declared(put: &PutPart, number: u32, computed: &Computed) -> Result<(), Refusal> {
    for declared in &put.declared {
        let actual = computed.get(declared.algorithm()).expect("every declared digest is computed");
        if actual != *declared {
            return Err(Refusal::PartDigest { number, declared: declared.clone(), actual });
        }
    }
    Ok(())
}
