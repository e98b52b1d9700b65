//! Bytes at the end of an upload, as tus and the IETF's resumable uploads send them: cut into parts here, and
//! what does not fill a part is parked as the tail, also when the body breaks off.

use std::sync::Arc;

use bytes::Bytes;

use super::admission::{Intake, Stop};
use super::tally::Count;
use super::{Body, Engine, Room, refuse_full};
use crate::catalog::{Fact, Fetched, Recorded};
use crate::crc64::Joined;
use crate::digest::{Computed, Digest, Digester};
use crate::error::{Error, Refusal};
use crate::lease::{Lease, Seat};
use crate::plan::{Plan, Slot};
use crate::policy::Principal;
use crate::receipt::Voucher;
use crate::store::{PartPlace, PartWriter, Spot};
use crate::upload::{Part, Tail, Upload, UploadId};

/// What is said of bytes before they come.
#[derive(Clone, Debug)]
pub struct Append {
    pub id: UploadId,
    /// Where the client believes the upload ends.
    pub offset: u64,
    /// The length of the body, where the client said so.
    pub size_bytes: Option<u64>,
    /// Digests that the body must have. All or nothing then: nothing is acknowledged before they are checked.
    pub declared: Vec<Digest>,
}

/// Where an appended upload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// All before it is acknowledged.
    pub offset: u64,
    pub upload: Upload,
}

impl Engine {
    /// Appends a body. An error that cut the body still kept what had arrived: ask for the status.
    pub async fn append(&self, who: &Principal, append: Append, body: Body<'_>) -> Result<Appended, Error> {
        let room = &self.0;
        room.fetch(who, append.id).await?;
        let end = room.take_seat(append.id, Seat::End).await?;
        let _permit = room.admit_body().await?;
        let upload = room.claim(append.id).await?;
        let size_bytes = check(&upload, &append, room)?;
        let run = Run {
            room,
            end,
            intake: Intake::new(body, &room.policy),
            whole: Digester::new(append.declared.iter().map(Digest::algorithm)),
            offset: append.offset,
            limit: append.offset.saturating_add(size_bytes),
            upload,
            unrecorded: Vec::new(),
            is_checked: !append.declared.is_empty(),
        };
        Box::pin(run.go(&append)).await
    }

    /// Takes over an upload: whoever appends to it is cut, what they sent is parked, and the head is as it is then.
    pub async fn join(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        let room = &*self.0;
        room.fetch(who, id).await?;
        drop(room.take_seat(id, Seat::End).await?);
        room.fetch(who, id).await
    }
}

/// How many bytes may come.
fn check(upload: &Upload, append: &Append, room: &Room) -> Result<u64, Refusal> {
    room.check_takes_parts(upload)?;
    let Plan::Even { part_bytes, total_bytes } = upload.plan else {
        return Err(Refusal::NotAppendable);
    };
    let expected = upload.offset();
    if append.offset != expected {
        return Err(Refusal::OffsetMismatch { expected, got: append.offset });
    }
    let fits = part_bytes.saturating_mul(u64::from(room.limits.parts_max));
    let end = total_bytes.unwrap_or_else(|| fits.min(room.limits.total_bytes_max));
    let left = end.saturating_sub(expected);
    match append.size_bytes {
        Some(size) if size > left => {
            Err(Refusal::TooLarge { got_bytes: expected.saturating_add(size), allowed_bytes: end })
        }
        Some(_) | None => Ok(left),
    }
}

/// One append on its way.
struct Run<'a> {
    room: &'a Arc<Room>,
    end: Lease,
    intake: Intake<'a>,
    whole: Digester,
    offset: u64,
    /// The upload must not grow beyond this.
    limit: u64,
    upload: Upload,
    /// Durable, waiting for the body's declared digest; their seats stay ours until then.
    unrecorded: Vec<(Fact, Lease)>,
    is_checked: bool,
}

/// A slot that is being filled.
struct Filling {
    slot: Slot,
    /// Held until the fact is recorded: a newcomer must see what became of these bytes before it writes.
    lease: Lease,
    tail: Option<Tail>,
    writer: Box<dyn PartWriter>,
    digester: Digester,
}

