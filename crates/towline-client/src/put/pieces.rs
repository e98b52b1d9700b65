//! A stream: it is read once, nobody knows where it ends, and what is under way of it is kept in memory.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use towline_core::digest::Algorithm;

use super::Failure;
use super::compare::{Kept, is_same, with_crc64};
use super::run::{Run, check_count};
use crate::event::Report;
use crate::remote::{Landed, Slot, State, Upload};
use crate::source::{Piece, StreamSource};
use crate::trouble::Trouble;

/// How much of a stream is in memory at once, at most; a single part may be more.
const MEMORY_BYTES: u64 = 128 * 1024 * 1024;

impl Run<'_> {
    /// One that is sent again from its beginning is compared with what is there as it comes.
    pub(super) async fn send_stream(&self, mut stream: StreamSource) -> Result<Report, Failure> {
        let upload = match Box::pin(self.find_by_ticket()).await? {
            Some(State::Open(upload)) => *upload,
            // Nobody knows of a stream whether it is the same before it was read: it is sent again.
            Some(State::Sealed(_) | State::Gone) | None => self.put.remote.begin(&self.order).await?,
        };
        self.remember(&upload);
        self.began(&upload);
        let (landed, total_bytes) = Box::pin(self.send_pieces(&mut stream, &upload)).await?;
        Ok(Box::pin(self.finish(&upload, &landed, total_bytes)).await?)
    }

    async fn send_pieces(&self, stream: &mut StreamSource, upload: &Upload) -> Result<(Kept, u64), Failure> {
        let at_once = usize::try_from(MEMORY_BYTES / upload.part_bytes).unwrap_or(usize::MAX).max(1);
        let mut claimed: BTreeMap<u32, Landed> =
            upload.landed.iter().map(|part| (part.number, part.clone())).collect();
        let (mut landed, mut total_bytes) = (Kept::new(), 0);
        let mut under_way = FuturesUnordered::new();
        for number in 1_u32.. {
            check_count(u64::from(number))?;
            while under_way.len() >= at_once {
                take(&mut landed, under_way.next().await)?;
            }
            let next = Box::pin(stream.next(upload.part_bytes));
            let Some(piece) = meanwhile(next, &mut landed, &mut under_way).await?? else { break };
            let size_bytes = piece.size_bytes();
            let slot = Slot { number, offset_bytes: total_bytes, size_bytes };
            total_bytes += size_bytes;
            let is_last = size_bytes < upload.part_bytes;
            if is_last {
                let declared = self.put.remote.declare(upload, total_bytes);
                meanwhile(declared, &mut landed, &mut under_way).await??;
            }
            if let Some(part) = claimed.remove(&number).and_then(|part| same(part, &piece)) {
                let kept_bytes = self.see_kept(std::iter::once(&part));
                self.tally.kept_bytes.fetch_add(kept_bytes, Ordering::Relaxed);
                landed.insert(number, part);
            } else {
                // Not before there is something to send: a stream that is waited for holds nobody up.
                let turn = Box::pin(self.put.pace.turn());
                let turn = meanwhile(turn, &mut landed, &mut under_way).await?;
                under_way.push(async move {
                    let _turn = turn;
                    Box::pin(self.send_part(upload, slot, || piece.frames())).await
                });
            }
            if is_last {
                break;
            }
        }
        while let Some(sent) = under_way.next().await {
            take(&mut landed, Some(sent))?;
        }
        if !claimed.is_empty() {
            self.put.remote.abort(&upload.ticket).await?;
            self.forget();
            let what = "an unfinished upload of this key was of a longer stream; it is given up now";
            return Err(Trouble::refused(what).hint("send the stream again").into());
        }
        if total_bytes.is_multiple_of(upload.part_bytes) {
            self.put.remote.declare(upload, total_bytes).await?;
        }
        Ok((landed, total_bytes))
    }
}

/// Does something while parts are under way, and does not stop them.
async fn meanwhile<T>(
    doing: impl Future<Output = T> + Unpin,
    landed: &mut Kept,
    under_way: &mut FuturesUnordered<impl Future<Output = Result<Landed, Trouble>>>,
) -> Result<T, Failure> {
    let mut doing = doing;
    loop {
        tokio::select! {
            done = &mut doing => return Ok(done),
            Some(sent) = under_way.next() => take(landed, Some(sent))?,
        }
    }
}

fn take(landed: &mut Kept, sent: Option<Result<Landed, Trouble>>) -> Result<(), Failure> {
    if let Some(part) = sent.transpose()? {
        landed.insert(part.number, part);
    }
    Ok(())
}

/// The part that landed earlier, where it is this piece.
fn same(part: Landed, piece: &Piece) -> Option<Landed> {
    let computed = piece.computed(part.crc64.is_none().then_some(Algorithm::Md5));
    is_same(&part, &computed).then(|| with_crc64(part, &computed))
}
