//! Bytes on their way to S3: parts pass without being held, small files are held anyway.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use towline_core::digest::{Algorithm, Computed, Digester};
use towline_core::receipt::Voucher;
use towline_s3::multipart::{Multipart, crc64_text};
use towline_s3::{Call, Chunking, Client, Flow, Payload, Problem, Reply, chunked};

use super::complaint::Act;
use super::{Bucket, described, layout, proving};
use crate::remote::{Frames, Landed, Order, Passing, Proof, Receipt, Slot, Upload};
use crate::trouble::Trouble;

/// A CRC-64/NVME in base64, behind its name and a colon.
const TRAILER_BYTES: usize = proving::CRC64.len() + 1 + 12;

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
    let (frames, broken) = Broken::watch(frames);
    let (stream, passing) = Passing::over(frames, (!is_checked).then_some(Algorithm::Md5));
    let call = multipart.put_call(slot.number);
    let told = Arc::new(OnceLock::new());
    let (call, mut flow) = if is_checked {
        checked(call, slot.size_bytes, stream, (passing.clone(), Arc::clone(&told)))
    } else {
        (call, plain(slot.size_bytes, stream))
    };
    flow.asks_first = bucket.is_in_doubt.load(Ordering::Relaxed);
    let answer = Box::pin(client.pass(call, flow)).await;
    if let Some(error) = broken.take() {
        return Err(Trouble::source(format!("the file cannot be read: {error}")));
    }
    bucket.is_in_doubt.store(answer.is_err(), Ordering::Relaxed);
    let reply = answer.map_err(|problem| refused(bucket, (&client, &problem), is_checked, &ticket.key))?;
    let computed = told.get().cloned().or_else(|| passing.computed());
    let computed = computed.ok_or_else(|| Trouble::passing("S3 answered before it had all bytes"))?;
    let tag = reply.tag().map_err(|problem| bucket.trouble(&problem, Act::Send, &ticket.key))?;
    proving::compare(&reply, &tag, &computed)?;
    let md5 = proving::md5_in(&reply, &tag);
    Ok(Landed { number: slot.number, size_bytes: slot.size_bytes, crc64: Some(computed.crc64), md5, tag })
}

fn plain(size_bytes: u64, stream: BoxStream<'static, io::Result<Bytes>>) -> Flow {
    Flow { payload: Payload::Unsigned, size_bytes, stream, asks_first: false }
}

/// The same part with its checksum behind it, which the server compares before it answers.
fn checked(
    call: Call,
    size_bytes: u64,
    stream: BoxStream<'static, io::Result<Bytes>>,
    (passed, told): (Passing, Arc<OnceLock<Computed>>),
) -> (Call, Flow) {
    let call = call
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", size_bytes.to_string())
        .header("x-amz-trailer", proving::CRC64);
    let trailer = move || {
        let computed = passed.computed()?;
        let line = format!("{}:{}", proving::CRC64, crc64_text(computed.crc64));
        told.set(computed).ok().map(|()| line)
    };
    let flow = Flow {
        payload: Payload::Chunked(Chunking::UnsignedTrailer),
        size_bytes: chunked::body_bytes(size_bytes, TRAILER_BYTES),
        stream: chunked::body(size_bytes, stream, trailer).boxed(),
        asks_first: false,
    };
    (call, flow)
}

/// What came of a part that cannot be sent again from here. The next try may do better.
fn refused(bucket: &Bucket, (client, problem): (&Client, &Problem), is_checked: bool, key: &str) -> Trouble {
    if bucket.follow(client, problem) {
        return Trouble::passing("the bucket is in another region; that one is asked from now on");
    }
    if is_checked && proving::is_about_checksums(problem) {
        bucket.refuses_checksums.store(true, Ordering::Relaxed);
        return Trouble::passing("S3 takes no checksums behind parts; they are sent without, and compared");
    }
    bucket.trouble(problem, Act::Send, key)
}

/// A file in one request. Whoever sends it has it in memory, so it can be digested before it goes: any server that knows
/// neither trailers nor checksums compares its MD5.
pub(super) async fn whole(bucket: &Bucket, order: &Order, frames: Frames) -> Result<Receipt, Trouble> {
    let said = described(order)?;
    let size_bytes = frames.size_bytes;
    if size_bytes > layout::PART_BYTES {
        return Err(Trouble::refused("this file is too large for one request"));
    }
    let (pieces, computed) = Box::pin(gathered(frames)).await?;
    let md5 = computed.get(Algorithm::Md5).expect("it was asked for");
    let md5 = [("content-md5".to_owned(), BASE64_STANDARD.encode(md5.bytes()))];
    let put = async |checksum: Option<(String, String)>| {
        let asked = async |client: Arc<Client>| {
            let call = Call::new(Method::PUT, client.address.path(&client.address.name(&order.key)));
            let call = call.headers(said.iter().chain(&md5).cloned()).headers(checksum.clone());
            let stream = stream::iter(pieces.clone().into_iter().map(Ok)).boxed();
            client.pass(call, plain(size_bytes, stream)).await
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

async fn gathered(frames: Frames) -> Result<(Vec<Bytes>, Computed), Trouble> {
    let size_bytes = frames.size_bytes;
    let pieces: Result<Vec<Bytes>, _> = frames.stream.try_collect().await;
    let pieces = pieces.map_err(|error| Trouble::source(format!("the file cannot be read: {error}")))?;
    let mut digester = Digester::new([Algorithm::Md5]);
    for piece in &pieces {
        digester.update(piece);
    }
    let computed = digester.finish();
    if computed.size_bytes != size_bytes {
        return Err(Trouble::source("the file has another size than it was said to have"));
    }
    Ok((pieces, computed))
}

/// Why a body broke off, when it was not the line.
#[derive(Clone, Debug, Default)]
struct Broken(Arc<Mutex<Option<String>>>);

impl Broken {
    fn watch(frames: Frames) -> (Frames, Self) {
        let broken = Self::default();
        let seen = broken.clone();
        let stream = frames.stream.inspect(move |frame| {
            if let Err(error) = frame {
                *seen.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        });
        (Frames { size_bytes: frames.size_bytes, stream: stream.boxed() }, broken)
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