impl Run<'_> {
    async fn go(mut self, append: &Append) -> Result<Appended, Error> {
        let stop = loop {
            match self.next().await {
                Ok(Some(frame)) => {
                    let mut filling = self.begin_slot().await?;
                    match self.fill(&mut filling, frame).await? {
                        Filled::Full => self.land(filling).await?,
                        Filled::Ended(stop) => {
                            self.park(filling).await?;
                            break stop;
                        }
                    }
                }
                Ok(None) => break None,
                Err(stop) => break Some(stop),
            }
        };
        if let Some(stop) = stop {
            return Err(stop.refusal(self.room, self.intake.got_bytes()).into());
        }
        let whole = std::mem::replace(&mut self.whole, Digester::new([])).finish();
        self.check_digests(append, &whole)?;
        for (fact, lease) in std::mem::take(&mut self.unrecorded) {
            self.record(fact, lease).await?;
        }
        Ok(Appended { offset: self.offset, upload: self.upload })
    }

    /// The next frame that holds something; a stop of the server ends the body like a cut.
    async fn next(&mut self) -> Result<Option<Bytes>, Stop> {
        loop {
            let frame = tokio::select! {
                biased;
                () = self.room.stopping.cancelled() => return Err(Stop::Cut),
                frame = self.intake.next(&self.end) => frame?,
            };
            match frame {
                Some(frame) if frame.is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    /// Takes the seat of the slot that the offset lies in, and looks whether it still is as believed.
    async fn begin_slot(&mut self) -> Result<Filling, Error> {
        let Plan::Even { part_bytes, .. } = self.upload.plan else {
            return Err(Refusal::NotAppendable.into());
        };
        if self.offset >= self.limit {
            return Err(self.too_large().into());
        }
        let number = self.offset / part_bytes + 1;
        let slot = self.upload.plan.slot(number, &self.room.limits)?;
        let lease = tokio::select! {
            biased;
            () = self.end.cut() => return Err(Refusal::TakenOver.into()),
            lease = self.room.take_seat(self.upload.id, Seat::Slot(slot.number)) => lease?,
        };
        let id = self.upload.id;
        let fetched = self.room.catalog.fetch(id, Some(slot.number)).await?;
        let Fetched { upload, part } = fetched.ok_or(Refusal::UploadNotFound(id))?;
        if !upload.phase.takes_parts() {
            return Err(Refusal::NotOpen(upload.phase.name()).into());
        }
        if upload.epoch != self.upload.epoch {
            return Err(Refusal::TakenOver.into());
        }
        // While nothing of this body is recorded the catalog's offset stays where the body began.
        let is_moved = !self.is_checked && upload.offset() != self.offset;
        if part.is_some() || is_moved {
            return Err(Refusal::OffsetMismatch { expected: upload.offset(), got: self.offset }.into());
        }
        let tail = upload.tail.clone().filter(|tail| tail.number == slot.number);
        self.upload = upload;
        let at = PartPlace {
            place: &self.upload.place,
            slot,
            size_bytes: None,
            is_begun: self.upload.is_begun(),
            lease: lease.clone(),
        };
        let writer = match &tail {
            Some(tail) => self.room.store.continue_part(at, tail).await,
            None => self.room.store.write_part(at, Spot::Own).await,
        };
        Ok(Filling { slot, lease, tail, writer: writer.map_err(refuse_full)?, digester: Digester::new([]) })
    }

    async fn fill(&mut self, filling: &mut Filling, first: Bytes) -> Result<Filled, Error> {
        let mut frame = first;
        loop {
            let has = filling.tail.as_ref().map_or(0, |tail| tail.size_bytes) + filling.digester.size_bytes();
            let left = usize::try_from(filling.slot.room.max_bytes() - has).unwrap_or(usize::MAX);
            if frame.len() > left {
                let rest = frame.split_off(left);
                self.intake.push_back(rest);
            }
            if self.is_checked {
                self.whole.update(&frame);
            }
            filling.digester.update(&frame);
            self.offset += frame.len() as u64;
            let is_full = frame.len() == left;
            filling.writer.write(frame).await.map_err(refuse_full)?;
            if is_full {
                return Ok(Filled::Full);
            }
            match self.next().await {
                Ok(Some(next)) => frame = next,
                Ok(None) => return Ok(Filled::Ended(None)),
                Err(stop) => return Ok(Filled::Ended(Some(stop))),
            }
        }
    }

    async fn land(&mut self, filling: Filling) -> Result<(), Error> {
        let Filling { slot, lease, tail, writer, digester } = filling;
        let (size_bytes, crc64) = join(tail.as_ref(), &digester.finish());
        let mark = writer.land().await.map_err(refuse_full)?;
        let landed_at = self.room.clock.now();
        let number = slot.number;
        let part = Part {
            number,
            size_bytes,
            crc64: Some(crc64),
            digests: Vec::new(),
            mark,
            voucher: Voucher::Towline,
            landed_at,
        };
        self.keep(Fact::PartLanded(part), lease).await
    }

    async fn park(&mut self, filling: Filling) -> Result<(), Error> {
        let Filling { slot, lease, tail, writer, digester } = filling;
        let (size_bytes, crc64) = join(tail.as_ref(), &digester.finish());
        let mark = writer.park().await.map_err(refuse_full)?;
        let tail = Tail { number: slot.number, size_bytes, crc64, mark };
        self.keep(Fact::TailParked(tail), lease).await
    }

    async fn keep(&mut self, fact: Fact, lease: Lease) -> Result<(), Error> {
        if self.is_checked {
            self.unrecorded.push((fact, lease));
            return Ok(());
        }
        self.record(fact, lease).await
    }

    async fn record(&mut self, fact: Fact, lease: Lease) -> Result<(), Error> {
        let (room, upload, told) = (Arc::clone(self.room), self.upload.clone(), fact.clone());
        let recorded = self.room.see_through(async move {
            let recorded = room.record(&upload, told).await;
            drop(lease);
            recorded
        });
        match recorded.await? {
            Recorded::Done { progress, .. } | Recorded::Repeat { progress } => {
                self.upload.progress = progress;
                match fact {
                    Fact::PartLanded(part) => {
                        self.upload.tail = None;
                        self.room.tally.add(Count::PartsLanded, 1);
                        self.room.tally.add(Count::BytesLanded, part.size_bytes);
                    }
                    Fact::TailParked(tail) => self.upload.tail = Some(tail),
                    Fact::PartLost(..)
                    | Fact::TotalDeclared(_)
                    | Fact::SealBegun
                    | Fact::Disputed
                    | Fact::SealUndone
                    | Fact::Sealed(_)
                    | Fact::Abandoned(_) => {}
                }
                Ok(())
            }
            Recorded::Stale => {
                let fetched = self.room.catalog.fetch(self.upload.id, None).await?;
                let upload = fetched.ok_or(Refusal::UploadNotFound(self.upload.id))?.upload;
                if upload.phase.takes_parts() {
                    return Err(Refusal::TakenOver.into());
                }
                Err(Refusal::NotOpen(upload.phase.name()).into())
            }
        }
    }

    fn check_digests(&self, append: &Append, computed: &Computed) -> Result<(), Refusal> {
        for declared in &append.declared {
            let actual = computed.get(declared.algorithm()).expect("every declared digest is computed");
            if actual != *declared {
                let number = self.unrecorded.first().map_or(0, |(fact, _)| number_of(fact));
                return Err(Refusal::PartDigest { number, declared: declared.clone(), actual });
            }
        }
        Ok(())
    }

    fn too_large(&self) -> Refusal {
        Refusal::TooLarge { got_bytes: self.offset.saturating_add(1), allowed_bytes: self.limit }
    }
}

enum Filled {
    Full,
    /// The body ended, well or by a stop.
    Ended(Option<Stop>),
}

fn number_of(fact: &Fact) -> u32 {
    match fact {
        Fact::PartLanded(part) => part.number,
        Fact::TailParked(tail) => tail.number,
        Fact::PartLost(number, _) => *number,
        Fact::TotalDeclared(_)
        | Fact::SealBegun
        | Fact::Disputed
        | Fact::SealUndone
        | Fact::Sealed(_)
        | Fact::Abandoned(_) => 0,
    }
}

/// Size and CRC of a tail with what came after it.
fn join(tail: Option<&Tail>, computed: &Computed) -> (u64, u64) {
    let mut joined = Joined::default();
    let mut size_bytes = computed.size_bytes;
    if let Some(tail) = tail {
        joined.push(tail.crc64, tail.size_bytes);
        size_bytes += tail.size_bytes;
    }
    joined.push(computed.crc64, computed.size_bytes);
    (size_bytes, joined.crc64())
}
