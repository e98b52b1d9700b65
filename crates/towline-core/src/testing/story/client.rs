//! The clients of a story: each does a few random things, and writes down what it was told.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::Script;
use super::model::{Ledger, crc64};
use crate::digest::Digest;
use crate::engine::{Append, Body, BodyEnd, Engine, Landed, PutPart};
use crate::error::{Error, Refusal};
use crate::plan::Plan;
use crate::policy::Principal;
use crate::upload::{Phase, UploadId};

/// One round's view: the engine of this process life, and the shared ledger.
pub(super) struct Round {
    pub(super) engine: Engine,
    pub(super) who: Principal,
    pub(super) script: Script,
    pub(super) id: UploadId,
    pub(super) ledger: Rc<RefCell<Ledger>>,
}

/// How a client sends a body.
enum Manner {
    Whole,
    Cut,
    Stall,
}

impl Round {
    pub(super) async fn client(self, mut rng: fastrand::Rng) {
        for _ in 0..rng.u32(1..12) {
            match rng.u8(0..100) {
                0..60 => self.send_part(&mut rng).await,
                60..85 => self.append(&mut rng).await,
                85..93 => self.finish().await,
                93..96 => drop(self.engine.status(&self.who, self.id).await),
                96..98 => drop(self.engine.sweep(Duration::ZERO).await),
                98 => self.declare_total().await,
                _ => self.abandon(&mut rng).await,
            }
        }
    }

