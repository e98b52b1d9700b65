//! A random life of a few uploads, what was recorded of it and when, and what has to hold of it afterwards.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use futures_util::{FutureExt as _, TryStreamExt as _, future};
use towline_core::clock::Timestamp;
use towline_core::digest::Digester;
use towline_core::key::Key;
use towline_core::lease::{Leases, Seat};
use towline_core::plan::{Plan, Slot};
use towline_core::receipt::Voucher;
use towline_core::store::{Mark, Opened, PartPlace, Place, Seal, Spot, Store as _};
use towline_core::upload::{About, Part, Tail, UploadId};

use super::lying_disk::Luck;
use crate::disk::DiskStore;
use crate::disk::journal::{Died, Journal};

const PARTS_MAX: usize = 6;
const WAIT: Duration = Duration::from_mins(1);

pub(super) struct Life {
    uploads: Vec<Lived>,
    /// Whether the store makes landed parts durable; sealed objects it always does.
    pub(super) is_synced: bool,
}

/// One upload, and the moments at which facts of it were recorded.
struct Lived {
    id: UploadId,
    key: Key,
    place: Place,
    plan: Plan,
    /// What the client wants every part to be; empty for a number it leaves out.
    wanted: Vec<Vec<u8>>,
    facts: Vec<(usize, Fact)>,
}

#[derive(Clone)]
enum Fact {
    Landed(u32, Landing),
    Parked(u32, Landing),
    SealBegun,
    Sealed { version: String },
    Abandoned,
}

#[derive(Clone)]
struct Landing {
    mark: Mark,
    bytes: Vec<u8>,
}

/// What a catalog knows of an upload at some moment.
#[derive(Default)]
struct Recorded {
    landed: BTreeMap<u32, Landing>,
    tail: Option<(u32, Landing)>,
    seal_begun: Option<usize>,
    sealed: Option<(usize, String)>,
    is_abandoned: bool,
}

fn some_bytes(rng: &mut Rng, size: usize) -> Vec<u8> {
    // Never zero, which is what a hole reads as.
    (0..size).map(|_| rng.u8(1..)).collect()
}

fn part(number: u32, landing: &Landing) -> Part {
    let mut digester = Digester::new([]);
    digester.update(&landing.bytes);
    Part {
        number,
        size_bytes: landing.bytes.len() as u64,
        crc64: Some(digester.finish().crc64),
        digests: Vec::new(),
        mark: landing.mark.clone(),
        voucher: Voucher::Towline,
        landed_at: Timestamp::from_millis(0),
    }
}

fn cut(bytes: &[u8], rng: &mut Rng) -> Vec<Bytes> {
    // Enough frames, at times, that they are written in several batches.
    let size = if rng.bool() { bytes.len().div_ceil(3) } else { bytes.len().div_ceil(150) };
    bytes.chunks(size.max(1)).map(Bytes::copy_from_slice).collect()
}

impl Life {
    pub(super) fn new(uploads: u128, rng: &mut Rng) -> Self {
        Self { uploads: (0..uploads).map(|id| Lived::new(id, rng)).collect(), is_synced: rng.u8(0..4) > 0 }
    }

