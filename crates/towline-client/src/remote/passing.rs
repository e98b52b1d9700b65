//! Digests the bytes of a part while they pass: each is touched once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use towline_core::digest::{Algorithm, Computed, Digester};

use super::Frames;

/// What has passed so far.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    size_bytes: u64,
    digester: Arc<Mutex<Option<Digester>>>,
}

impl Passing {
    /// The same frames, digested on their way: CRC-64/NVME always, and what is asked for beside it.
    pub(crate) fn over(
        frames: Frames,
        algorithm: Option<Algorithm>,
    ) -> (BoxStream<'static, io::Result<Bytes>>, Self) {
        let digester = Arc::new(Mutex::new(Some(Digester::new(algorithm))));
        let passing = Self { size_bytes: frames.size_bytes, digester: Arc::clone(&digester) };
        let stream = frames.stream.inspect(move |frame| {
            let mut digester = digester.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(digester), Ok(frame)) = (digester.as_mut(), frame) {
                digester.update(frame);
            }
        });
        (stream.boxed(), passing)
    }

    /// Once all bytes have passed; nothing before that, and nothing the second time.
    pub(crate) fn computed(&self) -> Option<Computed> {
        let mut digester = self.digester.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = digester.as_ref().is_some_and(|digester| digester.size_bytes() == self.size_bytes);
        digester.take_if(|_| is_whole).map(Digester::finish)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn what_has_wholly_passed_is_digested() {
        let frame = |bytes: &'static [u8]| Ok(Bytes::from_static(bytes));
        let frames = Frames { size_bytes: 9, stream: stream::iter([frame(b"1234"), frame(b"56789")]).boxed() };
        let (mut passed, passing) = Passing::over(frames, Some(Algorithm::Md5));
        passed.next().await.unwrap().unwrap();
        assert_eq!(passing.computed(), None);
        assert_eq!(&passed.next().await.unwrap().unwrap()[..], b"56789");
        let computed = passing.computed().unwrap();
        assert_eq!(computed.crc64, 0xae8b_1486_0a79_9888);
        assert_eq!(computed.get(Algorithm::Md5).unwrap().to_hex(), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(passing.computed(), None);
    }
}
