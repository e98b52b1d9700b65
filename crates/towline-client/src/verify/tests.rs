//! A file is found to be the stored one, or not, by whatever digest there is.

use std::fs;

use super::*;
use crate::get::double::{Double, Fault, Tally, Tells};

const MIB: usize = 1024 * 1024;

struct Scene {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    shelf: Arc<Double>,
    tally: Arc<Tally>,
}

impl Scene {
    fn new(here: &[u8], there: Vec<u8>, tells: Tells) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video.mp4");
        fs::write(&path, here).unwrap();
        let (shelf, tally) = (Arc::new(Double::new(there, tells)), Arc::default());
        Self { _folder: folder, path, shelf, tally }
    }

    async fn verify(&self, key: &str) -> Result<Verdict, Trouble> {
        let verify =
            Verify::new(Arc::clone(&self.shelf) as _, Arc::clone(&self.tally) as _, Options::default());
        verify.run(FileNumber(0), key, &FileSource::open(&self.path).unwrap()).await
    }
}

const KEY: &str = "videos/video.mp4";

#[tokio::test(start_paused = true)]
async fn the_same_bytes_are_the_same_by_every_digest_and_without_any() {
    for size in [0, 1, 20 * MIB] {
        for (tells, algorithm, word) in [
            (Tells::Crc64, Algorithm::Crc64Nvme, Word::Told),
            (Tells::Other(Algorithm::Sha256), Algorithm::Sha256, Word::Told),
            (Tells::Tag, Algorithm::Crc64Nvme, Word::ReadBack),
        ] {
            let bytes = vec![7; size];
            let scene = Scene::new(&bytes, bytes.clone(), tells);
            scene.shelf.faults([Some(Fault::Break(5)), Some(Fault::Refuse)]);
            let Verdict::Same { by, word: found } = scene.verify(KEY).await.unwrap() else {
                panic!("{tells:?}")
            };
            assert_eq!((by.algorithm(), found), (algorithm, word));
            assert_eq!(scene.tally.seen().compared_bytes, size as u64);
            let is_read = word == Word::ReadBack;
            assert_eq!(scene.tally.seen().received_bytes, if is_read { size as u64 } else { 0 });
        }
    }
}

#[tokio::test]
async fn one_other_byte_makes_them_differ() {
    for (tells, expected) in [
        (Tells::Crc64, "here its crc64nvme is "),
        (Tells::Other(Algorithm::Md5), "here its md5 is "),
        (Tells::Tag, "they differ between bytes 8388608 and 16777215"),
        (Tells::Nothing, "they differ between bytes 8388608 and 16777215"),
    ] {
        let here = vec![7; 20 * MIB];
        let mut there = here.clone();
        there[9 * MIB] = 8;
        let Verdict::Differs { what } = Scene::new(&here, there, tells).verify(KEY).await.unwrap() else {
            panic!("{tells:?}")
        };
        assert!(what.starts_with(expected), "{what}");
    }
}

#[tokio::test]
async fn another_size_and_a_missing_file_are_seen_without_reading() {
    let scene = Scene::new(b"abc", b"abcd".to_vec(), Tells::Crc64);
    let verdict = scene.verify(KEY).await.unwrap();
    assert_eq!(verdict, Verdict::Differs { what: "here it has 3 bytes, there 4".into() });
    assert_eq!(scene.verify("another").await.unwrap(), Verdict::Missing);
    assert_eq!(scene.tally.seen(), crate::get::double::Seen::default());
}

/// Writes to the file while it is compared.
#[derive(Debug)]
struct Meddler(std::path::PathBuf);

impl Watch for Meddler {
    fn see(&self, _: FileNumber, event: Event<'_>) {
        if matches!(event, Event::Compared { .. }) {
            fs::write(&self.0, b"abd").unwrap();
        }
    }
}

#[tokio::test]
async fn of_a_file_that_changes_meanwhile_nothing_is_said() {
    for tells in [Tells::Crc64, Tells::Nothing] {
        let scene = Scene::new(b"abc", b"abc".to_vec(), tells);
        let meddler = Arc::new(Meddler(scene.path.clone()));
        let verify = Verify::new(Arc::clone(&scene.shelf) as _, meddler, Options::default());
        let trouble =
            verify.run(FileNumber(0), KEY, &FileSource::open(&scene.path).unwrap()).await.unwrap_err();
        assert_eq!(trouble, Trouble::source("video.mp4 changed while it was read"));
    }
}
