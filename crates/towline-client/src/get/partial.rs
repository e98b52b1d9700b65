//! The file that a download grows in, locked while somebody is at it, and the notes beside it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::fs::{Advice, FallocateFlags, OFlags};
use rustix::io::Errno;
use tokio::sync::RwLock;
use tokio::task::spawn_blocking;

use super::notes::{self, Come, Header, Pieces};
use super::target::{Target, cannot};
use crate::journal::{Alone, open_alone};
use crate::publish;
use crate::remote::Slot;
use crate::source::{digest_of, shown};
use crate::trouble::Trouble;

/// Notes are larger only when they are not ours.
const NOTES_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A file on its way. The lock on it is the open file's: it lasts until the last write is done.
#[derive(Debug)]
pub(super) struct Partial {
    target: Target,
    file: Arc<File>,
    notes: Arc<Mutex<File>>,
    /// Held to read by every write under way.
    writes: Arc<RwLock<()>>,
}

impl Partial {
    /// Opens what is there of this content, or begins. Also gives what the notes claim to have come.
    pub(super) async fn open(target: Target, header: Header) -> Result<(Self, Pieces), Trouble> {
        let opening = spawn_blocking(move || Self::open_now(target, &header));
        opening.await.unwrap_or_else(|error| Err(Trouble::refused(error.to_string())))
    }

    fn open_now(target: Target, header: &Header) -> Result<(Self, Pieces), Trouble> {
        let failed = |error: &io::Error| cannot(&target.path, error);
        let file = match open_alone(&target.partial, 0o666).map_err(|error| failed(&error))? {
            Alone::Ours(file) => file,
            Alone::Theirs(_) => {
                let name = shown(&target.path);
                return Err(Trouble::refused(format!("another towline downloads {name} already")));
            }
        };
        let mut notes = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&target.notes)
            .map_err(|error| failed(&error))?;
        let claimed = claims(&file, &mut notes, header).map_err(|error| failed(&error))?;
        if claimed.is_none()
            && let Err(error) = begin(&file, &mut notes, header)
        {
            // Nothing has come yet, and what was reserved would be missed elsewhere.
            remove(&target).map_err(|error| failed(&error))?;
            return Err(failed(&error));
        }
        let partial =
            Self { target, file: Arc::new(file), notes: Arc::new(Mutex::new(notes)), writes: Arc::default() };
        Ok((partial, claimed.unwrap_or_default()))
    }

    /// Where it grows.
    pub(super) fn growing(&self) -> &Path {
        &self.target.partial
    }

    /// The CRC-64/NVME of the front of a piece as it is on the disk.
    pub(super) async fn digest(&self, slot: Slot, size_bytes: u64) -> Result<u64, Trouble> {
        let range = slot.offset_bytes..slot.offset_bytes + size_bytes;
        let computed = Box::pin(digest_of(Arc::clone(&self.file), range, None)).await;
        computed.map(|computed| computed.crc64).map_err(|error| cannot(&self.target.partial, &error))
    }

    /// Writes bytes of a piece, and notes how much of it has come with them.
    pub(super) async fn write(
        &self,
        offset_bytes: u64,
        frames: Vec<Bytes>,
        note: Option<(u32, Come)>,
    ) -> Result<(), Trouble> {
        let (file, notes) = (Arc::clone(&self.file), Arc::clone(&self.notes));
        let size_bytes: u64 = frames.iter().map(|frame| frame.len() as u64).sum();
        self.change(move || {
            let mut at = offset_bytes;
            for frame in frames {
                file.write_all_at(&frame, at)?;
                at += frame.len() as u64;
            }
            // Of all advices this one has the disk begin at once with what the sync at the end would wait for. Nothing
            // depends on its being taken.
            rustix::fs::fadvise(&file, offset_bytes, NonZeroU64::new(size_bytes), Advice::DontNeed).ok();
            let Some((number, come)) = note else { return Ok(()) };
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.write_all(notes::line(number, come).as_bytes())
        })
        .await
    }

    /// Waits for the writes whose callers were dropped.
    pub(super) async fn settle(&self) {
        drop(self.writes.write().await);
    }

    /// Gives the file its final name, durably.
    pub(super) async fn publish(self) -> Result<PathBuf, Trouble> {
        let (target, file) = (self.target.clone(), Arc::clone(&self.file));
        self.change(move || {
            publish::publish(&file, &target.partial, &target.path)?;
            publish::remove(&target.notes)
        })
        .await?;
        Ok(self.target.path)
    }

    /// Forgets all that came.
    pub(super) async fn discard(self) -> Result<(), Trouble> {
        let target = self.target.clone();
        self.change(move || remove(&target)).await
    }

    async fn change(&self, act: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), Trouble> {
        let under_way = Arc::clone(&self.writes).read_owned().await;
        let done = spawn_blocking(move || {
            let done = act();
            drop(under_way);
            done
        });
        done.await
            .unwrap_or_else(|error| Err(error.into()))
            .map_err(|error| cannot(&self.target.path, &error))
    }
}

