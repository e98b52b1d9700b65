//! A stream that is uploaded, cut into pieces. A piece is held in memory, because it may have to be sent again and the
//! stream gives its bytes only once.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;
use towline_core::digest::{Algorithm, Computed, Digester};

use super::block::Block;
use super::file::reason;
use crate::remote::Frames;
use crate::trouble::Trouble;

/// Bytes that come once, from the front.
pub struct StreamSource {
    name: String,
    blocks: BoxStream<'static, io::Result<Bytes>>,
    /// What was read of the next piece, and maybe more.
    waiting: Vec<Bytes>,
    waiting_bytes: u64,
    has_ended: bool,
}

impl fmt::Debug for StreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSource").field("name", &self.name).finish_non_exhaustive()
    }
}

impl StreamSource {
    /// Standard input. It is read by a thread of its own: a read that waits for a person must not keep the program from
    /// ending.
    pub fn stdin() -> Self {
        let (send, receive) = mpsc::channel(1);
        thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let block = Block::read_from(&mut stdin);
                let is_last = !block.as_ref().is_ok_and(|block| block.size_bytes() > 0);
                if send.blocking_send(block.map(Block::into_frame)).is_err() || is_last {
                    return;
                }
            }
        });
        let blocks = stream::unfold(receive, |mut receive| async {
            let block = receive.recv().await?;
            Some((block, receive))
        });
        Self::over("standard input", blocks.boxed())
    }

    /// Any other stream.
    pub fn from(name: impl Into<String>, reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let blocks = stream::try_unfold(reader, |mut reader| async {
            let mut block = Block::empty();
            while !block.room().is_empty() {
                match reader.read(block.room()).await {
                    Ok(0) => break,
                    Ok(read) => block.fill(read),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok((block.size_bytes() > 0).then(|| (block.into_frame(), reader)))
        });
        Self::over(name, blocks.boxed())
    }

    fn over(name: impl Into<String>, blocks: BoxStream<'static, io::Result<Bytes>>) -> Self {
        Self { name: name.into(), blocks, waiting: Vec::new(), waiting_bytes: 0, has_ended: false }
    }

    /// The next `part_bytes` bytes, or what is left of them: a shorter piece is the last one, and so is one with nothing
    /// after it. When the call is dropped, what was read is in the next one.
    pub async fn next(&mut self, part_bytes: u64) -> Result<Option<Piece>, Trouble> {
        while self.waiting_bytes < part_bytes && !self.has_ended {
            match self.blocks.next().await {
                Some(Ok(block)) if !block.is_empty() => {
                    self.waiting_bytes += block.len() as u64;
                    self.waiting.push(block);
                }
                Some(Err(error)) => {
                    self.has_ended = true;
                    return Err(Trouble::source(format!("{}: {}", self.name, reason(&error))));
                }
                Some(Ok(_)) | None => self.has_ended = true,
            }
        }
        Ok((self.waiting_bytes > 0).then(|| self.take(part_bytes)))
    }

    fn take(&mut self, part_bytes: u64) -> Piece {
        let mut blocks = std::mem::take(&mut self.waiting);
        let size_bytes = self.waiting_bytes.min(part_bytes);
        let surplus = self.waiting_bytes - size_bytes;
        // Blocks are read until there is enough, so that only the last one can reach into the next piece.
        if let Some(last) = blocks.last_mut().filter(|_| surplus > 0) {
            let keep = last.len().saturating_sub(usize::try_from(surplus).unwrap_or(usize::MAX));
            self.waiting.push(last.split_off(keep));
        }
        self.waiting_bytes = surplus;
        Piece { size_bytes, blocks: blocks.into() }
    }
}

/// One part's bytes, in memory. Clones share them.
#[derive(Clone, Debug)]
pub struct Piece {
    size_bytes: u64,
    blocks: Arc<[Bytes]>,
}

impl Piece {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes; as often as they are needed.
    pub fn frames(&self) -> Frames {
        let blocks = Arc::clone(&self.blocks);
        let frames = (0..blocks.len()).map(move |at| Ok(blocks[at].clone()));
        Frames::new(self.size_bytes, stream::iter(frames))
    }

    pub fn computed(&self, algorithm: Option<Algorithm>) -> Computed {
        let mut digester = Digester::new(algorithm);
        for block in &*self.blocks {
            digester.update(block);
        }
        digester.finish()
    }
}

#[cfg(test)]
mod tests;
