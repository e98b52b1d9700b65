//! Whether what was acknowledged survives a loss of power on the worst disk that keeps its word: of a file's
//! bytes it has those that were synced, of a folder's names those that were synced, and of everything since then
//! nothing, all, or any part.
//!
//! Random lives of uploads run against a real store that keeps a journal, in processes that may be killed at any of
//! their changes. For many moments of each life the data folder
//! is built again as such a disk could have left it, a new store is opened there, and all that was recorded
//! until that moment has to hold.

mod life;
mod lying_disk;

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use towline_core::store::{Place, Store as _};
use towline_core::upload::UploadId;

use self::life::{Life, read_object};
use self::lying_disk::Luck;
use super::journal::{Deed, Journal};
use super::{DiskSettings, DiskStore};

const LIVES: u64 = 48;
const MOMENTS: usize = 40;
const UPLOADS: u128 = 4;
const SEALS: u64 = 24;

/// In memory where there is such a place: what a real disk would do is played here, and waiting for one is slow.
fn temporary_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

fn open_watched(settings: &DiskSettings, journal: &mut Option<Arc<Journal>>) -> (DiskStore, Arc<Journal>) {
    let store = DiskStore::open_with(settings, |root| {
        let journal = journal.get_or_insert_with(|| Journal::of(&root));
        root.watched_by(journal)
    });
    (store.unwrap(), journal.clone().unwrap())
}

/// Lets the life go on in one process, which is killed at a change that many after it began to `live`.
fn live_in_a_process(
    settings: &DiskSettings,
    journal: &mut Option<Arc<Journal>>,
    dies_after: Option<usize>,
    live: impl AsyncFnOnce(DiskStore, &Journal),
) {
    // Dropping the runtime waits for the threads that are still at it.
    Runtime::new().unwrap().block_on(async {
        let (store, journal) = open_watched(settings, journal);
        journal.die_at(dies_after.map(|deeds| journal.len() + deeds));
        live(store, &journal).await;
    });
    journal.as_ref().unwrap().die_at(None);
}

/// Checks what the worst disk leaves of the first deeds.
fn check_at(life: &Life, deeds: &[Deed], luck: Luck, rng: &mut Rng, told: &str) {
    let left = temporary_folder();
    lying_disk::leave(deeds, luck, rng, left.path());
    let told = format!("{told}, power lost after {} changes, {luck:?} of the unsynced kept", deeds.len());
    Runtime::new().unwrap().block_on(async {
        let settings = DiskSettings { data: left.path().to_owned(), sync: false };
        life.check(&DiskStore::open(&settings).unwrap(), deeds.len(), luck, &told).await;
    });
}

#[test]
fn what_was_acknowledged_survives_power_loss_at_any_moment() {
    for seed in 0..LIVES {
        let mut rng = Rng::with_seed(seed);
        let (data, mut journal) = (temporary_folder(), None);
        let mut life = Life::new(UPLOADS, &mut rng);
        let settings = DiskSettings { data: data.path().to_owned(), sync: life.is_synced };
        for _ in 0..rng.u8(1..4) {
            let dies_after = (rng.u8(0..3) > 0).then(|| rng.usize(0..200));
            live_in_a_process(&settings, &mut journal, dies_after, async |store, journal| {
                life.go_on(store, journal, &mut rng).await;
            });
        }
        let deeds = journal.unwrap().deeds();
        // The moments of an acknowledgement are the ones that matter most.
        let acknowledged = life.moments();
        for _ in 0..MOMENTS {
            let any = rng.usize(0..=deeds.len());
            let moment = if rng.bool() { any } else { *rng.choice(&acknowledged).unwrap() };
            let luck = rng.choice([Luck::None, Luck::None, Luck::All, Luck::Any]).unwrap();
            check_at(&life, &deeds[..moment], luck, &mut rng, &format!("seed {seed}"));
        }
    }
}

#[test]
fn a_seal_that_was_killed_at_any_change_and_repeated_survives_power_loss() {
    for seed in 0..SEALS {
        for dies_after in 0.. {
            let mut rng = Rng::with_seed(seed);
            let (data, mut journal) = (temporary_folder(), None);
            let mut life = Life::new(1, &mut rng);
            let settings = DiskSettings { data: data.path().to_owned(), sync: life.is_synced };
            live_in_a_process(&settings, &mut journal, None, async |store, journal| {
                life.begin_to_seal(store, journal, &mut rng).await;
            });
            live_in_a_process(&settings, &mut journal, Some(dies_after), async |store, journal| {
                life.go_on(store, journal, &mut rng).await;
            });
            let is_over = life.is_sealed();
            live_in_a_process(&settings, &mut journal, None, async |store, journal| {
                life.go_on(store, journal, &mut rng).await;
            });
            let sealed_at = *life.moments().last().unwrap();
            for luck in [Luck::None, Luck::Any, Luck::All] {
                let told = format!("seed {seed}, killed at change {dies_after}");
                check_at(&life, &journal.as_ref().unwrap().deeds()[..sealed_at], luck, &mut rng, &told);
            }
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn a_seal_that_is_repeated_after_a_kill_does_not_bring_back_what_was_replaced() {
    for seed in 0..SEALS {
        for dies_after in 0.. {
            let mut rng = Rng::with_seed(seed);
            let (data, mut journal) = (temporary_folder(), None);
            let mut life = Life::new(1, &mut rng);
            let settings = DiskSettings { data: data.path().to_owned(), sync: life.is_synced };
            live_in_a_process(&settings, &mut journal, None, async |store, journal| {
                life.begin_to_seal(store, journal, &mut rng).await;
            });
            live_in_a_process(&settings, &mut journal, Some(dies_after), async |store, journal| {
                life.go_on(store, journal, &mut rng).await;
            });
            if life.is_sealed() {
                break;
            }
            live_in_a_process(&settings, &mut journal, None, async |store, journal| {
                let was_visible = store.has(life.key()).await.unwrap();
                let newer = Place(UploadId::from_u128(u128::MAX).to_string());
                store.seal(&newer, life.key(), &[]).await.unwrap();
                life.go_on(store.clone(), journal, &mut rng).await;
                let (bytes, _) = read_object(&store, life.key()).await.unwrap();
                assert!(!was_visible || bytes.is_empty(), "seed {seed}, killed at change {dies_after}");
            });
        }
    }
}
