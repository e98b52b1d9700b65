//! News of uploads for those who watch them in this process. Nobody's correctness depends on hearing it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::upload::UploadId;

/// Tells watchers that an upload changed; they read the new state from the engine. An entry exists only while
/// somebody watches.
#[derive(Debug, Default)]
pub struct Bulletin {
    boards: Mutex<HashMap<UploadId, watch::Sender<()>>>,
}

/// One watcher's view. Dropping the last one of an upload clears its entry.
#[derive(Debug)]
pub struct Watcher {
    id: UploadId,
    news: Option<watch::Receiver<()>>,
    bulletin: Arc<Bulletin>,
}

impl Bulletin {
    pub fn watch(self: &Arc<Self>, id: UploadId) -> Watcher {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        let news = boards.entry(id).or_insert_with(|| watch::Sender::new(())).subscribe();
        Watcher { id, news: Some(news), bulletin: Arc::clone(self) }
    }

    pub fn announce(&self, id: UploadId) {
        let boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(board) = boards.get(&id) {
            board.send_replace(());
        }
    }
}

impl Watcher {
    /// Waits for the next change; changes in quick succession are one.
    pub async fn changed(&mut self) {
        if let Some(news) = &mut self.news {
            // The sender lives in the map for as long as this watcher does.
            if news.changed().await.is_ok() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.news = None;
        let mut boards = self.bulletin.boards.lock().unwrap_or_else(PoisonError::into_inner);
        if boards.get(&self.id).is_some_and(|board| board.receiver_count() == 0) {
            boards.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_hears_of_its_upload_and_leaves_nothing_behind() {
        let bulletin = Arc::new(Bulletin::default());
        let (mine, other) = (UploadId::from_u128(1), UploadId::from_u128(2));
        let mut watcher = bulletin.watch(mine);
        bulletin.announce(other);
        bulletin.announce(mine);
        watcher.changed().await;
        drop(bulletin.watch(mine));
        bulletin.announce(mine);
        watcher.changed().await;
        drop(watcher);
        assert!(bulletin.boards.lock().unwrap().is_empty());
    }
}
