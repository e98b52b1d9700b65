//! Digests the bytes of a part while they pass: each is touched once.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use towline_core::digest::{Algorithm, Computed, Digester};

use super::Frames;
use crate::trouble::Trouble;

/// What has passed so far.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    size_bytes: u64,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// Nothing once it was asked what came out.
    digester: Option<Digester>,
    failed: Option<String>,
}

impl Passing {
    /// The same frames, digested on their way: CRC-64/NVME always, and what is asked for beside it.
    pub(crate) fn over(
        frames: Frames,
        algorithm: Option<Algorithm>,
    ) -> (BoxStream<'static, io::Result<Bytes>>, Self) {
        let seen = Seen { digester: Some(Digester::new(algorithm)), failed: None };
        let passing = Self { size_bytes: frames.size_bytes, seen: Arc::new(Mutex::new(seen)) };
        let (passed, sent) = (passing.clone(), frames.sent);
        let stream = frames.stream.inspect(move |frame| {
            let mut seen = passed.seen();
            match frame {
                Ok(frame) => {
                    if let Some(digester) = &mut seen.digester {
                        digester.update(frame);
                    }
                    sent.tell(frame.len() as u64);
                }
                Err(error) => seen.failed = Some(error.to_string()),
            }
        });
        (stream.boxed(), passing)
    }

    /// Once all bytes have passed; nothing before that, and nothing the second time.
    pub(crate) fn computed(&self) -> Option<Computed> {
        let mut seen = self.seen();
        let is_whole =
            seen.digester.as_ref().is_some_and(|digester| digester.size_bytes() == self.size_bytes);
        seen.digester.take_if(|_| is_whole).map(Digester::finish)
    }

    /// Why the frames ended before their end: then it was not the line.
    pub(crate) fn failed(&self) -> Option<Trouble> {
        let failed = self.seen().failed.clone();
        failed.map(|error| Trouble::source(format!("the file cannot be read: {error}")))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn what_has_wholly_passed_is_digested() {
        let frame = |bytes: &'static [u8]| Ok(Bytes::from_static(bytes));
        let frames = Frames::new(9, stream::iter([frame(b"1234"), frame(b"56789")]));
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
