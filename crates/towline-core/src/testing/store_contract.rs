//! The contract of [`Store`], as a test that every store runs. It needs an empty store of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::clock::Timestamp;
use crate::digest::Digester;
use crate::key::Key;
use crate::lease::{Lease, Leases, Seat};
use crate::plan::{Room, Slot};
use crate::receipt::Voucher;
use crate::store::{
    ByteStream, Mark, Obstacle, Opened, PartPlace, PartWriter, Place, Seal, SealedObject, Spot, Store,
};
use crate::upload::{About, Part, Tail, UploadId};

/// What a store is like where the contract leaves it free.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Part sizes are those the store allows: this many bytes a part.
    pub unit: usize,
    /// A key can be in the way of another.
    pub has_folders: bool,
    /// Parts can be read before the seal.
    pub reads_parts: bool,
    /// What was replaced (a landing, an object that is being read) stays until it is dropped.
    pub keeps_replaced: bool,
}

impl Terms {
    /// A store that can do everything, with parts of `unit` bytes.
    pub fn of_disk(unit: usize) -> Self {
        Self { unit, has_folders: true, reads_parts: true, keeps_replaced: true }
    }

    /// What S3's own rules leave possible.
    pub fn of_s3() -> Self {
        Self { unit: 5 * 1024 * 1024, has_folders: false, reads_parts: false, keeps_replaced: false }
    }
}

/// Runs the whole contract.
pub async fn run(store: Arc<dyn Store>, terms: Terms) {
    let suite = Suite { store, terms, unit: terms.unit, leases: Leases::default() };
    suite.even_parts_become_one_object_in_any_order().await;
    suite.a_free_plan_is_joined_by_number().await;
    suite.parts_of_growing_and_shrinking_sizes_are_joined().await;
    suite.nothing_becomes_an_empty_object().await;
    suite.writing_aside_leaves_the_landed_bytes_alone().await;
    suite.a_dropped_writer_leaves_nothing().await;
    suite.a_tail_is_continued_and_landed().await;
    suite.a_seal_can_be_repeated().await;
    suite.an_object_is_replaced_in_one_step().await;
    suite.a_repeated_seal_does_not_bring_back_what_was_replaced().await;
    suite.a_key_in_the_way_is_said().await;
    suite.ranges_are_read_exactly().await;
    suite.discard_leaves_nothing_and_can_be_repeated().await;
    suite.objects_are_listed_in_order_and_removed().await;
    suite.parts_that_never_were_can_be_dropped().await;
    suite.a_place_that_was_lost_is_not_begun_anew().await;
}

struct Suite {
    store: Arc<dyn Store>,
    terms: Terms,
    unit: usize,
    leases: Leases,
}

/// Bytes that differ by seed and position.
pub fn content(seed: u64, size: usize) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u8(..)).take(size).collect()
}

fn key(name: &str) -> Key {
    Key::parse(name).unwrap_or_else(|problem| panic!("{name}: {problem}"))
}

/// What the engine would record of these bytes.
pub fn part_of(number: u32, bytes: &[u8], mark: Mark) -> Part {
    let mut digester = Digester::new([]);
    digester.update(bytes);
    let computed = digester.finish();
    Part {
        number,
        size_bytes: computed.size_bytes,
        crc64: Some(computed.crc64),
        digests: Vec::new(),
        mark,
        voucher: Voucher::Towline,
        landed_at: Timestamp::from_millis(0),
    }
}

async fn gather(mut bytes: ByteStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(frame) = bytes.next().await {
        all.extend_from_slice(&frame.expect("the bytes are readable"));
    }
    all
}

/// Writes in frames that do not fit any block size.
async fn write_all(writer: &mut dyn PartWriter, bytes: &Bytes) {
    let mut rest = bytes.clone();
    let mut size = 1;
    while !rest.is_empty() {
        let frame = rest.split_to(size.min(rest.len()));
        writer.write(frame).await.expect("a frame is written");
        size = size * 3 + 1;
    }
}

