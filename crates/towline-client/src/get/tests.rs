//! The final name leads to the whole file or to what was there before, whatever happens on the way.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use tempfile::TempDir;

use super::double::{Double, Fault, Tally, Tells};
use super::*;

const MIB: usize = 1024 * 1024;
const KEY: &str = "videos/video.mp4";

pub(crate) fn content(size_bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; size_bytes];
    random.fill(&mut bytes);
    bytes
}

struct Scene {
    folder: TempDir,
    shelf: Arc<Double>,
    tally: Arc<Tally>,
    get: Get,
}

impl Scene {
    fn new(content: Vec<u8>, tells: Tells) -> Self {
        let (shelf, tally) = (Arc::new(Double::new(content, tells)), Arc::<Tally>::default());
        let get = Get::new(Arc::clone(&shelf) as _, Arc::clone(&tally) as _, Options::default());
        Self { folder: tempfile::tempdir().unwrap(), shelf, tally, get }
    }

    async fn run(&self) -> Result<Fetched, Trouble> {
        self.get.run(FileNumber(0), KEY, self.folder.path()).await
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("video.mp4")
    }

    /// The names in the folder.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn assert_here(&self) {
        assert_eq!(self.names(), ["video.mp4"]);
        assert!(fs::read(self.path()).unwrap() == self.shelf.content());
    }
}