    /// Until all parts of all uploads are there.
    pub(super) async fn begin_to_seal(&mut self, store: DiskStore, journal: &Journal, rng: &mut Rng) {
        for upload in &mut self.uploads {
            upload.begin_to_seal(&store, journal, rng).await;
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.uploads[0].key
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.uploads.iter().all(|upload| upload.recorded(usize::MAX).sealed.is_some())
    }

    /// Until all has been done, or the process dies.
    pub(super) async fn go_on(&mut self, store: DiskStore, journal: &Journal, rng: &mut Rng) {
        let lives = self.uploads.iter_mut().map(|upload| {
            let (store, mut rng) = (&store, rng.fork());
            async move { upload.go_on(store, journal, &mut rng).await }
        });
        if let Err(panic) = AssertUnwindSafe(future::join_all(lives)).catch_unwind().await
            && !panic.is::<Died>()
        {
            resume_unwind(panic);
        }
    }

    /// When something was recorded: what was acknowledged by then must hold from then on.
    pub(super) fn moments(&self) -> Vec<usize> {
        let mut moments: Vec<usize> =
            self.uploads.iter().flat_map(|lived| lived.facts.iter().map(|(at, _)| *at)).collect();
        moments.push(0);
        moments.sort_unstable();
        moments
    }

    pub(super) async fn check(&self, store: &DiskStore, moment: usize, luck: Luck, told: &str) {
        self.check_visible(store, moment, told).await;
        for lived in &self.uploads {
            let recorded = lived.recorded(moment);
            // Without syncs only the process may die.
            let survives = self.is_synced || luck == Luck::All;
            if recorded.is_abandoned || recorded.sealed.is_some() || !survives {
                continue;
            }
            lived.check_readable(store, &recorded, told).await;
            lived.go_on_to_the_end(store, recorded, told).await;
        }
        for lived in &self.uploads {
            store.discard(&lived.place).await.unwrap();
        }
        let left = store.survey(Timestamp::from_millis(i64::MAX), None, 10).await.unwrap();
        assert_eq!(left, [], "{told}");
    }

    /// Under every key is a whole object, and not an older one than was acknowledged.
    async fn check_visible(&self, store: &DiskStore, moment: usize, told: &str) {
        for lived in &self.uploads {
            let all: Vec<(Recorded, &Lived)> = self
                .uploads
                .iter()
                .filter(|other| other.key == lived.key)
                .map(|other| (other.recorded(moment), other))
                .filter(|(recorded, _)| recorded.seal_begun.is_some())
                .collect();
            let is_superseded = |(recorded, _): &&(Recorded, &Lived)| {
                let sealed_at = recorded.sealed.as_ref().map_or(usize::MAX, |(at, _)| *at);
                all.iter().any(|(newer, _)| newer.sealed.is_some() && newer.seal_begun > Some(sealed_at))
            };
            let fitting: Vec<Vec<u8>> =
                all.iter().filter(|one| !is_superseded(one)).map(|(recorded, _)| recorded.whole()).collect();
            let must_be_there = all.iter().any(|(recorded, _)| recorded.sealed.is_some());
            match read_object(store, &lived.key).await {
                Some((bytes, _)) => assert!(fitting.contains(&bytes), "{told}: {} is wrong", lived.key),
                None => assert!(!must_be_there, "{told}: {} is lost", lived.key),
            }
        }
    }
}

impl Lived {
    fn new(id: u128, rng: &mut Rng) -> Self {
        let id = UploadId::from_u128(id);
        let key = Key::parse(rng.choice(["a.bin", "films/b.bin", "films/2026/c.bin"]).unwrap()).unwrap();
        let part_bytes = rng.usize(1..2000);
        let count = rng.usize(0..=PARTS_MAX);
        let last_bytes = rng.usize(1..=part_bytes);
        let (plan, wanted): (Plan, Vec<Vec<u8>>) = if rng.bool() {
            let size = |n| if n + 1 == count { last_bytes } else { part_bytes };
            let wanted: Vec<Vec<u8>> = (0..count).map(|n| some_bytes(rng, size(n))).collect();
            let total = wanted.iter().map(|part| part.len() as u64).sum();
            (Plan::Even { part_bytes: part_bytes as u64, total_bytes: rng.bool().then_some(total) }, wanted)
        } else {
            // As S3's clients cut, most of the time; or with holes and of any size.
            let is_regular = rng.bool();
            let sizes: Vec<usize> = (0..count)
                .map(|n| match (is_regular, n + 1 == count) {
                    (true, true) => last_bytes,
                    (true, false) => part_bytes,
                    (false, _) => rng.usize(0..part_bytes),
                })
                .collect();
            (Plan::Free { total_bytes: None }, sizes.into_iter().map(|size| some_bytes(rng, size)).collect())
        };
        // The places of this store are named by the uploads.
        Self { id, key, place: Place(id.to_string()), plan, wanted, facts: Vec::new() }
    }