impl Suite {
    async fn open(&self, seed: u64, name: &str) -> Place {
        let id = UploadId::from_u128(0x4000_8000_0000_0000_0000_u128 + u128::from(seed));
        match self.store.open(id, &key(name), &About::default()).await.expect("a place is opened") {
            Opened::At(place) => place,
            Opened::Blocked(obstacle) => panic!("{name} is blocked by {obstacle:?}"),
        }
    }

    async fn lease(&self, place: &Place, number: u32) -> Lease {
        let id = UploadId::parse(&place.0).unwrap_or(UploadId::from_u128(u128::from(number)));
        self.leases.take(id, Seat::Slot(number), Duration::from_secs(5)).await.expect("nobody holds it")
    }

    fn even_slot(&self, number: u32, size: usize) -> Slot {
        let offset_bytes = Some(u64::from(number - 1) * self.unit as u64);
        Slot { number, offset_bytes, room: Room::Exactly(size as u64) }
    }

    fn free_slot(number: u32) -> Slot {
        Slot { number, offset_bytes: None, room: Room::UpTo(1 << 30) }
    }

    async fn land(&self, place: &Place, slot: Slot, (bytes, spot): (&Bytes, Spot)) -> Part {
        let lease = self.lease(place, slot.number).await;
        let at = PartPlace { place, slot, size_bytes: Some(bytes.len() as u64), is_begun: false, lease };
        let mut writer = self.store.write_part(at, spot).await.expect("a part begins");
        write_all(&mut *writer, bytes).await;
        let mark = writer.land().await.expect("a part lands");
        assert!(mark.0.len() <= 128, "marks are short");
        part_of(slot.number, bytes, mark)
    }

    async fn check_staged(&self, place: &Place, parts: &[Part], expected: &[u8]) {
        if self.terms.reads_parts {
            let bytes = self.store.read_parts(place, parts).await.expect("parts are readable");
            assert_eq!(gather(bytes.expect("they are no object yet")).await, expected);
        }
    }

    async fn seal(&self, place: &Place, name: &str, parts: &[Part]) -> SealedObject {
        match self.store.seal(place, &key(name), parts).await.expect("a seal") {
            Seal::Sealed(object) => object,
            Seal::Blocked(obstacle) => panic!("{name} is blocked by {obstacle:?}"),
            Seal::Changed(numbers) => panic!("the parts {numbers:?} of {name} changed"),
        }
    }

    async fn is_sealed(&self, place: &Place, name: &str, part: &Part) -> bool {
        let parts = std::slice::from_ref(part);
        self.store.is_sealed(place, &key(name), parts).await.expect("an answer")
    }

    async fn object(&self, name: &str) -> (Vec<u8>, String) {
        let object = self.store.read(&key(name)).await.expect("a read").expect("the object is there");
        let bytes = gather(object.reader.read(0..object.size_bytes)).await;
        (bytes, object.version)
    }

    async fn even_parts_become_one_object_in_any_order(&self) {
        let place = self.open(1, "even/whole.bin").await;
        let whole = content(1, self.unit * 3 + 5);
        let mut parts = Vec::new();
        for number in [4, 2, 1, 3] {
            let start = (number as usize - 1) * self.unit;
            let bytes = whole.slice(start..whole.len().min(start + self.unit));
            let slot = self.even_slot(number, bytes.len());
            parts.push(self.land(&place, slot, (&bytes, Spot::Own)).await);
        }
        parts.sort_by_key(|part| part.number);
        assert!(
            !self.store.has(&key("even/whole.bin")).await.expect("has"),
            "nothing is visible before the seal"
        );
        self.check_staged(&place, &parts, &whole).await;
        let sealed = self.seal(&place, "even/whole.bin", &parts).await;
        let (bytes, version) = self.object("even/whole.bin").await;
        assert_eq!(bytes, whole);
        assert_eq!(version, sealed.version);
        assert!(self.store.has(&key("even/whole.bin")).await.expect("has"));
    }

