//! Bodies in chunks with a checksum behind them: S3's `aws-chunked`, unsigned. What is sent need not be read twice, and the
//! server compares before it answers.

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, stream};

/// As large as botocore's. Some servers take none above 16 MiB, and AWS none below 8 KiB.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Frames on their way into chunks.
struct Cutting<T> {
    frames: BoxStream<'static, io::Result<Bytes>>,
    /// What is left of the frame that was cut last.
    frame: Bytes,
    /// What is still to come of the chunk, and of everything.
    chunk_left: u64,
    left: u64,
    is_first: bool,
    trailer: Option<T>,
}

/// How long the body is that carries so many bytes, and after them a trailer of so many.
pub fn body_bytes(size_bytes: u64, trailer_bytes: usize) -> u64 {
    let whole_chunks = size_bytes / CHUNK_BYTES;
    let rest = size_bytes % CHUNK_BYTES;
    let of_rest = if rest > 0 { head_bytes(rest) + rest + 2 } else { 0 };
    whole_chunks * (head_bytes(CHUNK_BYTES) + CHUNK_BYTES + 2) + of_rest + 3 + trailer_bytes as u64 + 4
}

fn head_bytes(chunk_bytes: u64) -> u64 {
    u64::from(chunk_bytes.ilog(16)) + 3
}

/// The body that carries exactly `size_bytes` of frames. The trailer, `name:value`, is asked for once they have passed.
pub fn body(
    size_bytes: u64,
    frames: BoxStream<'static, io::Result<Bytes>>,
    trailer: impl FnOnce() -> Option<String> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let cutting = Cutting {
        frames,
        frame: Bytes::new(),
        chunk_left: 0,
        left: size_bytes,
        is_first: true,
        trailer: Some(trailer),
    };
    stream::try_unfold(cutting, Cutting::next)
}

impl<T: FnOnce() -> Option<String>> Cutting<T> {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.chunk_left > 0 {
            let piece = self.data().await?;
            return Ok(Some((piece, self)));
        }
        let Some(trailer) = self.trailer.take() else { return Ok(None) };
        let end_of_last = if self.is_first { "" } else { "\r\n" };
        self.is_first = false;
        self.chunk_left = self.left.min(CHUNK_BYTES);
        if self.chunk_left > 0 {
            self.trailer = Some(trailer);
            return Ok(Some((format!("{end_of_last}{:x}\r\n", self.chunk_left).into(), self)));
        }
        while self.frame.is_empty() {
            let Some(frame) = self.frames.next().await else { break };
            self.frame = frame?;
        }
        if !self.frame.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there are more bytes than were told"));
        }
        let line = trailer().ok_or_else(|| io::Error::other("no checksum of what has passed"))?;
        Ok(Some((format!("{end_of_last}0\r\n{line}\r\n\r\n").into(), self)))
    }

    async fn data(&mut self) -> io::Result<Bytes> {
        while self.frame.is_empty() {
            self.frame = self.frames.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
        }
        let taken =
            usize::try_from(self.chunk_left).map_or(self.frame.len(), |left| left.min(self.frame.len()));
        self.chunk_left -= taken as u64;
        self.left -= taken as u64;
        Ok(self.frame.split_to(taken))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    fn frames(pieces: &[&[u8]]) -> BoxStream<'static, io::Result<Bytes>> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces).boxed()
    }

    async fn whole(size_bytes: u64, pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
        let pieces: Vec<Bytes> =
            body(size_bytes, frames(pieces), || Some("n:v".to_owned())).try_collect().await?;
        Ok(pieces.concat())
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_was_told_before() {
        assert_eq!(whole(0, &[]).await.unwrap(), b"0\r\nn:v\r\n\r\n");
        assert_eq!(
            whole(11, &[b"hello", b"", b" world"]).await.unwrap(),
            b"b\r\nhello world\r\n0\r\nn:v\r\n\r\n"
        );
        for size in [0, 1, 15, 16, 17, 1_048_575, 1_048_576, 1_048_577, 3_145_728, 5_000_000] {
            let content = vec![7; size];
            let (front, back) = content.split_at(size / 3);
            let made = whole(size as u64, &[front, back]).await.unwrap();
            assert_eq!(made.len() as u64, body_bytes(size as u64, 3), "{size}");
            assert!(made.ends_with(b"0\r\nn:v\r\n\r\n"));
        }
    }

    #[tokio::test]
    async fn chunks_are_full_but_for_the_last() {
        let made = whole(1_048_577, &[&vec![7; 1_048_577]]).await.unwrap();
        assert!(made.starts_with(b"100000\r\n\x07"));
        assert!(made.ends_with(b"\x07\r\n1\r\n\x07\r\n0\r\nn:v\r\n\r\n"));
    }

    #[tokio::test]
    async fn too_few_and_too_many_bytes_are_no_body() {
        assert_eq!(whole(3, &[b"ab"]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(whole(3, &[b"abcd"]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(whole(3, &[b"abc", b"d"]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let without = body(1, frames(&[b"a"]), || None);
        assert!(without.try_collect::<Vec<Bytes>>().await.is_err());
    }
}
