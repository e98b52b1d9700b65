//! Reading back: finished files, and landed parts before they are one.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use towline_core::error::Fault;
use towline_core::store::{ByteStream, ObjectReader};
use towline_core::upload::Part;

use super::blocking;
use super::files::{File, Folder};
use super::position::Position;
use super::staging::missing;

/// How much is read by one call and held at once.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Reads the file that was opened, whatever happens to its name.
pub(super) struct DiskReader(pub(super) Arc<File>);

impl ObjectReader for DiskReader {
    fn read(&self, range: Range<u64>) -> ByteStream {
        let file = Arc::clone(&self.0);
        stream::try_unfold((file, range), async |(file, range)| {
            if range.is_empty() {
                return Ok(None);
            }
            let end = range.end.min(range.start + CHUNK_BYTES);
            let (file, chunk) = read_chunk(file, range.start..end).await?;
            Ok(Some((chunk, (file, end..range.end))))
        })
        .boxed()
    }
}

/// Bytes of one part that are still to be read.
struct Stretch {
    position: Position,
    size_bytes: u64,
}

/// Where a stream over several parts is.
struct Walk {
    folder: Folder,
    /// Neighbours often lie in one file: the last one stays open.
    open: Option<(String, Arc<File>)>,
    rest: VecDeque<Stretch>,
}

/// The bytes of one part after the other.
pub(super) fn read_parts(folder: Folder, parts: &[Part]) -> Result<ByteStream, Fault> {
    let rest = parts
        .iter()
        .filter(|part| part.size_bytes > 0)
        .map(|part| Ok(Stretch { position: Position::from_mark(&part.mark)?, size_bytes: part.size_bytes }))
        .collect::<Result<VecDeque<_>, Fault>>()?;
    let stream = stream::try_unfold(Walk { folder, open: None, rest }, async |mut walk| {
        let Some(mut stretch) = walk.rest.pop_front() else { return Ok(None) };
        let file = walk.file(&stretch.position.file).await?;
        let start = stretch.position.offset_bytes;
        let size_bytes = stretch.size_bytes.min(CHUNK_BYTES);
        let (_, chunk) = read_chunk(file, start..start + size_bytes).await?;
        stretch.position.offset_bytes += size_bytes;
        stretch.size_bytes -= size_bytes;
        if stretch.size_bytes > 0 {
            walk.rest.push_front(stretch);
        }
        Ok(Some((chunk, walk)))
    });
    Ok(stream.boxed())
}

impl Walk {
    async fn file(&mut self, name: &str) -> Result<Arc<File>, Fault> {
        if let Some((open, file)) = &self.open
            && open == name
        {
            return Ok(Arc::clone(file));
        }
        let (folder, name) = (self.folder.clone(), name.to_owned());
        let (name, file) = blocking(move || match folder.file_to_read(&name)? {
            Some(file) => Ok((name, Arc::new(file))),
            None => Err(missing("a part")),
        })
        .await?;
        self.open = Some((name, Arc::clone(&file)));
        Ok(file)
    }
}

async fn read_chunk(file: Arc<File>, range: Range<u64>) -> Result<(Arc<File>, Bytes), Fault> {
    let size_bytes = usize::try_from(range.end - range.start).expect("a chunk is small");
    blocking(move || {
        let chunk = file.read(range.start, size_bytes)?;
        Ok((file, chunk))
    })
    .await
}