    /// Frames of random sizes, ending as the manner says.
    fn body(
        bytes: &[u8],
        manner: &Manner,
        rng: &mut fastrand::Rng,
    ) -> stream::BoxStream<'static, Result<Bytes, BodyEnd>> {
        let mut rest = Bytes::copy_from_slice(bytes);
        if !matches!(manner, Manner::Whole) {
            rest.truncate(rng.usize(0..=rest.len()));
        }
        let mut frames = Vec::new();
        while !rest.is_empty() {
            frames.push(Ok(rest.split_to(rng.usize(1..=rest.len()))));
        }
        let waits: Vec<u64> = frames.iter().map(|_| rng.u64(0..50)).collect();
        let frames = stream::iter(frames.into_iter().zip(waits)).then(|(frame, wait_ms)| async move {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            frame
        });
        match manner {
            Manner::Whole => frames.boxed(),
            Manner::Cut => frames.chain(stream::iter([Err(BodyEnd::Cut)])).boxed(),
            Manner::Stall => frames.chain(stream::pending()).boxed(),
        }
    }

    fn manner(rng: &mut fastrand::Rng) -> Manner {
        match rng.u8(0..10) {
            0 => Manner::Cut,
            1 => Manner::Stall,
            _ => Manner::Whole,
        }
    }

    /// Some clients are gone before they are answered.
    fn patience(rng: &mut fastrand::Rng) -> Duration {
        if rng.u8(0..5) == 0 { Duration::from_millis(rng.u64(0..300)) } else { Duration::MAX }
    }

    async fn put(
        &self,
        number: u32,
        bytes: &[u8],
        declared: Vec<Digest>,
        (body, patience): (Body<'_>, Duration),
    ) -> Result<Landed, Error> {
        let token = self.ledger.borrow_mut().begin(number, bytes);
        let put = PutPart {
            id: self.id,
            number: u64::from(number),
            size_bytes: None,
            declared,
            computed: Vec::new(),
        };
        let landed = with_patience(patience, Box::pin(self.engine.put_part(&self.who, put, body))).await;
        let mut ledger = self.ledger.borrow_mut();
        match &landed {
            Ok(landed) => {
                assert_eq!(landed.part.crc64, Some(crc64(bytes)), "acknowledged with another digest");
                ledger.acknowledge(number, token);
            }
            Err(_) => ledger.give_up(number, token),
        }
        landed
    }

    async fn send_part(&self, rng: &mut fastrand::Rng) {
        let slots = self.script.slots();
        if slots.is_empty() {
            return;
        }
        let index = rng.usize(0..slots.len());
        let number = u32::try_from(index).expect("few slots") + 1;
        let mut bytes = slots[index].to_vec();
        let mut declared = Vec::new();
        match rng.u8(0..10) {
            // A file that changed: accepted, and to be sent again before the end.
            0 => bytes[0] ^= 0xff,
            1 => declared.push(Digest::of_crc64(crc64(&bytes))),
            2 => {
                declared.push(Digest::of_crc64(!crc64(&bytes)));
                let body = Self::body(&bytes, &Manner::Whole, rng);
                self.put_refused(number, declared, body).await;
                return;
            }
            3 if !matches!(self.script.plan, Plan::Free { .. }) => {
                bytes.resize(64, 1);
                let body = Self::body(&bytes, &Manner::Whole, rng);
                self.put_refused(number, declared, body).await;
                return;
            }
            _ => {}
        }
        let manner =
            if matches!(self.script.plan, Plan::Free { .. }) { Manner::Whole } else { Self::manner(rng) };
        let mut body = Self::body(&bytes, &manner, rng);
        drop(self.put(number, &bytes, declared, (body.as_mut(), Self::patience(rng))).await);
    }

    /// Something that must not be acknowledged and must leave no trace.
    async fn put_refused(
        &self,
        number: u32,
        declared: Vec<Digest>,
        mut body: stream::BoxStream<'static, Result<Bytes, BodyEnd>>,
    ) {
        let put = PutPart {
            id: self.id,
            number: u64::from(number),
            size_bytes: None,
            declared,
            computed: Vec::new(),
        };
        let landed = self.engine.put_part(&self.who, put, body.as_mut()).await;
        assert!(landed.is_err(), "a wrong part was acknowledged: {landed:?}");
    }

    async fn append(&self, rng: &mut fastrand::Rng) {
        let joined = if rng.bool() {
            self.engine.join(&self.who, self.id).await
        } else {
            self.engine.status(&self.who, self.id).await
        };
        let Ok(upload) = joined else { return };
        let offset = usize::try_from(upload.offset()).expect("small");
        let Some(rest) = self.script.content.get(offset..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let bytes = &rest[..rng.usize(1..=rest.len())];
        // What an append may land: whole slots of the right content.
        let slots = self.script.slots();
        let numbers: Vec<u32> = (1..).take(slots.len()).collect();
        let tokens: Vec<(u32, u64)> = {
            let mut ledger = self.ledger.borrow_mut();
            numbers.iter().zip(&slots).map(|(number, slot)| (*number, ledger.begin(*number, slot))).collect()
        };
        let is_checked = rng.u8(0..4) == 0;
        let is_lying = is_checked && rng.u8(0..3) == 0;
        let declared =
            is_checked.then(|| Digest::of_crc64(if is_lying { !crc64(bytes) } else { crc64(bytes) }));
        let append = Append {
            id: self.id,
            offset: upload.offset(),
            size_bytes: None,
            declared: declared.into_iter().collect(),
        };
        let mut body = Self::body(bytes, &Self::manner(rng), rng);
        let appending = self.engine.append(&self.who, append, body.as_mut());
        let appended = with_patience(Self::patience(rng), appending).await;
        let mut ledger = self.ledger.borrow_mut();
        for (number, token) in tokens {
            ledger.give_up(number, token);
        }
        if let Ok(appended) = appended {
            assert!(!is_lying, "a lying digest was acknowledged");
            assert_eq!(appended.offset, (offset + bytes.len()) as u64);
            ledger.offset = ledger.offset.max(appended.offset);
        }
    }

    async fn declare_total(&self) {
        let total = self.script.content.len() as u64;
        let declared = self.engine.declare_total(&self.who, self.id, total).await;
        if let Err(Error::Refused(refusal @ Refusal::TotalConflict { .. })) = declared {
            panic!("{refusal}");
        }
    }

    async fn finish(&self) {
        if let Ok(upload) = self.engine.finish(&self.who, self.id).await {
            let Phase::Sealed(receipt) = upload.phase else { panic!("finished, but {:?}", upload.phase) };
            self.ledger.borrow_mut().sealed_crc64 = receipt.crc64;
        }
    }

    async fn abandon(&self, rng: &mut fastrand::Rng) {
        if rng.u8(0..4) != 0 {
            return;
        }
        self.ledger.borrow_mut().may_be_abandoned = true;
        if self.engine.abandon(&self.who, self.id).await.is_ok() {
            self.ledger.borrow_mut().is_abandoned = true;
        }
    }

    /// What a client does that compares digests before it trusts what landed.
    pub(super) async fn repair(&self) {
        let total = self.script.content.len() as u64;
        let upload = self.engine.status(&self.who, self.id).await.expect("a calm status");
        if !upload.phase.takes_parts() {
            return;
        }
        if upload.plan.total_bytes().is_none() {
            self.engine.declare_total(&self.who, self.id, total).await.expect("a calm total");
        }
        let landed = self.engine.parts(&self.who, self.id, (0, 1000)).await.expect("calm parts");
        for (number, bytes) in (1_u32..).zip(self.script.slots()) {
            if landed.iter().any(|part| part.number == number && part.crc64 == Some(crc64(bytes))) {
                continue;
            }
            let frames: [Result<Bytes, BodyEnd>; 1] = [Ok(Bytes::copy_from_slice(bytes))];
            let mut body = stream::iter(frames).boxed();
            let landed = self.put(number, bytes, Vec::new(), (body.as_mut(), Duration::MAX)).await;
            landed.unwrap_or_else(|error| panic!("a calm part {number}: {error}"));
        }
    }
}

/// Drops the work when patience is over, as a server drops the request of a client that is gone.
async fn with_patience<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let gone = || Err(Refusal::BodyCut { got_bytes: 0 }.into());
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| gone())
}
