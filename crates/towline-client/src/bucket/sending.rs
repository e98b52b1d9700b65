//! Bytes on their way to S3: with their checksum before them, where the server knows it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use http::Method;
use towline_core::digest::{Algorithm, Computed};
use towline_core::receipt::Voucher;
use towline_s3::multipart::{Multipart, crc64_text};
use towline_s3::tag::md5_in;
use towline_s3::{Call, Client, Flow, Payload, Problem, Reply};

use super::complaint::Act;
use super::{Bucket, described, layout, proving};
use crate::remote::{Frames, Landed, Order, Passing, Proof, Receipt, Sent, Slot, Upload};
use crate::trouble::Trouble;

pub(super) async fn part(
    bucket: &Bucket,
    upload: &Upload,
    slot: Slot,
    frames: Frames,
) -> Result<Landed, Trouble> {
    let Upload { ticket, proof, .. } = upload;
    if slot.number > layout::PARTS_MAX {
        return Err(
            Trouble::refused("S3 takes no more than 10,000 parts").hint("use larger parts: --part-size")
        );
    }
    let client = bucket.client();
    let name = client.address.name(&ticket.key);
    let multipart = Multipart { client: &client, name: &name, s3_id: &ticket.id };
    let is_checked = *proof == Proof::Crc64 && !bucket.refuses_checksums.load(Ordering::Relaxed);
    let call = multipart.put_call(slot.number);
    let (call, mut flow, passed) = if is_checked {
        let sent = frames.sent.clone();
        let (pieces, computed) = Box::pin(bucket.loader.load(frames, None)).await?;
        let call = call.header(proving::CRC64, crc64_text(computed.crc64));
        (call, plain(slot.size_bytes, told(pieces, sent)), Passed::Before(computed))
    } else {
        let (stream, passing) = Passing::over(frames, Some(Algorithm::Md5));
        (call, plain(slot.size_bytes, stream), Passed::Meanwhile(passing))
    };
    flow.asks_first = bucket.is_in_doubt.load(Ordering::Relaxed);
    let answer = Box::pin(client.pass(call, flow)).await;
    if let Some(trouble) = passed.failed() {
        return Err(trouble);
    }
    bucket.is_in_doubt.store(answer.is_err(), Ordering::Relaxed);
    let reply = answer.map_err(|problem| refused(bucket, (&client, &problem), is_checked, &ticket.key))?;
    let computed =
        passed.computed().ok_or_else(|| Trouble::passing("S3 answered before it had all bytes"))?;
    let tag = reply.tag().map_err(|problem| bucket.trouble(&problem, Act::Send, &ticket.key))?;
    proving::compare(&reply, &tag, &computed)?;
    let md5 = md5_in(&reply.headers, &tag);
    Ok(Landed { number: slot.number, size_bytes: slot.size_bytes, crc64: Some(computed.crc64), md5, tag })
}

fn plain(size_bytes: u64, stream: BoxStream<'static, io::Result<Bytes>>) -> Flow {
    Flow { payload: Payload::Unsigned, size_bytes, stream, asks_first: false }
}

/// When the digests of a part are known.
enum Passed {
    Before(Computed),
    Meanwhile(Passing),
}

impl Passed {
    fn computed(self) -> Option<Computed> {
        match self {
            Self::Before(computed) => Some(computed),
            Self::Meanwhile(passing) => passing.computed(),
        }
    }

    fn failed(&self) -> Option<Trouble> {
        match self {
            Self::Before(_) => None,
            Self::Meanwhile(passing) => passing.failed(),
        }
    }
}

/// What is in memory, told as it goes out.
fn told(pieces: Vec<Bytes>, sent: Sent) -> BoxStream<'static, io::Result<Bytes>> {
    let stream = stream::iter(pieces).inspect(move |piece| sent.tell(piece.len() as u64));
    stream.map(Ok).boxed()
}

/// What came of a part that cannot be sent again from here. The next try may do better.
fn refused(bucket: &Bucket, (client, problem): (&Client, &Problem), is_checked: bool, key: &str) -> Trouble {
    if bucket.follow(client, problem) {
        return Trouble::passing("the bucket is in another region; that one is asked from now on");
    }
    if is_checked && proving::is_about_checksums(problem) {
        bucket.refuses_checksums.store(true, Ordering::Relaxed);
        return Trouble::passing("S3 takes no checksums of parts; they are sent without, and compared");
    }
    bucket.trouble(problem, Act::Send, key)
}

/// A file in one request: any server that knows no checksums compares its MD5.
pub(super) async fn whole(bucket: &Bucket, order: &Order, frames: Frames) -> Result<Receipt, Trouble> {
    let said = described(order)?;
    let size_bytes = frames.size_bytes;
    if size_bytes > layout::PART_BYTES {
        return Err(Trouble::refused("this file is too large for one request"));
    }
    let sent = frames.sent.clone();
    let (pieces, computed) = Box::pin(bucket.loader.load(frames, Some(Algorithm::Md5))).await?;
    let md5 = computed.get(Algorithm::Md5).expect("it was asked for");
    let md5 = [("content-md5".to_owned(), BASE64_STANDARD.encode(md5.bytes()))];
    let put = async |checksum: Option<(String, String)>| {
        let asked = async |client: Arc<Client>| {
            let call = Call::new(Method::PUT, client.address.path(&client.address.name(&order.key)));
            let call = call.headers(said.iter().chain(&md5).cloned()).headers(checksum.clone());
            client.pass(call, plain(size_bytes, told(pieces.clone(), sent.clone()))).await
        };
        Box::pin(bucket.ask(asked)).await
    };
    let checksum = (proving::CRC64.to_owned(), crc64_text(computed.crc64));
    let is_checked = !bucket.refuses_checksums.load(Ordering::Relaxed);
    let answer = match Box::pin(put(is_checked.then_some(checksum))).await {
        Err(problem) if is_checked && proving::is_about_checksums(&problem) => {
            bucket.refuses_checksums.store(true, Ordering::Relaxed);
            Box::pin(put(None)).await
        }
        answer => answer,
    };
    bucket.is_in_doubt.store(answer.is_err(), Ordering::Relaxed);
    let reply = answer.map_err(|problem| bucket.trouble(&problem, Act::Send, &order.key))?;
    receipt(bucket, order, &reply, &computed)
}

fn receipt(bucket: &Bucket, order: &Order, reply: &Reply, computed: &Computed) -> Result<Receipt, Trouble> {
    let tag = reply.tag().map_err(|problem| bucket.trouble(&problem, Act::Send, &order.key))?;
    proving::compare(reply, &tag, computed)?;
    let address = &bucket.client().address;
    Ok(Receipt {
        key: order.key.clone(),
        size_bytes: computed.size_bytes,
        part_count: 1,
        crc64: proving::crc64_in(reply),
        voucher: Voucher::Store,
        location: address.url(&address.name(&order.key)),
    })
}
