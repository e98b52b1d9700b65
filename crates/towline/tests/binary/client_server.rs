//! The client's library against a real server: what `towline put` and `towline get` stand on.

mod answers;
mod lines;
mod links;
mod uploads;

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use towline_client::remote::{Frames, Landed, Order, Receipt, Remote, Shelf, Stored, Upload, Whole};
use towline_client::server::Server as Client;
use towline_client::trouble::Trouble;
use towline_core::digest::{Computed, Digester};

use crate::support::Server;

pub(crate) const MIB: usize = 1024 * 1024;

pub(crate) fn client(server: &Server) -> Client {
    Client::open(&format!("http://{}/", server.address()), None).unwrap()
}

pub(crate) fn order(key: &str, file: Option<&[u8]>, part_bytes: usize) -> Order {
    Order {
        key: key.to_owned(),
        filename: key.rsplit('/').next().unwrap().to_owned(),
        total_bytes: file.map(|file| file.len() as u64),
        part_bytes: Some(part_bytes as u64),
        content_type: None,
        metadata: BTreeMap::new(),
        fingerprint: format!("of {key}"),
    }
}

/// The bytes in frames of a size that fits nothing.
pub(crate) fn frames(bytes: &[u8]) -> Frames {
    let frames: Vec<_> = bytes.chunks(300_001).map(|frame| Ok(Bytes::copy_from_slice(frame))).collect();
    Frames::new(bytes.len() as u64, stream::iter(frames))
}

/// Sends the part of this number.
pub(crate) async fn send(
    remote: &dyn Remote,
    upload: &Upload,
    file: &[u8],
    number: u32,
) -> Result<Landed, Trouble> {
    let slot = upload.slots(file.len() as u64).find(|slot| slot.number == number).unwrap();
    let bytes = piece(file, slot.offset_bytes..slot.offset_bytes + slot.size_bytes);
    let landed = remote.send(upload, slot, frames(bytes)).await?;
    assert_eq!((landed.number, landed.size_bytes), (number, slot.size_bytes));
    assert_eq!(landed.crc64, Some(computed(bytes).crc64));
    Ok(landed)
}

/// Sends all parts, and makes the file visible.
pub(crate) async fn send_all(remote: &dyn Remote, upload: &Upload, file: &[u8]) -> Receipt {
    let mut parts = Vec::new();
    for slot in upload.slots(file.len() as u64) {
        parts.push(send(remote, upload, file, slot.number).await.unwrap());
    }
    remote.finish(upload, &parts, whole(file)).await.unwrap()
}

fn piece(file: &[u8], range: Range<u64>) -> &[u8] {
    let place = |at| usize::try_from(at).unwrap();
    &file[place(range.start)..place(range.end)]
}

pub(crate) fn whole(file: &[u8]) -> Whole {
    Whole { total_bytes: file.len() as u64, crc64: computed(file).crc64 }
}

pub(crate) fn computed(bytes: &[u8]) -> Computed {
    let mut digester = Digester::new([]);
    digester.update(bytes);
    digester.finish()
}

pub(crate) async fn read(shelf: &dyn Shelf, stored: &Stored, range: Range<u64>) -> Result<Vec<u8>, Trouble> {
    let pieces: Vec<Bytes> = shelf.read(stored, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// What is stored is this file, whole and in ranges.
pub(crate) async fn assert_stored(shelf: &dyn Shelf, key: &str, file: &[u8]) -> Stored {
    let stored = shelf.stored(key).await.unwrap().unwrap_or_else(|| panic!("there is no {key:?}"));
    assert_eq!((stored.key.as_str(), stored.size_bytes), (key, file.len() as u64));
    let end = file.len() as u64;
    for range in [0..end, 0..end.min(1), end.saturating_sub(7)..end, end / 3..end - end / 3, end..end] {
        let expected = piece(file, range.clone());
        let bytes = read(shelf, &stored, range.clone()).await.unwrap();
        assert!(bytes == expected, "{key:?} {range:?}");
    }
    stored
}

pub(crate) fn hint(trouble: &Trouble) -> &str {
    let Trouble::Refused { hint: Some(hint), .. } = trouble else { panic!("no hint in {trouble:?}") };
    hint
}
