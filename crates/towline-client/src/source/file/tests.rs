//! A file is read whole, in any order, and every change of it is told.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt as _, symlink};
use std::time::SystemTime;

use futures_util::TryStreamExt as _;
use tempfile::TempDir;

use super::*;
use crate::publish::publish;

fn content(size_bytes: usize) -> Vec<u8> {
    (0..size_bytes).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

fn file_of(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video.mp4");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

async fn collected(frames: Frames) -> io::Result<Vec<u8>> {
    let frames: Vec<Bytes> = frames.stream.try_collect().await?;
    Ok(frames.concat())
}

fn what(trouble: Result<(), Trouble>) -> String {
    trouble.unwrap_err().to_string()
}

#[tokio::test]
async fn any_range_is_read_whole() {
    let bytes = content(3 * BLOCK_BYTES + 17);
    let (_folder, path) = file_of(&bytes);
    let source = FileSource::open(&path).unwrap();
    assert_eq!(source.size_bytes(), bytes.len() as u64);
    for (from, size) in
        [(0, bytes.len()), (5, 2 * BLOCK_BYTES), (BLOCK_BYTES, BLOCK_BYTES), (9, 0), (bytes.len(), 0)]
    {
        let frames = source.frames(from as u64, size as u64);
        assert_eq!(frames.size_bytes, size as u64);
        assert!(collected(frames).await.unwrap() == bytes[from..from + size], "{from} {size}");
    }
}

#[tokio::test]
async fn frames_that_are_kept_are_not_written_over() {
    let bytes = content(40 * BLOCK_BYTES);
    let (_folder, path) = file_of(&bytes);
    let source = FileSource::open(&path).unwrap();
    let kept: Vec<Bytes> = source.frames(0, bytes.len() as u64).stream.try_collect().await.unwrap();
    collected(source.frames(7, 30 * BLOCK_BYTES as u64)).await.unwrap();
    assert!(kept.concat() == bytes);
}

#[tokio::test]
async fn a_range_is_digested_as_its_bytes_are() {
    let bytes = content(10 * BLOCK_BYTES);
    let (_folder, path) = file_of(&bytes);
    let source = FileSource::open(&path).unwrap();
    for (from, size) in [(0, bytes.len()), (3, 9 * BLOCK_BYTES + 1), (5, 0)] {
        let mut digester = Digester::new([Algorithm::Md5]);
        digester.update(&bytes[from..from + size]);
        let computed = source.digest(from as u64, size as u64, Some(Algorithm::Md5)).await.unwrap();
        assert_eq!(computed, digester.finish());
    }
}

#[tokio::test]
async fn a_file_that_got_shorter_is_an_error_and_not_a_short_part() {
    let (_folder, path) = file_of(&content(3 * BLOCK_BYTES));
    let source = FileSource::open(&path).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(2 * BLOCK_BYTES as u64 + 1).unwrap();
    let error = collected(source.frames(0, 3 * BLOCK_BYTES as u64)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let trouble = source.digest(0, 3 * BLOCK_BYTES as u64, None).await.unwrap_err();
    assert_eq!(
        trouble.to_string(),
        "video.mp4 changed while it was read: it had 1572864 bytes and has 1048577 now"
    );
}

#[test]
fn a_file_that_nobody_touched_is_unchanged() {
    let (_folder, path) = file_of(b"abc");
    let source = FileSource::open(&path).unwrap();
    fs::read(&path).unwrap();
    assert_eq!(source.check_unchanged(), Ok(()));
}

#[test]
fn every_change_is_told() {
    let written = |path: &Path| OpenOptions::new().write(true).open(path).unwrap();
    let (_folder, path) = file_of(b"abc");
    let source = FileSource::open(&path).unwrap();
    written(&path).write_all_at(b"x", 0).unwrap();
    written(&path).set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(what(source.check_unchanged()), "video.mp4 changed while it was read");

    let (_folder, path) = file_of(b"abc");
    let modified = path.metadata().unwrap().modified().unwrap();
    let source = FileSource::open(&path).unwrap();
    // Times are set back until the clock's tick is another one than that of the opening.
    for _ in 0..10_000 {
        written(&path).write_all_at(b"x", 0).unwrap();
        written(&path).set_modified(modified).unwrap();
        if source.check_unchanged().is_err() {
            break;
        }
    }
    assert!(what(source.check_unchanged()).contains("its attributes at least"));

    let (folder, path) = file_of(b"abc");
    let source = FileSource::open(&path).unwrap();
    fs::write(folder.path().join("other"), b"abc").unwrap();
    let other = folder.path().join("other");
    publish(&File::open(&other).unwrap(), &other, &path).unwrap();
    assert_eq!(what(source.check_unchanged()), "video.mp4 was replaced by another file while it was read");

    let (_folder, path) = file_of(b"abc");
    let source = FileSource::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(what(source.check_unchanged()), "video.mp4 was moved or removed while it was read");
}

#[test]
fn only_regular_files_that_can_be_read_are_taken() {
    let (folder, path) = file_of(b"abc");
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(FileSource::open(&link).unwrap().size_bytes(), 3);
    let missing = folder.path().join("missing");
    for (path, expected) in [
        (folder.path(), "is a folder"),
        (Path::new("/dev/null"), "is not a regular file"),
        (&missing, "there is no such file or folder"),
    ] {
        let text = FileSource::open(path).unwrap_err().to_string();
        assert!(text.starts_with(path.to_str().unwrap()) && text.ends_with(expected), "{text}");
    }
}
