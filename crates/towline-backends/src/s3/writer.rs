//! Takes the bytes of one part. They wait here until all of them have come: a client that is slow never holds one of
//! the few requests that may be under way to S3.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Method;
use tokio::time::timeout;
use towline_core::digest::{Computed, Digester};
use towline_core::error::{Fault, FaultKind};
use towline_core::lease::Lease;
use towline_core::store::{Mark, PartWriter, Place};
use towline_core::upload::Tail;
use towline_s3::client::transfer_time;
use towline_s3::multipart::Multipart;
use towline_s3::tag::EMPTY_TAG;
use towline_s3::{Call, Problem};

use super::place::{Room, tail_mark, tail_object};
use super::spill::Heap;
use super::{Inner, headers};

/// A tail says whose it is, so that one that was left behind can be told from one that is wanted.
pub(super) const PLACE_HEADER: &str = "x-amz-meta-towline-place";

/// How often a part is sent whose stored bytes are not those that were sent.
const SENDS_MAX: u32 = 2;

pub(super) struct S3Writer {
    store: Arc<Inner>,
    room: Room,
    place: Place,
    number: u32,
    heap: Heap,
    digester: Digester,
    _lease: Lease,
}

impl S3Writer {
    pub(super) fn new(store: Arc<Inner>, place: &Place, number: u32, lease: Lease) -> Result<Self, Fault> {
        let room = Room::of(place)?;
        let heap = Heap::new(&store.spill);
        let digester = Digester::new(store.check.algorithm());
        Ok(Self { store, room, place: place.clone(), number, heap, digester, _lease: lease })
    }

    async fn take(&mut self, frame: Bytes) -> Result<(), Fault> {
        self.digester.update(&frame);
        self.heap.push(frame).await
    }

    /// Sends all of it, as often as the server stores something else.
    async fn send(&mut self, call: Call, doing: &'static str) -> Result<String, Fault> {
        let check = self.store.check;
        let computed = std::mem::replace(&mut self.digester, Digester::new([])).finish();
        let content = self.heap.content();
        let wait = self.store.client.patience().total + transfer_time(&content);
        let call = call.headers(check.of_bytes(&computed)).content(content);
        let slot = timeout(wait, self.store.slots.acquire()).await;
        let slot =
            slot.map_err(|_| Fault::new(FaultKind::Unavailable, doing, "no request to S3 became free"))?;
        let _slot = slot.expect("the semaphore is never closed");
        let mut sends = 1;
        loop {
            match self.sent(call.clone(), &computed).await {
                Err(Problem::Differs { .. }) if sends < SENDS_MAX => sends += 1,
                result => return result.map_err(|problem| problem.fault(doing)),
            }
        }
    }

    async fn sent(&self, call: Call, computed: &Computed) -> Result<String, Problem> {
        let tag = self.store.client.send(call).await?.tag()?;
        if !self.store.hides_md5() {
            self.store.check.compare(&tag, computed)?;
        }
        Ok(tag)
    }
}

/// Begins a part with the bytes of a tail.
pub(super) async fn continued(mut writer: S3Writer, tail: &Tail) -> Result<S3Writer, Fault> {
    let doing = "reading a tail back";
    let lost = |what: &str| Fault::new(FaultKind::Corrupt, doing, what.to_owned());
    let object = tail_object(&tail.mark).ok_or_else(|| lost("this is no mark of a tail"))?;
    let name = writer.room.folder(&writer.store.client.address) + object;
    let store = Arc::clone(&writer.store);
    let Some(mut bytes) = super::reader::whole(&store.client, &name).await? else {
        return Err(lost("the tail is gone"));
    };
    let mut digester = Digester::new([]);
    while let Some(frame) = bytes.next().await {
        let frame = frame?;
        digester.update(&frame);
        writer.take(frame).await?;
    }
    let computed = digester.finish();
    if (computed.size_bytes, computed.crc64) != (tail.size_bytes, tail.crc64) {
        return Err(lost("the tail is not what was parked"));
    }
    Ok(writer)
}

#[async_trait]
impl PartWriter for S3Writer {
    async fn write(&mut self, frame: Bytes) -> Result<(), Fault> {
        self.take(frame).await
    }

    async fn land(mut self: Box<Self>) -> Result<Mark, Fault> {
        let store = Arc::clone(&self.store);
        let room = self.room.clone();
        let Some((name, s3_id)) = room.multipart(&store.client.address) else {
            return Err(Fault::new(FaultKind::Corrupt, "writing a part", "this upload was given up"));
        };
        // Nothing need not be sent to be kept, and not every server takes a part of no bytes.
        if self.digester.size_bytes() == 0 {
            return Ok(Mark(EMPTY_TAG.to_owned()));
        }
        let multipart = Multipart { client: &store.client, name: &name, s3_id };
        let call = multipart.put_call(self.number);
        Ok(Mark(Box::pin(self.send(call, "writing a part")).await?))
    }

    async fn park(mut self: Box<Self>) -> Result<Mark, Fault> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Fault::new(FaultKind::Internal, "naming a tail", error.to_string()))?;
        let mark = tail_mark(&towline_core::digest::hex(&random));
        let address = &self.store.client.address;
        let path = address.path(&(self.room.folder(address) + &mark.0));
        let call = Call::new(Method::PUT, path)
            .headers(headers::of_every(&self.store.settings))
            .header(PLACE_HEADER, BASE64_STANDARD.encode(&self.place.0));
        Box::pin(self.send(call, "parking a tail")).await?;
        Ok(mark)
    }
}