    async fn a_free_plan_is_joined_by_number(&self) {
        let place = self.open(2, "free.bin").await;
        let mut parts = Vec::new();
        for number in [7, 2, 9999, 3] {
            let size = if number == 9999 { self.unit / 2 } else { self.unit };
            let bytes = content(u64::from(number), size);
            parts.push(self.land(&place, Self::free_slot(number), (&bytes, Spot::Own)).await);
        }
        parts.sort_by_key(|part| part.number);
        let whole = [
            content(2, self.unit),
            content(3, self.unit),
            content(7, self.unit),
            content(9999, self.unit / 2),
        ]
        .concat();
        self.check_staged(&place, &parts, &whole).await;
        self.seal(&place, "free.bin", &parts).await;
        assert_eq!(self.object("free.bin").await.0, whole);
    }

    async fn parts_of_growing_and_shrinking_sizes_are_joined(&self) {
        for (seed, sizes) in [(20, [3, 1, 2, 2]), (21, [1, 3, 2, 1]), (22, [2, 2, 2, 1]), (23, [2, 1, 2, 2])]
        {
            let name = format!("sizes-{seed}.bin");
            let place = self.open(seed, &name).await;
            let mut parts = Vec::new();
            let mut whole = Vec::new();
            for (number, units) in (1_u32..).zip(sizes) {
                let bytes = content(seed * 10 + u64::from(number), self.unit * units);
                parts.push(self.land(&place, Self::free_slot(number), (&bytes, Spot::Own)).await);
                whole.extend_from_slice(&bytes);
            }
            self.check_staged(&place, &parts, &whole).await;
            self.seal(&place, &name, &parts).await;
            assert_eq!(self.object(&name).await.0, whole, "{sizes:?}");
        }
    }

    async fn nothing_becomes_an_empty_object(&self) {
        let place = self.open(3, "empty").await;
        let sealed = self.seal(&place, "empty", &[]).await;
        assert_eq!(self.object("empty").await, (Vec::new(), sealed.version.clone()));
        assert_eq!(self.seal(&place, "empty", &[]).await, sealed);
    }

    async fn writing_aside_leaves_the_landed_bytes_alone(&self) {
        for (seed, slot) in [(4, self.even_slot(1, self.unit)), (5, Self::free_slot(1))] {
            let name = format!("aside-{seed}");
            let place = self.open(seed, &name).await;
            let (old, new) = (content(41, self.unit), content(42, self.unit));
            let landed = self.land(&place, slot, (&old, Spot::Own)).await;
            let aside = self.land(&place, slot, (&new, Spot::Aside)).await;
            assert_ne!(landed.mark, aside.mark);
            if self.terms.keeps_replaced {
                self.check_staged(&place, std::slice::from_ref(&landed), &old).await;
            } else {
                let older = self.store.seal(&place, &key(&name), std::slice::from_ref(&landed)).await;
                assert_eq!(older.expect("an answer"), Seal::Changed(vec![1]));
            }
            self.check_staged(&place, std::slice::from_ref(&aside), &new).await;
            self.store.drop_part(&place, 1, &landed.mark).await.expect("the old one is dropped");
            self.check_staged(&place, std::slice::from_ref(&aside), &new).await;
            self.seal(&place, &name, &[aside]).await;
            assert_eq!(self.object(&name).await.0, new);
        }
    }

