//! A stream comes out in pieces of the asked size, whatever it arrives in.

use futures_util::TryStreamExt as _;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use tokio::io::{AsyncWriteExt as _, duplex};

use super::*;
use crate::source::block::BLOCK_BYTES;

async fn collected(piece: &Piece) -> Vec<u8> {
    let frames: Vec<Bytes> = piece.frames().stream.try_collect().await.unwrap();
    frames.concat()
}

#[tokio::test]
async fn a_piece_gives_its_bytes_again_and_again() {
    let bytes: Vec<u8> = (0..2 * BLOCK_BYTES + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut source = StreamSource::from("a test", io::Cursor::new(bytes.clone()));
    let first = source.next(BLOCK_BYTES as u64 + 1).await.unwrap().unwrap();
    let last = source.next(BLOCK_BYTES as u64 + 100).await.unwrap().unwrap();
    assert!(source.next(5).await.unwrap().is_none());
    let (front, back) = bytes.split_at(BLOCK_BYTES + 1);
    for _ in 0..2 {
        assert!(collected(&first).await == front);
        assert!(collected(&last).await == back);
    }
    let mut digester = Digester::new([Algorithm::Md5]);
    digester.update(front);
    assert_eq!(first.computed(Some(Algorithm::Md5)), digester.finish());
    assert_eq!((first.size_bytes(), last.frames().size_bytes), (front.len() as u64, back.len() as u64));
}

#[tokio::test]
async fn a_call_that_was_dropped_loses_nothing() {
    let (mut write, read) = duplex(64);
    let mut source = StreamSource::from("a test", read);
    write.write_all(b"12345").await.unwrap();
    assert!(futures_util::poll!(Box::pin(source.next(1000))).is_pending());
    write.write_all(b"6789").await.unwrap();
    drop(write);
    let piece = source.next(1000).await.unwrap().unwrap();
    assert_eq!(collected(&piece).await, b"123456789");
}

#[tokio::test]
async fn a_stream_that_breaks_is_not_taken_for_one_that_ends() {
    let broken = stream::iter([Ok(Bytes::from_static(b"123")), Err(io::Error::other("the cable came off"))]);
    let mut source = StreamSource::over("a test", broken.boxed());
    assert_eq!(source.next(2).await.unwrap().unwrap().size_bytes(), 2);
    let trouble = source.next(2).await.unwrap_err();
    assert_eq!(trouble, Trouble::source("a test: the cable came off"));
}

proptest! {
    #[test]
    fn pieces_are_of_the_asked_size_and_make_the_stream(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
        part_bytes in 1_u64..70,
    ) {
        let whole = frames.concat();
        let blocks = stream::iter(frames.into_iter().map(|frame| Ok(Bytes::from(frame))));
        let mut source = StreamSource::over("a test", blocks.boxed());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pieces = runtime.block_on(async {
            let mut pieces = Vec::new();
            while let Some(piece) = source.next(part_bytes).await.unwrap() {
                pieces.push(collected(&piece).await);
            }
            pieces
        });
        prop_assert_eq!(pieces.concat(), whole);
        if let Some((last, others)) = pieces.split_last() {
            prop_assert!(others.iter().all(|piece| piece.len() as u64 == part_bytes));
            prop_assert!(!last.is_empty() && last.len() as u64 <= part_bytes);
        }
    }
}