    async fn go_on(&mut self, store: &DiskStore, journal: &Journal, rng: &mut Rng) {
        let recorded = self.recorded(usize::MAX);
        if recorded.sealed.is_none() && !recorded.is_abandoned {
            if recorded.seal_begun.is_none() {
                let opened = store.open(self.id, &self.key, &About::default()).await.unwrap();
                assert_eq!(opened, Opened::At(self.place.clone()));
                match rng.u8(0..8) {
                    0 => return self.fill(store, journal, rng).await,
                    1 => self.facts.push((journal.len(), Fact::Abandoned)),
                    _ => self.begin_to_seal(store, journal, rng).await,
                }
            }
            let recorded = self.recorded(usize::MAX);
            if recorded.seal_begun.is_some() {
                let version = seal(store, &self.place, &self.key, &recorded).await;
                self.facts.push((journal.len(), Fact::Sealed { version }));
            }
        }
        store.discard(&self.place).await.unwrap();
    }

    async fn begin_to_seal(&mut self, store: &DiskStore, journal: &Journal, rng: &mut Rng) {
        self.fill(store, journal, rng).await;
        self.land_missing(store, journal, rng).await;
        self.facts.push((journal.len(), Fact::SealBegun));
    }

    async fn fill(&mut self, store: &DiskStore, journal: &Journal, rng: &mut Rng) {
        if self.wanted.is_empty() {
            return;
        }
        for _ in 0..rng.usize(0..10) {
            match rng.u8(0..10) {
                0 | 1 if matches!(self.plan, Plan::Even { .. }) => self.park(store, journal, rng).await,
                2 => self.write_and_give_up(store, rng).await,
                _ => self.land_some(store, journal, rng).await,
            }
        }
    }

    fn recorded(&self, moment: usize) -> Recorded {
        let mut recorded = Recorded::default();
        for (at, fact) in self.facts.iter().take_while(|(at, _)| *at <= moment) {
            match fact.clone() {
                Fact::Landed(number, landing) => {
                    recorded.tail = recorded.tail.filter(|(tail, _)| *tail != number);
                    recorded.landed.insert(number, landing);
                }
                Fact::Parked(number, landing) => recorded.tail = Some((number, landing)),
                Fact::SealBegun => recorded.seal_begun = Some(*at),
                Fact::Sealed { version } => recorded.sealed = Some((*at, version)),
                Fact::Abandoned => recorded.is_abandoned = true,
            }
        }
        recorded
    }

    fn slot(&self, number: u32, store: &DiskStore) -> Slot {
        self.plan.slot(u64::from(number), &store.limits()).unwrap()
    }

    fn some_number(&self, rng: &mut Rng) -> u32 {
        u32::try_from(rng.usize(1..=self.wanted.len())).unwrap()
    }

    fn wanted(&self, number: u32) -> &[u8] {
        &self.wanted[number as usize - 1]
    }

    /// Writes a part as the engine would: aside when something of its slot is recorded.
    async fn write(&self, store: &DiskStore, number: u32, bytes: &[u8], rng: &mut Rng) -> Landing {
        let recorded = self.recorded(usize::MAX);
        let is_taken = recorded.landed.contains_key(&number)
            || recorded.tail.as_ref().is_some_and(|(tail, _)| *tail == number);
        let at = PartPlace {
            place: &self.place,
            slot: self.slot(number, store),
            size_bytes: (rng.u8(0..8) > 0).then_some(bytes.len() as u64),
            is_begun: false,
            lease: Leases::default().take(self.id, Seat::Slot(number), WAIT).await.unwrap(),
        };
        let spot = if is_taken { Spot::Aside } else { Spot::Own };
        let mut writer = store.write_part(at, spot).await.unwrap();
        for frame in cut(bytes, rng) {
            writer.write(frame).await.unwrap();
        }
        Landing { mark: writer.land().await.unwrap(), bytes: bytes.to_vec() }
    }

    async fn record(&mut self, store: &DiskStore, journal: &Journal, number: u32, landing: Landing) {
        let before = self.recorded(usize::MAX);
        let tail = before.tail.filter(|(tail, _)| *tail == number).map(|(_, tail)| tail);
        let superseded = before.landed.get(&number).cloned().into_iter().chain(tail);
        let superseded: Vec<Mark> =
            superseded.map(|older| older.mark).filter(|mark| *mark != landing.mark).collect();
        self.facts.push((journal.len(), Fact::Landed(number, landing)));
        for mark in superseded {
            store.drop_part(&self.place, number, &mark).await.unwrap();
        }
    }

