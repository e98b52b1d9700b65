//! Servers to test against, buckets of theirs, and files to send there.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use towline_client::bucket::{
    Bucket, BucketSettings, Credentials, PATIENCE, Patience, S3Credentials, Secret,
};
use towline_client::remote::{Frames, Landed, Order, Proof, Remote, Slot, Upload, Whole};
use towline_core::clock::{Clock, Timestamp};
use towline_core::digest::{Algorithm, Computed, Digester};

pub(crate) const MIB: usize = 1024 * 1024;

/// Signatures are looked at by servers that have the real time.
#[derive(Debug)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the servers compare signatures with the real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

/// A server, and how it proves what it has.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) settings: BucketSettings,
    pub(crate) proof: Proof,
}

impl Server {
    pub(crate) fn garage() -> Self {
        Self { settings: named("TOWLINE_TEST_GARAGE"), proof: Proof::Crc64 }
    }

    pub(crate) fn swift() -> Self {
        Self { settings: named("TOWLINE_TEST_SWIFT"), proof: Proof::Md5 }
    }

    pub(crate) fn bucket(&self) -> Bucket {
        open(self.settings.clone())
    }
}

#[expect(clippy::disallowed_methods, reason = "the test command says by the environment what runs")]
fn named(variable: &str) -> BucketSettings {
    let text = std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run `cargo xtask test`, or keep the servers up with `cargo xtask testbed`"
        )
    });
    let [endpoint, region, bucket, access_key, secret_key] =
        text.split(',').collect::<Vec<_>>().try_into().expect("endpoint,region,bucket,access_key,secret_key");
    BucketSettings {
        endpoint: Some(endpoint.to_owned()),
        path_style: true,
        patience: Patience { pause: Duration::from_millis(20), ..PATIENCE },
        ..BucketSettings::new(bucket, region, fixed(access_key, secret_key))
    }
}

pub(crate) fn fixed(access_key: &str, secret_key: &str) -> S3Credentials {
    S3Credentials::Fixed(Credentials {
        access_key: access_key.to_owned(),
        secret_key: Secret::new(secret_key),
        session_token: None,
    })
}

pub(crate) fn open(settings: BucketSettings) -> Bucket {
    Bucket::open(settings, Arc::new(RealClock)).unwrap()
}

/// A key that no other test uses, not even of an earlier run.
pub(crate) fn key(name: &str) -> String {
    format!("client-{}-{}/{name}", RealClock.now().as_millis(), fastrand::u32(..))
}

pub(crate) fn order(key: &str, total_bytes: Option<usize>) -> Order {
    Order {
        key: key.to_owned(),
        filename: "a".to_owned(),
        total_bytes: total_bytes.map(|bytes| bytes as u64),
        part_bytes: total_bytes.map(|_| 8 * MIB as u64),
        content_type: None,
        metadata: BTreeMap::new(),
        fingerprint: "f".to_owned(),
    }
}

pub(crate) fn content(seed: u64, size_bytes: usize) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut content = vec![0; size_bytes];
    rng.fill(&mut content);
    content.into()
}

/// Frames of no even size, an empty one among them.
pub(crate) fn frames(bytes: &Bytes) -> Frames {
    const FRAME_BYTES: usize = 300_007;
    let (bytes, size_bytes) = (bytes.clone(), bytes.len());
    let pieces = (0..size_bytes)
        .step_by(FRAME_BYTES)
        .map(move |start| Ok(bytes.slice(start..size_bytes.min(start + FRAME_BYTES))));
    let stream = stream::iter(pieces).chain(stream::iter([Ok(Bytes::new())]));
    Frames::new(size_bytes as u64, stream)
}

/// Frames that end in an error.
pub(crate) fn broken(bytes: &Bytes) -> Frames {
    let stream = stream::iter([Ok(bytes.slice(..10)), Err(io::Error::other("the disk is gone"))]);
    Frames::new(bytes.len() as u64, stream)
}

pub(crate) fn slots(upload: &Upload, content: &Bytes) -> Vec<Slot> {
    upload.slots(content.len() as u64).collect()
}

pub(crate) fn piece(content: &Bytes, slot: Slot) -> Bytes {
    let start = usize::try_from(slot.offset_bytes).unwrap();
    content.slice(start..start + usize::try_from(slot.size_bytes).unwrap())
}

pub(crate) async fn send(remote: &dyn Remote, upload: &Upload, content: &Bytes, number: usize) -> Landed {
    let slot = slots(upload, content)[number - 1];
    let piece = piece(content, slot);
    let landed = remote.send(upload, slot, frames(&piece)).await.unwrap();
    let computed = digest(&piece);
    assert_eq!((landed.number, landed.size_bytes), (slot.number, slot.size_bytes));
    assert_eq!(landed.crc64, Some(computed.crc64));
    landed
}

pub(crate) fn digest(bytes: &Bytes) -> Computed {
    let mut digester = Digester::new([Algorithm::Md5]);
    digester.update(bytes);
    digester.finish()
}

/// Whether the server says of a part that it is this content.
pub(crate) fn is_same(landed: &Landed, piece: &Bytes) -> bool {
    let computed = digest(piece);
    assert!(landed.crc64.is_some() || landed.md5.is_some(), "{landed:?} proves nothing");
    let md5 = landed.md5.map(|md5| computed.get(Algorithm::Md5).unwrap().bytes() == md5);
    landed.size_bytes == computed.size_bytes
        && landed.crc64.is_none_or(|crc64| crc64 == computed.crc64)
        && (landed.crc64.is_some() || md5 == Some(true))
}

pub(crate) fn whole(content: &Bytes) -> Whole {
    Whole { total_bytes: content.len() as u64, crc64: digest(content).crc64 }
}

/// The bytes under a key, read in two ranges.
pub(crate) async fn stored(remote: &dyn Remote, key: &str) -> Option<Vec<u8>> {
    let stored = remote.stored(key).await.unwrap()?;
    let mut all = Vec::new();
    let middle = stored.size_bytes / 3;
    for range in [0..middle, middle..stored.size_bytes] {
        let pieces: Vec<Bytes> = remote.read(&stored, range).await.unwrap().try_collect().await.unwrap();
        all.extend_from_slice(&pieces.concat());
    }
    Some(all)
}
