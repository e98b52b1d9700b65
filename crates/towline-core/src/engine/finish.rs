//! Sealing an upload: the object becomes visible, with a receipt. Asked for again it says the same.

use std::sync::{Arc, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, Shared};

use super::create::key_blocked;
use super::expected::{Expected, Terms};
use super::listed::Claimed;
use super::tally::Count;
use super::{Engine, PAGE, Room, TRIES_MAX, refuse_full};
use crate::catalog::{Fact, Recorded};
use crate::crc64::Joined;
use crate::digest::{Algorithm, Digest, Digester};
use crate::error::{Error, Fault, FaultKind, Refusal};
use crate::lease::Lease;
use crate::plan::Plan;
use crate::policy::{Existing, Principal};
use crate::receipt::{Receipt, Voucher};
use crate::store::{Seal, SealedObject};
use crate::upload::{Part, Phase, Upload, UploadId};

/// A seal under way; everybody who asked gets its answer.
pub(super) type Sealing = Shared<BoxFuture<'static, Result<Upload, Error>>>;

/// How many missing parts a refusal names.
const MISSING_NAMED_MAX: usize = 100;
impl Engine {
    /// Seals an upload and returns it with its receipt; an upload that is sealed already is returned as it is.
    pub async fn finish(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        self.finish_as(who, id, Terms::default()).await
    }

    /// The same of a file that is known where it came from: what is another one is refused before anybody sees it, and
    /// takes parts still.
    pub async fn finish_expecting(
        &self,
        who: &Principal,
        id: UploadId,
        expected: Expected,
    ) -> Result<Upload, Error> {
        self.finish_as(who, id, Terms { expected, ..Terms::default() }).await
    }

    /// The same of the parts of a list, ascending by number: a free plan is made of those and of no other.
    pub async fn finish_listed(
        &self,
        who: &Principal,
        id: UploadId,
        listed: Vec<Claimed>,
    ) -> Result<Upload, Error> {
        self.finish_as(who, id, Terms { listed: Some(listed), ..Terms::default() }).await
    }

    async fn finish_as(&self, who: &Principal, id: UploadId, terms: Terms) -> Result<Upload, Error> {
        let Terms { listed, expected } = &terms;
        let expected = *expected;
        let upload = self.0.fetch(who, id).await?;
        match &upload.phase {
            Phase::Sealed(_) => {
                // The same answer to the same question; another list would be answered with a file that is not of it.
                if let Some(listed) = listed
                    && !self.0.is_as_listed(&upload, listed).await?
                {
                    return Err(Refusal::NotOpen(upload.phase.name()).into());
                }
                return expected.check_sealed(upload);
            }
            Phase::Abandoned(_) => return Err(Refusal::NotOpen(upload.phase.name()).into()),
            Phase::Open | Phase::Disputed => {
                let upload = self.0.learn(upload).await?;
                self.0.check_listed(&upload, listed.as_deref()).await?;
                if listed.is_none() || matches!(upload.plan, Plan::Even { .. }) {
                    self.0.check_whole(&upload).await?;
                }
            }
            Phase::Sealing => {}
        }
        // The seal may be the one that somebody else began.
        expected.check_sealed(self.seal(id, terms).await?)
    }

    /// Joins the seal that is under way, or begins one. It goes on when the one who asked is gone: verifying a large
    /// file can outlast a client's patience, and must not begin again each time.
    pub(super) async fn seal(&self, id: UploadId, terms: Terms) -> Result<Upload, Error> {
        let sealing = {
            let mut table = self.0.sealing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(sealing) = table.get(&id) {
                sealing.clone()
            } else {
                let underway = Underway { room: Arc::clone(&self.0), id };
                let sealing = async move {
                    let sealed = underway.room.seal(id, &terms).await;
                    // Before anybody hears of it: who asks again then is not given this answer once more.
                    drop(underway);
                    sealed
                };
                let sealing = sealing.boxed().shared();
                table.insert(id, sealing.clone());
                let work = sealing.clone();
                self.0.tasks.spawn(async move { work.await.map(drop).ok() });
                sealing
            }
        };
        sealing.await
    }
}