    async fn land_some(&mut self, store: &DiskStore, journal: &Journal, rng: &mut Rng) {
        let (one, other) = (self.some_number(rng), self.some_number(rng));
        if one == other {
            // Another content first, at times; it is replaced before the end.
            let content =
                if rng.bool() { self.wanted(one).to_vec() } else { some_bytes(rng, self.wanted(one).len()) };
            let landing = self.write(store, one, &content, rng).await;
            self.record(store, journal, one, landing).await;
            return;
        }
        let (mut rng_one, mut rng_other) = (rng.fork(), rng.fork());
        let (landing_one, landing_other) = future::join(
            self.write(store, one, self.wanted(one), &mut rng_one),
            self.write(store, other, self.wanted(other), &mut rng_other),
        )
        .await;
        self.record(store, journal, one, landing_one).await;
        self.record(store, journal, other, landing_other).await;
    }

    async fn write_and_give_up(&self, store: &DiskStore, rng: &mut Rng) {
        let number = self.some_number(rng);
        let recorded = self.recorded(usize::MAX);
        let is_taken = recorded.landed.contains_key(&number) || recorded.tail.is_some();
        let slot = self.slot(number, store);
        let size_bytes = self.wanted(number).len();
        let lease = Leases::default().take(self.id, Seat::Slot(number), WAIT).await.unwrap();
        let at = PartPlace {
            place: &self.place,
            slot,
            size_bytes: Some(size_bytes as u64),
            is_begun: false,
            lease,
        };
        let spot = if is_taken { Spot::Aside } else { Spot::Own };
        let mut writer = store.write_part(at, spot).await.unwrap();
        for frame in cut(&some_bytes(rng, size_bytes), rng) {
            writer.write(frame).await.unwrap();
        }
    }

    /// Parks a tail in the first slot that is missing, or goes on with the one that is parked there.
    async fn park(&mut self, store: &DiskStore, journal: &Journal, rng: &mut Rng) {
        let recorded = self.recorded(usize::MAX);
        let mut numbers = 1..=u32::try_from(self.wanted.len()).unwrap();
        let Some(missing) = numbers.find(|number| !recorded.landed.contains_key(number)) else { return };
        let wanted = self.wanted(missing).to_vec();
        let parked = recorded.tail.filter(|(number, _)| *number == missing).map(|(_, landing)| landing);
        let slot = self.slot(missing, store);
        let lease = Leases::default().take(self.id, Seat::End, WAIT).await.unwrap();
        let at = PartPlace { place: &self.place, slot, size_bytes: None, is_begun: false, lease };
        let from = parked.as_ref().map_or(0, |tail| tail.bytes.len());
        let mut writer = match &parked {
            Some(landing) => {
                let Part { number, size_bytes, crc64, mark, .. } = part(missing, landing);
                store
                    .continue_part(at, &Tail { number, size_bytes, crc64: crc64.unwrap(), mark })
                    .await
                    .unwrap()
            }
            None => store.write_part(at, if rng.bool() { Spot::Own } else { Spot::Aside }).await.unwrap(),
        };
        let to = rng.usize(from..=wanted.len());
        for frame in cut(&wanted[from..to], rng) {
            writer.write(frame).await.unwrap();
        }
        let bytes = wanted[..to].to_vec();
        if rng.u8(0..4) == 0 {
            return;
        }
        if to == wanted.len() {
            let landing = Landing { mark: writer.land().await.unwrap(), bytes };
            self.record(store, journal, missing, landing).await;
        } else {
            let landing = Landing { mark: writer.park().await.unwrap(), bytes };
            self.facts.push((journal.len(), Fact::Parked(missing, landing)));
        }
    }

    async fn land_missing(&mut self, store: &DiskStore, journal: &Journal, rng: &mut Rng) {
        for number in 1..=u32::try_from(self.wanted.len()).unwrap() {
            let recorded = self.recorded(usize::MAX);
            if recorded.landed.get(&number).is_none_or(|landing| landing.bytes != self.wanted(number)) {
                let landing = self.write(store, number, self.wanted(number), rng).await;
                self.record(store, journal, number, landing).await;
            }
        }
    }