    async fn a_dropped_writer_leaves_nothing(&self) {
        let place = self.open(6, "dropped").await;
        let (old, new) = (content(61, self.unit), content(62, self.unit));
        let slot = self.even_slot(1, self.unit);
        let half = new.slice(..self.unit / 2);
        for spot in [Spot::Own, Spot::Aside] {
            let lease = self.lease(&place, 1).await;
            let at = PartPlace { place: &place, slot, size_bytes: None, is_begun: false, lease };
            let mut writer = self.store.write_part(at, spot).await.expect("a part begins");
            write_all(&mut *writer, &half).await;
            drop(writer);
        }
        let landed = self.land(&place, slot, (&old, Spot::Own)).await;
        let lease = self.lease(&place, 1).await;
        let at = PartPlace { place: &place, slot, size_bytes: None, is_begun: false, lease };
        let mut writer = self.store.write_part(at, Spot::Aside).await.expect("a part begins");
        write_all(&mut *writer, &new).await;
        drop(writer);
        self.seal(&place, "dropped", &[landed]).await;
        assert_eq!(self.object("dropped").await.0, old);
    }

    async fn a_tail_is_continued_and_landed(&self) {
        let place = self.open(7, "tail").await;
        let whole = content(7, self.unit);
        let slot = self.even_slot(1, self.unit);
        let cuts = [0, self.unit / 3, self.unit / 2, self.unit];
        let mut tail: Option<Tail> = None;
        for cut in cuts.windows(2) {
            let lease = self.lease(&place, 1).await;
            let at = PartPlace { place: &place, slot, size_bytes: None, is_begun: false, lease };
            let mut writer = match &tail {
                Some(tail) => self.store.continue_part(at, tail).await,
                None => self.store.write_part(at, Spot::Own).await,
            }
            .expect("a part goes on");
            write_all(&mut *writer, &whole.slice(cut[0]..cut[1])).await;
            let mark = if cut[1] == self.unit { writer.land().await } else { writer.park().await };
            let so_far = part_of(1, &whole[..cut[1]], mark.expect("durable"));
            self.check_staged(&place, std::slice::from_ref(&so_far), &whole[..cut[1]]).await;
            let (size_bytes, mark) = (so_far.size_bytes, so_far.mark);
            let crc64 = so_far.crc64.expect("the bytes were seen");
            tail = Some(Tail { number: 1, size_bytes, crc64, mark });
        }
        let landed = part_of(1, &whole, tail.expect("three pieces").mark);
        self.seal(&place, "tail", &[landed]).await;
        assert_eq!(self.object("tail").await.0, whole);
    }

    async fn a_seal_can_be_repeated(&self) {
        for (seed, slot) in [(8, self.even_slot(1, self.unit)), (9, Self::free_slot(5))] {
            let name = format!("again/{seed}");
            let place = self.open(seed, &name).await;
            let bytes = content(seed, self.unit);
            let part = self.land(&place, slot, (&bytes, Spot::Own)).await;
            assert!(!self.is_sealed(&place, &name, &part).await, "nobody sealed it");
            let first = self.seal(&place, &name, std::slice::from_ref(&part)).await;
            assert!(self.is_sealed(&place, &name, &part).await, "the parts have become an object");
            let second = self.seal(&place, &name, &[part]).await;
            assert_eq!(first, second);
            self.store.discard(&place).await.expect("discard");
            assert_eq!(self.object(&name).await, (bytes.to_vec(), first.version));
        }
    }

    async fn an_object_is_replaced_in_one_step(&self) {
        let mut versions = Vec::new();
        let mut reader = None;
        for seed in [10, 11] {
            let place = self.open(seed, "replaced").await;
            let bytes = content(seed, self.unit);
            let part = self.land(&place, self.even_slot(1, self.unit), (&bytes, Spot::Own)).await;
            versions.push(self.seal(&place, "replaced", &[part]).await.version);
            assert_eq!(self.object("replaced").await.0, bytes);
            if seed == 10 {
                reader = self.store.read(&key("replaced")).await.expect("a read");
            }
        }
        assert_ne!(versions[0], versions[1]);
        let older = reader.expect("the first object").reader;
        let frames: Vec<_> = older.read(0..self.unit as u64).collect().await;
        if self.terms.keeps_replaced || frames.iter().all(Result::is_ok) {
            let bytes: Vec<Bytes> = frames.into_iter().map(|frame| frame.expect("readable")).collect();
            assert_eq!(bytes.concat(), content(10, self.unit), "never the one, then the other");
        }
    }

