//! Signed URLs of a store: asked for in windows, kept while they are fresh.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::talk::{Ask, Talk};
use super::wire::{self, Mode, Wanted};
use crate::remote::Upload;
use crate::trouble::Trouble;

/// How many parts' URLs are asked for at once.
const WINDOW: u32 = 64;
/// How long a URL is used before another one is asked for.
const FRESH: Duration = Duration::from_mins(10);
/// How many URLs of one upload are kept.
const KEPT_MAX: usize = 1024;
/// How many connections may fail, one after the other, until bytes are sent by way of the server.
const UNREACHED_MAX: u32 = 3;

/// The URLs of all uploads under way.
#[derive(Debug, Default)]
pub(super) struct Desk {
    uploads: Mutex<HashMap<String, Arc<Mutex<Kept>>>>,
    unreached: AtomicU32,
}

type Kept = HashMap<u32, Signed>;

/// Where a part goes.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) url: String,
    asked_at: Instant,
}

impl std::fmt::Debug for Signed {
    /// Whoever has the URL may write there.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("asked_at", &self.asked_at).finish_non_exhaustive()
    }
}

impl Signed {
    /// A URL that was asked for a moment ago is refused for another reason than its age.
    pub(super) fn is_new(&self) -> bool {
        self.asked_at.elapsed() < Duration::from_secs(30)
    }
}

impl Desk {
    /// Whether the store was out of reach too often.
    pub(super) fn is_given_up(&self) -> bool {
        self.unreached.load(Ordering::Relaxed) >= UNREACHED_MAX
    }

    /// Counts connections that fail one after the other.
    pub(super) fn note(&self, is_reached: bool) {
        if is_reached {
            self.unreached.store(0, Ordering::Relaxed);
        } else {
            self.unreached.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Where a part goes; nothing when bytes go through the server after all.
    pub(super) async fn url(
        &self,
        talk: &Talk,
        upload: &Upload,
        number: u32,
    ) -> Result<Option<Signed>, Trouble> {
        let kept = Arc::clone(self.uploads.lock().await.entry(upload.ticket.id.clone()).or_default());
        let mut kept = kept.lock().await;
        if let Some(signed) = kept.get(&number).filter(|signed| signed.asked_at.elapsed() < FRESH) {
            return Ok(Some(signed.clone()));
        }
        if kept.len() + WINDOW as usize > KEPT_MAX {
            kept.clear();
        }
        Box::pin(ask(talk, upload, (number, &mut kept))).await?;
        Ok(kept.get(&number).cloned())
    }

    /// Another URL will be asked for.
    pub(super) async fn forget_url(&self, id: &str, number: u32) {
        let kept = self.uploads.lock().await.get(id).map(Arc::clone);
        if let Some(kept) = kept {
            kept.lock().await.remove(&number);
        }
    }

    /// The upload is over.
    pub(super) async fn forget(&self, id: &str) {
        self.uploads.lock().await.remove(id);
    }
}

async fn ask(
    talk: &Talk,
    upload: &Upload,
    (number, kept): (u32, &mut MutexGuard<'_, Kept>),
) -> Result<(), Trouble> {
    let asked_at = Instant::now();
    let wanted = Wanted { from: number, to: last(upload, number) };
    let path = format!("/upload/{}/urls", super::address::in_query(&upload.ticket.id));
    let answer: wire::Urls = talk
        .json(&Ask::post(path, &wanted).insist())
        .await?
        .map_err(|problem| problem.trouble_under_way())?;
    if answer.mode == Mode::Direct {
        kept.extend(answer.urls.into_iter().map(|one| (one.part_number, Signed { url: one.url, asked_at })));
    }
    Ok(())
}

/// Where a window ends. Of a stream nobody knows which number is too high to be asked for.
fn last(upload: &Upload, number: u32) -> u32 {
    let count = upload.total_bytes.map_or(1, |total| total.div_ceil(upload.part_bytes));
    let end = number.saturating_add(WINDOW - 1);
    end.min(u32::try_from(count).unwrap_or(u32::MAX)).max(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::{Proof, Ticket};

    #[test]
    fn a_window_ends_with_the_file() {
        let upload = |total_bytes| Upload {
            ticket: Ticket::new("1", "a"),
            part_bytes: 4,
            total_bytes,
            proof: Proof::Md5,
            landed: Vec::new(),
            is_resumed: false,
        };
        for (total_bytes, number, expected) in
            [(Some(9), 1, 3), (Some(9), 3, 3), (Some(4000), 7, 70), (None, 7, 7), (Some(0), 1, 1)]
        {
            assert_eq!(last(&upload(total_bytes), number), expected, "{total_bytes:?} {number}");
        }
    }

    #[test]
    fn a_store_out_of_reach_is_given_up_and_one_answer_counts() {
        let desk = Desk::default();
        for is_reached in [false, false, true, false, false] {
            desk.note(is_reached);
        }
        assert!(!desk.is_given_up());
        desk.note(false);
        assert!(desk.is_given_up());
    }
}
