//! What the other end claims to have, compared with the bytes here before it is trusted.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use towline_core::digest::{Algorithm, Computed};

use super::Put;
use crate::event::{Event, FileNumber};
use crate::remote::{Landed, Slot, Upload};
use crate::source::FileSource;
use crate::trouble::Trouble;

/// Parts that are there, by number, each with the CRC-64/NVME of what was read here.
pub(super) type Kept = BTreeMap<u32, Landed>;

/// How many parts are read at once: reading is quicker than digesting, and few machines have a disk that likes more.
const READERS: usize = 2;

/// The parts that are what they should be. The others have to be sent again.
pub(super) async fn compare(
    put: &Put,
    number: FileNumber,
    file: &FileSource,
    upload: &Upload,
) -> Result<Kept, Trouble> {
    let claimed = claims(upload, file.size_bytes());
    let read = claimed.into_iter().map(|(slot, landed)| async move {
        let algorithm = landed.crc64.is_none().then_some(Algorithm::Md5);
        let computed = Box::pin(file.digest(slot.offset_bytes, slot.size_bytes, algorithm)).await?;
        put.watch.see(number, Event::Compared { bytes: slot.size_bytes });
        Ok::<_, Trouble>(is_same(&landed, &computed).then_some((slot.number, with_crc64(landed, &computed))))
    });
    stream::iter(read).buffer_unordered(READERS).try_filter_map(async |kept| Ok(kept)).try_collect().await
}

/// Whether the first of the claims is true: a cheap look at an upload that may be of another file.
pub(super) async fn begins_alike(file: &FileSource, upload: &Upload) -> Result<bool, Trouble> {
    let Some((slot, landed)) = claims(upload, file.size_bytes()).into_iter().next() else { return Ok(false) };
    let algorithm = landed.crc64.is_none().then_some(Algorithm::Md5);
    let computed = Box::pin(file.digest(slot.offset_bytes, slot.size_bytes, algorithm)).await?;
    Ok(is_same(&landed, &computed))
}

/// What landed in slots of this file, with the size that belongs there.
fn claims(upload: &Upload, total_bytes: u64) -> Vec<(Slot, Landed)> {
    let mut landed: BTreeMap<u32, Landed> =
        upload.landed.iter().map(|part| (part.number, part.clone())).collect();
    let slots = upload.slots(total_bytes);
    slots
        .filter_map(|slot| {
            let part = landed.remove(&slot.number).filter(|part| part.size_bytes == slot.size_bytes)?;
            Some((slot, part))
        })
        .collect()
}

/// By the digest that the other end tells. One that tells none is not believed.
pub(super) fn is_same(landed: &Landed, computed: &Computed) -> bool {
    if landed.size_bytes != computed.size_bytes {
        return false;
    }
    if let Some(crc64) = landed.crc64 {
        return crc64 == computed.crc64;
    }
    let md5 = computed.get(Algorithm::Md5);
    landed.md5.is_some_and(|landed| md5.is_some_and(|md5| md5.bytes() == landed))
}

pub(super) fn with_crc64(landed: Landed, computed: &Computed) -> Landed {
    Landed { crc64: Some(computed.crc64), ..landed }
}