    async fn a_repeated_seal_does_not_bring_back_what_was_replaced(&self) {
        let mut sealed = Vec::new();
        for seed in [18, 19] {
            let place = self.open(seed, "superseded").await;
            let bytes = content(seed, self.unit);
            let part = self.land(&place, self.even_slot(1, self.unit), (&bytes, Spot::Own)).await;
            let object = self.seal(&place, "superseded", std::slice::from_ref(&part)).await;
            sealed.push((place, part, object));
        }
        let (place, part, object) = &sealed[0];
        let again = self.store.seal(place, &key("superseded"), std::slice::from_ref(part)).await;
        match again {
            Ok(again) => assert_eq!(again, Seal::Sealed(object.clone())),
            Err(fault) => assert!(!self.terms.keeps_replaced, "{fault}"),
        }
        assert_eq!(self.object("superseded").await.0, content(19, self.unit));
    }

    async fn a_key_in_the_way_is_said(&self) {
        if !self.terms.has_folders {
            return;
        }
        let place = self.open(12, "a/b").await;
        self.seal(&place, "a/b", &[]).await;
        let id = UploadId::from_u128(0x4000_8000_0000_0000_1000);
        let about = About::default();
        let folder = Obstacle { name: "a".to_owned(), is_folder: true };
        let file = Obstacle { name: "a/b".to_owned(), is_folder: false };
        let opened = self.store.open(id, &key("a"), &about).await.expect("open");
        assert_eq!(opened, Opened::Blocked(folder.clone()));
        let opened = self.store.open(id, &key("a/b/c"), &about).await.expect("open");
        assert_eq!(opened, Opened::Blocked(file.clone()));
        // What comes into the way while an upload runs is said at the seal, and the upload can go elsewhere.
        let place = self.open(13, "elsewhere").await;
        let part = self.land(&place, self.even_slot(1, 3), (&content(13, 3), Spot::Own)).await;
        let parts = [part];
        let sealed = self.store.seal(&place, &key("a"), &parts).await.expect("seal");
        assert_eq!(sealed, Seal::Blocked(folder));
        let sealed = self.store.seal(&place, &key("a/b/c"), &parts).await.expect("seal");
        assert_eq!(sealed, Seal::Blocked(file));
        self.seal(&place, "elsewhere", &parts).await;
        assert_eq!(self.object("elsewhere").await.0, content(13, 3));
    }

    async fn ranges_are_read_exactly(&self) {
        let place = self.open(14, "ranges").await;
        let whole = content(14, 3 * self.unit);
        let mut parts = Vec::new();
        for number in 1..=3 {
            let bytes = whole.slice((number as usize - 1) * self.unit..number as usize * self.unit);
            let slot = self.even_slot(number, self.unit);
            parts.push(self.land(&place, slot, (&bytes, Spot::Own)).await);
        }
        self.seal(&place, "ranges", &parts).await;
        let object = self.store.read(&key("ranges")).await.expect("a read").expect("it is there");
        let unit = self.unit as u64;
        for range in [0..0, 0..1, unit - 1..unit + 1, 5..3 * unit, 3 * unit - 1..3 * unit, 3 * unit..3 * unit]
        {
            let index = |offset| usize::try_from(offset).expect("a test's object fits");
            let expected = &whole[index(range.start)..index(range.end)];
            assert_eq!(gather(object.reader.read(range.clone())).await, expected, "{range:?}");
        }
        assert!(self.store.read(&key("nothing/here")).await.expect("a read").is_none());
        assert!(self.store.read(&key("even")).await.expect("a read").is_none(), "a folder is no object");
    }