/// The entry of a seal in the table of those under way; it goes also when the seal panics.
struct Underway {
    room: Arc<Room>,
    id: UploadId,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.room.sealing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Room {
    /// Every byte of the total must have landed, or lie in a tail that ends there.
    async fn check_whole(&self, upload: &Upload) -> Result<(), Error> {
        let landed_bytes = upload.progress.landed_bytes;
        match (upload.plan, upload.plan.total_bytes()) {
            (Plan::Even { .. }, None) => Err(Refusal::TotalUnknown.into()),
            (Plan::Even { .. }, Some(total)) if upload.is_whole() || upload.offset() == total => Ok(()),
            (Plan::Even { .. }, Some(_)) => Err(self.missing_parts(upload).await?.into()),
            (Plan::Free { .. }, Some(total_bytes)) if total_bytes != landed_bytes => {
                Err(Refusal::MissingBytes { landed_bytes, total_bytes }.into())
            }
            (Plan::Free { .. }, _) => Ok(self.limits.check_total(landed_bytes)?),
        }
    }

    async fn missing_parts(&self, upload: &Upload) -> Result<Refusal, Error> {
        let total = upload.plan.total_parts().unwrap_or(0);
        let mut first = Vec::new();
        let mut next = upload.progress.prefix_count + 1;
        while next <= total && first.len() < MISSING_NAMED_MAX {
            let page = self.catalog.parts(upload.id, next - 1, PAGE).await?;
            let until = page.last().map_or(total, |part| part.number);
            let mut landed = page.iter().map(|part| part.number).peekable();
            while next <= until && first.len() < MISSING_NAMED_MAX {
                if landed.next_if_eq(&next).is_none() {
                    first.push(next);
                }
                next += 1;
            }
        }
        let count = u64::from(total.saturating_sub(upload.progress.landed_count));
        Ok(Refusal::MissingParts { first, count })
    }

    async fn seal(self: &Arc<Self>, id: UploadId, terms: &Terms) -> Result<Upload, Error> {
        let frozen = self.leases.freeze(id, self.policy.admission_wait).await;
        let frozen = frozen.ok_or_else(|| self.busy())?;
        for _ in 0..TRIES_MAX {
            if let Some(upload) = self.try_seal(id, terms, &frozen).await? {
                return Ok(upload);
            }
        }
        Err(self.busy().into())
    }

    /// One try; nothing when another node claimed the upload meanwhile.
    async fn try_seal(
        self: &Arc<Self>,
        id: UploadId,
        terms: &Terms,
        frozen: &Lease,
    ) -> Result<Option<Upload>, Error> {
        let listed = terms.listed.as_deref();
        let mut upload = self.claim(id).await?;
        match &upload.phase {
            Phase::Sealed(_) => return Ok(Some(upload)),
            Phase::Abandoned(_) => return Err(Refusal::NotOpen(upload.phase.name()).into()),
            // It goes on as it was begun, if not for the one who asks now.
            Phase::Sealing => self.check_expected(&upload, terms.expected).await?,
            Phase::Open | Phase::Disputed => {
                if upload.tail.is_some() {
                    self.settle_tail(&upload, frozen.clone()).await?;
                    upload = self.claim(id).await?;
                }
                if let Some(listed) = listed {
                    self.check_listed(&upload, Some(listed)).await?;
                    self.drop_unlisted(&upload, listed).await?;
                    upload = self.claim(id).await?;
                }
                self.check_whole(&upload).await?;
                self.check_expected(&upload, terms.expected).await?;
                match self.record(&upload, Fact::SealBegun).await? {
                    Recorded::Done { progress, .. } | Recorded::Repeat { progress } => {
                        upload.progress = progress;
                    }
                    Recorded::Stale => return Ok(None),
                }
                // Parts that were carried past us may have been learnt until this moment.
                if let Some(listed) = listed
                    && !self.is_as_listed(&upload, listed).await?
                {
                    self.record(&upload, Fact::SealUndone).await?;
                    return Ok(None);
                }
            }
        }
        let receipt = match self.make_object(&upload, listed.is_some()).await {
            Ok(receipt) => receipt,
            Err(unsealed) => return Err(self.undo(&upload, unsealed).await?),
        };
        match self.record(&upload, Fact::Sealed(receipt.clone())).await? {
            Recorded::Done { .. } => {
                self.tally.add(Count::UploadsSealed, 1);
                self.clear(&upload).await;
            }
            Recorded::Repeat { .. } => {}
            Recorded::Stale => return Ok(None),
        }
        upload.phase = Phase::Sealed(receipt);
        upload.tail = None;
        Ok(Some(upload))
    }

    async fn make_object(&self, upload: &Upload, is_listed: bool) -> Result<Receipt, Error> {
        let parts = self.all_parts(upload).await?;
        self.verify(upload, &parts).await?;
        // Where files are not replaced, two seals must not both find the key free.
        let _publishing = match self.policy.existing {
            Existing::Replace => None,
            Existing::Refuse => {
                let publishing = self.publishing.lock().await;
                let is_taken = self.store.has(&upload.key).await?;
                // It may be our own object, of a seal that was not recorded.
                if is_taken && !self.store.is_sealed(&upload.place, &upload.key, &parts).await? {
                    return Err(Refusal::KeyTaken(upload.key.clone()).into());
                }
                Some(publishing)
            }
        };
        match self.store.seal(&upload.place, &upload.key, &parts).await.map_err(refuse_full)? {
            Seal::Sealed(object) => Ok(self.receipt(&parts, upload, (object, is_listed))),
            Seal::Blocked(obstacle) => Err(key_blocked(upload.key.clone(), obstacle).into()),
            Seal::Changed(numbers) => Err(self.unlearn(upload, &parts, numbers).await?.into()),
        }
    }

    /// Forgets parts that the store does not have any more as they were recorded: they have to be sent again.
    async fn unlearn(
        &self,
        upload: &Upload,
        parts: &[Part],
        mut numbers: Vec<u32>,
    ) -> Result<Refusal, Error> {
        self.record(upload, Fact::SealUndone).await?;
        for part in parts.iter().filter(|part| numbers.contains(&part.number)) {
            self.record(upload, Fact::PartLost(part.number, part.mark.clone())).await?;
        }
        let count = numbers.len() as u64;
        numbers.truncate(MISSING_NAMED_MAX);
        Ok(Refusal::MissingParts { first: numbers, count })
    }

    /// After a seal that cannot be, parts are taken again, and the upload can be given up. A fault that may pass leaves
    /// the seal begun: who asks again, or the janitor, goes on with it.
    async fn undo(&self, upload: &Upload, unsealed: Error) -> Result<Error, Error> {
        let fact = match &unsealed {
            Error::Refused(Refusal::WholeDigest { .. }) => Some(Fact::Disputed),
            Error::Refused(Refusal::StoreFull) => None,
            Error::Refused(_) => Some(Fact::SealUndone),
            Error::Failed(fault) => (fault.kind() == FaultKind::Corrupt).then_some(Fact::SealUndone),
        };
        if let Some(fact) = fact {
            self.record(upload, fact).await?;
        }
        Ok(unsealed)
    }

    /// What is recorded at this moment; where parts are taken still, the next moment may add to it.
    pub(super) async fn recorded_parts(&self, id: UploadId) -> Result<Vec<Part>, Error> {
        let mut parts: Vec<Part> = Vec::new();
        loop {
            let after = parts.last().map_or(0, |part| part.number);
            let page = self.catalog.parts(id, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            parts.extend(page);
            if is_last {
                return Ok(parts);
            }
        }
    }

    /// The parts of an upload that takes no more: they add up to what its head says.
    pub(super) async fn all_parts(&self, upload: &Upload) -> Result<Vec<Part>, Error> {
        let parts = self.recorded_parts(upload.id).await?;
        let landed_bytes: u64 = parts.iter().map(|part| part.size_bytes).sum();
        if landed_bytes != upload.progress.landed_bytes
            || upload.plan.total_bytes().is_some_and(|total| total != landed_bytes)
        {
            let cause = format!("{landed_bytes} bytes in {} parts of upload {}", parts.len(), upload.id);
            return Err(Fault::new(FaultKind::Corrupt, "adding up the parts before a seal", cause).into());
        }
        Ok(parts)
    }

    /// Compares the whole with the digest that was declared for it. CRC-64/NVME comes from the parts' own; the others
    /// have to be read.
    async fn verify(&self, upload: &Upload, parts: &[Part]) -> Result<(), Error> {
        let Some(declared) = &upload.about.declared else { return Ok(()) };
        let by_parts = join(parts).map(Digest::of_crc64);
        let actual = if let Some(known) = by_parts.filter(|known| known.algorithm() == declared.algorithm()) {
            known
        } else {
            let _turn = self.verifying.acquire().await.expect("the semaphore is never closed");
            // Only what was verified is given to the store to seal.
            let Some(mut bytes) = self.store.read_parts(&upload.place, parts).await? else { return Ok(()) };
            let mut digester = Digester::new([declared.algorithm()]);
            while let Some(frame) = bytes.next().await {
                digester.update(&frame?);
                // Hashing keeps a thread busy: let others have it between two frames.
                tokio::task::yield_now().await;
            }
            let computed = digester.finish();
            if join(parts).is_some_and(|crc64| crc64 != computed.crc64) {
                let cause = format!("the parts of upload {} do not read as they landed", upload.id);
                return Err(Fault::new(FaultKind::Corrupt, "verifying an upload", cause).into());
            }
            computed.get(declared.algorithm()).expect("the declared digest is computed")
        };
        if actual != *declared {
            return Err(Refusal::WholeDigest { declared: declared.clone(), actual }.into());
        }
        Ok(())
    }

    fn receipt(&self, parts: &[Part], upload: &Upload, (object, is_listed): (SealedObject, bool)) -> Receipt {
        let all_seen = parts.iter().all(|part| part.voucher == Voucher::Towline);
        Receipt {
            size_bytes: parts.iter().map(|part| part.size_bytes).sum(),
            part_count: u32::try_from(parts.len()).unwrap_or(u32::MAX),
            crc64: join(parts),
            voucher: if all_seen { Voucher::Towline } else { Voucher::Store },
            verified: upload.about.declared.clone(),
            location: object.location,
            version: object.version,
            tag: Some(object.tag.unwrap_or_else(|| tag(parts, is_listed))),
            sealed_at: self.clock.now(),
        }
    }
}

/// The CRC-64/NVME of the whole from those of its parts.
pub(super) fn join(parts: &[Part]) -> Option<u64> {
    let mut joined = Joined::default();
    for part in parts {
        joined.push(part.crc64?, part.size_bytes);
    }
    Some(joined.crc64())
}

/// How S3 names an object: by the MD5 of its bytes, or by that of its parts' MD5s and their number.
fn tag(parts: &[Part], is_listed: bool) -> String {
    if let ([only], false) = (parts, is_listed) {
        return only.tag();
    }
    let mut digester = Digester::new([Algorithm::Md5]);
    for part in parts {
        let named = Digest::from_hex(Algorithm::Md5, &part.tag()).expect("a tag has the form of an MD5");
        digester.update(named.bytes());
    }
    let md5 = digester.finish().get(Algorithm::Md5).expect("it was asked for").to_hex();
    if parts.is_empty() { md5 } else { format!("{md5}-{}", parts.len()) }
}