    /// Whether a seal has made the parts an object already.
    async fn is_object(&self, store: &DiskStore, recorded: &Recorded) -> bool {
        let read = store.read_parts(&self.place, &recorded.parts()).await.unwrap();
        recorded.seal_begun.is_some() && read.is_none()
    }

    async fn check_readable(&self, store: &DiskStore, recorded: &Recorded, told: &str) {
        if self.is_object(store, recorded).await {
            return;
        }
        for (number, landing) in recorded.landed.iter().chain(recorded.tail.iter().map(|(n, tail)| (n, tail)))
        {
            let parts = [part(*number, landing)];
            let Some(stream) = store.read_parts(&self.place, &parts).await.unwrap() else {
                panic!("{told}: part {number} at {:?} is taken for an object", landing.mark)
            };
            let frames: Vec<Bytes> = stream.try_collect().await.unwrap_or_else(|fault| {
                panic!("{told}: part {number} of {:?} at {:?}: {fault:?}", self.plan, landing.mark)
            });
            assert!(frames.concat() == landing.bytes, "{told}: part {number} at {:?} is wrong", landing.mark);
        }
    }

    /// Lands what is missing, seals, seals again.
    async fn go_on_to_the_end(&self, store: &DiskStore, mut recorded: Recorded, told: &str) {
        if recorded.seal_begun.is_none() {
            let mut again = Self { facts: Vec::new(), ..self.again() };
            again
                .facts
                .extend(recorded.landed.iter().map(|(n, landing)| (0, Fact::Landed(*n, landing.clone()))));
            again.facts.extend(recorded.tail.iter().map(|(n, tail)| (0, Fact::Parked(*n, tail.clone()))));
            for number in 1..=u32::try_from(self.wanted.len()).unwrap() {
                if recorded.landed.get(&number).is_none_or(|landing| landing.bytes != self.wanted(number)) {
                    let mut rng = Rng::with_seed(u64::from(number));
                    let landing = again.write(store, number, self.wanted(number), &mut rng).await;
                    recorded.landed.insert(number, landing);
                }
            }
        }
        let was_object = self.is_object(store, &recorded).await;
        let before = read_object(store, &self.key).await;
        let version = seal(store, &self.place, &self.key, &recorded).await;
        let again = seal(store, &self.place, &self.key, &recorded).await;
        assert_eq!(version, again, "{told}");
        let after = read_object(store, &self.key).await;
        if was_object {
            assert!(before == after, "{told}: {} was changed by a seal that was over", self.key);
        } else {
            assert!(after == Some((recorded.whole(), version)), "{told}: {} is wrong", self.key);
        }
    }

    fn again(&self) -> Self {
        Self {
            id: self.id,
            key: self.key.clone(),
            place: self.place.clone(),
            plan: self.plan,
            wanted: self.wanted.clone(),
            facts: self.facts.clone(),
        }
    }
}

impl Recorded {
    fn parts(&self) -> Vec<Part> {
        self.landed.iter().map(|(number, landing)| part(*number, landing)).collect()
    }

    fn whole(&self) -> Vec<u8> {
        self.landed.values().flat_map(|landing| landing.bytes.iter().copied()).collect()
    }
}

async fn seal(store: &DiskStore, place: &Place, key: &Key, recorded: &Recorded) -> String {
    match store.seal(place, key, &recorded.parts()).await.unwrap() {
        Seal::Sealed(object) => object.version,
        Seal::Blocked(obstacle) => panic!("{obstacle:?} is in the way"),
        Seal::Changed(numbers) => panic!("the parts {numbers:?} are not what was recorded"),
    }
}

pub(super) async fn read_object(store: &DiskStore, key: &Key) -> Option<(Vec<u8>, String)> {
    let object = store.read(key).await.unwrap()?;
    let frames: Vec<Bytes> = object.reader.read(0..object.size_bytes).try_collect().await.unwrap();
    Some((frames.concat(), object.version))
}