    async fn discard_leaves_nothing_and_can_be_repeated(&self) {
        let later = Timestamp::from_millis(i64::MAX / 2);
        let place = self.open(15, "discarded").await;
        self.land(&place, self.even_slot(1, 9), (&content(15, 9), Spot::Own)).await;
        self.land(&place, self.even_slot(1, 9), (&content(16, 9), Spot::Aside)).await;
        let mut seen = Vec::new();
        let mut after: Option<Place> = None;
        loop {
            let page = self.store.survey(later, after.as_ref(), 2).await.expect("survey");
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            seen.extend(page);
        }
        assert!(seen.iter().any(|(seen, _)| *seen == place));
        for (seen, _) in seen {
            self.store.discard(&seen).await.expect("discard");
            self.store.discard(&seen).await.expect("discard again");
        }
        assert!(self.store.survey(later, None, 10).await.expect("survey").is_empty());
        assert!(self.store.read(&key("discarded")).await.expect("a read").is_none());
        assert_eq!(self.object("superseded").await.0, content(19, self.unit));
    }

    async fn a_place_that_was_lost_is_not_begun_anew(&self) {
        let place = self.open(24, "lost").await;
        self.land(&place, self.even_slot(1, 9), (&content(24, 9), Spot::Own)).await;
        self.store.discard(&place).await.expect("discard");
        let lease = self.lease(&place, 2).await;
        let slot = self.even_slot(2, 9);
        let at = PartPlace { place: &place, slot, size_bytes: Some(9), is_begun: true, lease };
        if let Ok(mut writer) = self.store.write_part(at, Spot::Own).await {
            write_all(&mut *writer, &content(25, 9)).await;
            assert!(writer.land().await.is_err());
        }
    }

    async fn objects_are_listed_in_order_and_removed(&self) {
        for (seed, name) in
            [(30, "list/b"), (31, "list/a/z"), (32, "list/a-"), (33, "list.txt"), (34, "list/a/b")]
        {
            let place = self.open(seed, name).await;
            self.seal(&place, name, &[]).await;
            self.store.discard(&place).await.expect("discard");
        }
        let names = async |prefix: &str, after: &str, limit| {
            let listed = self.store.list(prefix, after, limit).await.expect("a list");
            listed.iter().map(|one| one.key.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("list/", "", 10).await, ["list/a-", "list/a/b", "list/a/z", "list/b"]);
        assert_eq!(names("list", "", 2).await, ["list.txt", "list/a-"]);
        assert_eq!(names("list", "list/a-", 2).await, ["list/a/b", "list/a/z"]);
        assert_eq!(names("list/a/", "list/a/b", 2).await, ["list/a/z"]);
        assert_eq!(names("list/a", "list/a/\u{10ffff}", 10).await, [""; 0]);
        let listed = self.store.list("list/b", "", 1).await.expect("a list");
        assert_eq!((listed[0].size_bytes, &listed[0].version), (0, &self.object("list/b").await.1));
        self.store.remove(&key("list/a/b")).await.expect("removed");
        self.store.remove(&key("list/a/b")).await.expect("again is fine");
        assert!(!self.store.has(&key("list/a/b")).await.expect("has"));
        assert_eq!(names("list/a/", "", 10).await, ["list/a/z"]);
        for name in ["list/b", "list/a/z", "list/a-", "list.txt"] {
            self.store.remove(&key(name)).await.expect("removed");
        }
        assert_eq!(names("list", "", 10).await, [""; 0]);
    }

    async fn parts_that_never_were_can_be_dropped(&self) {
        let place = self.open(17, "never").await;
        for mark in ["", "part-1-99999", "no such mark"] {
            self.store.drop_part(&place, 1, &Mark(mark.to_owned())).await.expect("fine");
        }
        self.store.discard(&place).await.expect("discard");
        self.store.drop_part(&place, 1, &Mark(String::new())).await.expect("fine");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ManualClock, memory_store::MemoryStore};

    #[tokio::test]
    async fn the_memory_store_keeps_the_contract() {
        run(Arc::new(MemoryStore::new(Arc::new(ManualClock::default()))), Terms::of_disk(1000)).await;
    }
}