/// What has come of this content. Nothing when the files are of another one, or of none.
fn claims(file: &File, notes: &mut File, header: &Header) -> io::Result<Option<Pieces>> {
    if file.metadata()?.len() != header.size_bytes || !header.tells_content() {
        return Ok(None);
    }
    let mut text = Vec::new();
    notes.take(NOTES_BYTES_MAX).read_to_end(&mut text)?;
    let parsed = std::str::from_utf8(&text).ok().and_then(notes::parse);
    // A last line that was torn must not be continued by the next one.
    if !text.ends_with(b"\n") {
        notes.write_all(b"\n")?;
    }
    Ok(parsed.filter(|(found, _)| found == header).map(|(_, pieces)| pieces))
}

fn begin(file: &File, notes: &mut File, header: &Header) -> io::Result<()> {
    notes.set_len(0)?;
    file.set_len(0)?;
    reserve(file, header.size_bytes)?;
    notes.write_all(header.to_line().as_bytes())
}

/// Takes the space at once, so that a disk that is too small is known before anything has come.
fn reserve(file: &File, size_bytes: u64) -> io::Result<()> {
    if size_bytes == 0 {
        return Ok(());
    }
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size_bytes) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return file.set_len(size_bytes),
            Err(error) => return Err(error.into()),
        }
    }
}

fn remove(target: &Target) -> io::Result<()> {
    publish::remove(&target.notes)?;
    publish::remove(&target.partial)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use futures_util::{FutureExt as _, poll};
    use tokio::runtime::Builder;

    use super::*;
    use crate::remote::Stored;

    fn stored() -> Stored {
        Stored {
            key: "a".into(),
            size_bytes: 4,
            tag: Some("\"1\"".into()),
            crc64: None,
            digest: None,
            content_type: None,
        }
    }

    #[test]
    fn a_write_whose_caller_is_gone_is_waited_for() {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let target = Target::resolve(folder.path(), "a").unwrap();
            let (partial, _) = Partial::open(target.clone(), Header::of(&stored())).await.unwrap();
            // The only thread that may wait is kept waiting, so that the write cannot begin.
            let (send, receive) = mpsc::channel::<()>();
            let occupied = spawn_blocking(move || receive.recv());
            assert!(partial.write(0, vec![Bytes::from_static(b"late")], None).now_or_never().is_none());
            let mut settled = Box::pin(partial.settle());
            assert!(poll!(&mut settled).is_pending());
            drop(send);
            settled.await;
            assert_eq!(fs::read(partial.growing()).unwrap(), b"late");
            occupied.await.unwrap().unwrap_err();
        });
    }

    #[tokio::test]
    async fn links_that_somebody_left_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::resolve(folder.path(), "a").unwrap();
        let other = folder.path().join("other");
        for link in [&target.partial, &target.notes] {
            fs::write(&other, b"not ours").unwrap();
            std::os::unix::fs::symlink(&other, link).unwrap();
            Partial::open(target.clone(), Header::of(&stored())).await.unwrap_err();
            assert_eq!(fs::read(&other).unwrap(), b"not ours");
            fs::remove_file(link).unwrap();
        }
    }
}
