//! Memory that bytes are read into. Blocks are used again, so that a process that sends for hours stays as small as in
//! its first second.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// How much is read at once. Larger blocks were not faster; smaller ones cost a change of threads more often.
pub(crate) const BLOCK_BYTES: usize = 512 * 1024;
/// How many blocks wait for their next use.
const IDLE_MAX: usize = 16;

static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes of a file or a stream, up to [`BLOCK_BYTES`].
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    size_bytes: usize,
}

impl Block {
    /// A block for `size_bytes`; no more than [`BLOCK_BYTES`].
    fn of(size_bytes: usize) -> Self {
        let size_bytes = size_bytes.min(BLOCK_BYTES);
        // Most files are small: a block of the full size would cost them more than their bytes.
        let bytes = if size_bytes < BLOCK_BYTES / 2 { vec![0; size_bytes] } else { Self::whole() };
        Self { bytes, size_bytes }
    }

    fn whole() -> Vec<u8> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| vec![0; BLOCK_BYTES])
    }

    /// As many bytes of the file as one block takes; a file that ends before them is an error.
    pub(crate) fn read_at(file: &File, offset_bytes: u64, size_bytes: u64) -> io::Result<Self> {
        let mut block = Self::of(usize::try_from(size_bytes).unwrap_or(BLOCK_BYTES));
        file.read_exact_at(block.as_mut(), offset_bytes)?;
        Ok(block)
    }

    /// Reads until the block is full or the stream ends.
    pub(crate) fn read_from(stream: &mut impl Read) -> io::Result<Self> {
        let mut block = Self::of(BLOCK_BYTES);
        let mut filled = 0;
        while filled < BLOCK_BYTES {
            match stream.read(&mut block.bytes[filled..BLOCK_BYTES]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        block.size_bytes = filled;
        Ok(block)
    }

    /// An empty block of the full size, for who fills it.
    pub(crate) fn empty() -> Self {
        Self { bytes: Self::whole(), size_bytes: 0 }
    }

    /// The room that is left.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.size_bytes..]
    }

    /// So many bytes of the room were filled.
    pub(crate) fn fill(&mut self, size_bytes: usize) {
        self.size_bytes = (self.size_bytes + size_bytes).min(self.bytes.len());
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// A frame that gives the memory back when its last owner lets go.
    pub(crate) fn into_frame(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.size_bytes]
    }
}

impl AsMut<[u8]> for Block {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.size_bytes]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() == BLOCK_BYTES && idle.len() < IDLE_MAX {
            idle.push(bytes);
        }
    }
}