#[tokio::test]
async fn a_file_of_any_size_comes_whole_and_checked() {
    for size in [0, 1, 8 * MIB, 8 * MIB + 1, 30 * MIB] {
        for tells in [Tells::Crc64, Tells::Other(Algorithm::Sha256), Tells::Tag, Tells::Nothing] {
            let scene = Scene::new(content(size, 1), tells);
            let fetched = scene.run().await.unwrap();
            scene.assert_here();
            let expected = match tells {
                Tells::Crc64 => Some(Algorithm::Crc64Nvme),
                Tells::Other(algorithm) => Some(algorithm),
                Tells::Tag | Tells::Nothing => None,
            };
            assert_eq!(fetched.checked.map(|digest| digest.algorithm()), expected);
            assert_eq!((fetched.received_bytes, fetched.kept_bytes, fetched.retries), (size as u64, 0, 0));
            assert_eq!(fetched.path, Some(scene.path()));
            let seen = scene.tally.seen();
            assert_eq!((seen.received_bytes, seen.landed_bytes, seen.ends), (size as u64, size as u64, 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_breaks_brings_every_byte_once() {
    let scene = Scene::new(content(30 * MIB, 2), Tells::Crc64);
    let faults = [Fault::Break(0), Fault::Break(3 * MIB), Fault::Refuse, Fault::Stall(5), Fault::Break(1)];
    scene.shelf.faults(faults.map(Some));
    let fetched = scene.run().await.unwrap();
    scene.assert_here();
    assert_eq!((fetched.retries, scene.tally.seen().retries), (5, 5));
    assert_eq!(fetched.received_bytes, 30 * MIB as u64);
    assert_eq!(scene.shelf.given_bytes(), 30 * MIB as u64);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_keeps_what_came_and_asks_only_for_the_rest() {
    let scene = Scene::new(content(30 * MIB, 3), Tells::Crc64);
    fs::write(scene.path(), b"what was here before").unwrap();
    scene.shelf.faults([None, None].into_iter().chain([Some(Fault::Refuse); 200]));
    let trouble = scene.run().await.unwrap_err();
    assert!(matches!(trouble, Trouble::Passing { .. }), "{trouble:?}");
    assert_eq!(fs::read(scene.path()).unwrap(), b"what was here before");
    scene.shelf.faults([]);
    let given_bytes = scene.shelf.given_bytes();
    let fetched = scene.run().await.unwrap();
    scene.assert_here();
    assert_eq!(fetched.kept_bytes, 16 * MIB as u64);
    assert_eq!(scene.shelf.given_bytes() - given_bytes, 14 * MIB as u64);
    assert_eq!(scene.tally.seen().kept_bytes, 16 * MIB as u64);
}

#[tokio::test(start_paused = true)]
async fn the_front_of_a_piece_is_kept() {
    let scene = Scene::new(content(30 * MIB, 15), Tells::Crc64);
    scene.shelf.faults([Some(Fault::Break(5 * MIB))].into_iter().chain([Some(Fault::Refuse); 200]));
    scene.run().await.unwrap_err();
    scene.shelf.faults([]);
    let given_bytes = scene.shelf.given_bytes();
    let fetched = scene.run().await.unwrap();
    scene.assert_here();
    // What waited for its write to be worth it is lost.
    assert!((4 * MIB as u64..=5 * MIB as u64).contains(&fetched.kept_bytes), "{}", fetched.kept_bytes);
    assert_eq!(scene.shelf.given_bytes() - given_bytes + fetched.kept_bytes, 30 * MIB as u64);
}

/// Leaves the scene with pieces 1 and 2 here, and the rest not.
async fn broken_off(scene: &Scene) {
    scene.shelf.faults([None, None].into_iter().chain([Some(Fault::Refuse); 200]));
    scene.run().await.unwrap_err();
    scene.shelf.faults([]);
    assert_eq!(scene.names(), [".video.mp4.towline-get", ".video.mp4.towline-notes"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_damaged_on_the_disk_comes_again() {
    let scene = Scene::new(content(30 * MIB, 4), Tells::Crc64);
    broken_off(&scene).await;
    let partial = scene.folder.path().join(".video.mp4.towline-get");
    let file = fs::OpenOptions::new().write(true).open(partial).unwrap();
    file.write_all_at(b"damage", 9 * MIB as u64).unwrap();
    let fetched = scene.run().await.unwrap();
    scene.assert_here();
    assert_eq!(fetched.kept_bytes, 8 * MIB as u64);
}

#[tokio::test(start_paused = true)]
async fn a_line_of_the_notes_that_was_torn_spoils_no_other() {
    let scene = Scene::new(content(30 * MIB, 14), Tells::Crc64);
    broken_off(&scene).await;
    let notes = scene.folder.path().join(".video.mp4.towline-notes");
    fs::OpenOptions::new().append(true).open(notes).unwrap().write_all(b"3 8").unwrap();
    scene.shelf.faults([None].into_iter().chain([Some(Fault::Refuse); 200]));
    scene.run().await.unwrap_err();
    scene.shelf.faults([]);
    assert_eq!(scene.run().await.unwrap().kept_bytes, 24 * MIB as u64);
    scene.assert_here();
}

#[tokio::test(start_paused = true)]
async fn what_came_of_another_content_is_not_used() {
    for tells in [Tells::Crc64, Tells::Tag, Tells::Other(Algorithm::Md5)] {
        let scene = Scene::new(content(30 * MIB, 5), tells);
        broken_off(&scene).await;
        scene.shelf.replace(content(30 * MIB, 6));
        assert_eq!(scene.run().await.unwrap().kept_bytes, 0);
        scene.assert_here();
    }
    let scene = Scene::new(content(30 * MIB, 5), Tells::Nothing);
    broken_off(&scene).await;
    assert_eq!(scene.run().await.unwrap().kept_bytes, 0);
    scene.assert_here();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_meanwhile_comes_as_it_is_now() {
    let scene = Scene::new(content(30 * MIB, 7), Tells::Crc64);
    scene.shelf.next(content(20 * MIB, 8));
    scene.shelf.faults([None, Some(Fault::Replace(MIB))]);
    let fetched = scene.run().await.unwrap();
    scene.assert_here();
    let seen = scene.tally.seen();
    assert_eq!((seen.notes, seen.received_bytes), (1, fetched.received_bytes));
    assert_eq!(seen.received_bytes - seen.lost_bytes, 20 * MIB as u64);
}

#[tokio::test]
async fn bytes_that_are_not_the_digests_get_no_name() {
    for tells in [Tells::Crc64, Tells::Other(Algorithm::Sha1)] {
        let scene = Scene::new(content(20 * MIB, 9), tells);
        fs::write(scene.path(), b"what was here before").unwrap();
        scene.shelf.faults([None, Some(Fault::Flip(77))]);
        let trouble = scene.run().await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Refused { hint: Some(_), .. }), "{trouble:?}");
        assert!(trouble.to_string().contains("is not what it should be"), "{trouble}");
        assert_eq!(scene.names(), ["video.mp4"]);
        assert_eq!(fs::read(scene.path()).unwrap(), b"what was here before");
        scene.run().await.unwrap();
        scene.assert_here();
    }
}

#[tokio::test]
async fn more_bytes_than_asked_for_are_an_error() {
    let scene = Scene::new(content(100, 10), Tells::Crc64);
    scene.shelf.faults([Some(Fault::TooMuch)]);
    let trouble = scene.run().await.unwrap_err();
    assert!(trouble.to_string().contains("more bytes"), "{trouble}");
    assert!(!scene.path().exists());
}

#[tokio::test]
async fn one_at_a_time_downloads_to_a_name() {
    let scene = Scene::new(content(20 * MIB, 11), Tells::Crc64);
    let (one, other) = tokio::join!(scene.run(), scene.run());
    let refused = [one, other].into_iter().find_map(Result::err).unwrap();
    assert!(refused.to_string().contains("another towline downloads"), "{refused}");
    scene.assert_here();
}

#[tokio::test(start_paused = true)]
async fn who_gives_files_only_whole_is_read_in_one_go() {
    for size in [0, 1, 30 * MIB] {
        let scene = Scene::new(content(size, 16), Tells::Crc64);
        scene.shelf.give_whole();
        scene.shelf.faults([Fault::Refuse, Fault::Break(MIB)].map(Some));
        let fetched = scene.run().await.unwrap();
        scene.assert_here();
        let lost = if size > 1 { MIB } else { 0 };
        assert_eq!(fetched.received_bytes, (size + lost) as u64);
        let seen = scene.tally.seen();
        assert_eq!(seen.received_bytes - seen.lost_bytes, size as u64);
        assert!(seen.notes > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_go_on_with_takes_no_space() {
    let scene = Scene::new(content(30 * MIB, 17), Tells::Crc64);
    scene.shelf.faults([Some(Fault::Refuse); 200]);
    scene.run().await.unwrap_err();
    assert_eq!(scene.names().len(), 0);
    // Another life began it in ranges, and was broken off.
    scene.shelf.faults([None].into_iter().chain([Some(Fault::Refuse); 200]));
    scene.run().await.unwrap_err();
    assert_eq!(scene.names().len(), 2);
    scene.shelf.give_whole();
    scene.shelf.faults([Some(Fault::Break(9 * MIB)); 200]);
    let trouble = scene.run().await.unwrap_err();
    assert!(matches!(trouble, Trouble::Passing { .. }), "{trouble:?}");
    assert_eq!(scene.names().len(), 0);
    scene.shelf.faults([]);
    scene.run().await.unwrap();
    scene.assert_here();
}

#[tokio::test]
async fn a_file_that_is_not_there_leaves_nothing_behind() {
    let scene = Scene::new(content(1, 12), Tells::Crc64);
    let trouble = scene.get.run(FileNumber(0), "other\u{1b}", scene.folder.path()).await.unwrap_err();
    assert_eq!(trouble, Trouble::refused("there is no file other\\u{1b}"));
    assert_eq!(scene.names().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn standard_output_gets_the_file_in_order_and_an_error_where_it_is_wrong() {
    for tells in [Tells::Crc64, Tells::Other(Algorithm::Crc32c), Tells::Nothing] {
        let scene = Scene::new(content(3 * MIB, 13), tells);
        scene.shelf.faults([Some(Fault::Break(MIB)), Some(Fault::Refuse)]);
        let mut out = Vec::new();
        let fetched = scene.get.pour(FileNumber(0), KEY, &mut out).await.unwrap();
        assert!(out == scene.shelf.content());
        assert_eq!((fetched.retries, fetched.path), (2, None));
        assert_eq!(fetched.checked.is_some(), tells != Tells::Nothing);
        scene.shelf.faults([Some(Fault::Flip(7))]);
        let ended = scene.get.pour(FileNumber(0), KEY, &mut Vec::new()).await;
        assert_eq!(ended.is_err(), tells != Tells::Nothing);
    }
}

/// How the runs of a life ended.
#[derive(Debug, Default)]
struct Ends {
    whole: u32,
    failed: u32,
    dropped: u32,
}

/// A life of a download: faults of all kinds, ends at any moment, another content now and then.
async fn live(seed: u64, ends: &mut Ends) {
    let mut random = fastrand::Rng::with_seed(seed);
    let sizes = [5, 8 * MIB, 9 * MIB, 17 * MIB + 3];
    let pick = |random: &mut fastrand::Rng| content(random.choice(sizes).unwrap(), random.u64(..));
    let tells =
        random.choice([Tells::Crc64, Tells::Tag, Tells::Other(Algorithm::Md5), Tells::Nothing]).unwrap();
    let mut scene = Scene::new(pick(&mut random), tells);
    scene.get.options.patience.tries = 3;
    let mut here = content(1000, seed);
    fs::write(scene.path(), &here).unwrap();
    for _ in 0..10 {
        if random.u8(..) < 60 && tells != Tells::Nothing {
            scene.shelf.next(pick(&mut random));
        }
        scene.shelf.faults(faults(&mut random, tells));
        let mut allowed = vec![here, scene.shelf.content().to_vec()];
        let turns_max = random.choice([80, 800]).unwrap();
        let turns = random.usize(..turns_max);
        let ended = polled(scene.run(), turns).await;
        allowed.push(scene.shelf.content().to_vec());
        here = fs::read(scene.path()).unwrap();
        assert!(allowed.contains(&here), "seed {seed}: neither the old file nor a whole new one");
        match ended {
            Some(Ok(fetched)) => {
                ends.whole += 1;
                assert!(allowed[1..].contains(&here), "seed {seed}: said to be here and is not");
                assert_eq!(fetched.size_bytes, here.len() as u64, "seed {seed}");
            }
            Some(Err(_)) => ends.failed += 1,
            None => ends.dropped += 1,
        }
    }
    // Without faults it comes, as soon as the last write of the run before is done, and once wrong bytes that came before
    // were found and thrown away.
    scene.shelf.faults([]);
    let mut wrong = 0;
    while let Err(trouble) = scene.run().await {
        let text = trouble.to_string();
        let is_wrong = text.contains("is not what it should be");
        wrong += u32::from(is_wrong);
        assert!((is_wrong && wrong == 1) || text.contains("another towline"), "seed {seed}: {text}");
    }
    scene.assert_here();
}

fn faults(random: &mut fastrand::Rng, tells: Tells) -> Vec<Option<Fault>> {
    // Wrong bytes are seen by who has a digest, and another content by who has a tag.
    let has_digest = matches!(tells, Tells::Crc64 | Tells::Other(_));
    let has_tag = tells != Tells::Nothing;
    let count = random.usize(..20);
    std::iter::repeat_with(|| {
        let after = random.usize(..8 * MIB);
        match random.u8(..8) {
            0 => Some(Fault::Refuse),
            1 | 2 => Some(Fault::Break(after)),
            3 => Some(Fault::Stall(after)),
            4 if has_digest => Some(Fault::Flip(after)),
            5 if has_tag => Some(Fault::Replace(after)),
            _ => None,
        }
    })
    .take(count)
    .collect()
}

/// A future that is dropped after so many turns.
async fn polled<T>(future: impl Future<Output = T>, turns: usize) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = turns;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn any_life_of_a_download_ends_in_the_right_file_or_in_the_one_before() {
    let mut ends = Ends::default();
    for seed in 0..5 {
        Box::pin(live(seed, &mut ends)).await;
    }
    assert!(ends.whole > 0 && ends.failed > 0 && ends.dropped > 0, "{ends:?}");
}
