//! The contract of [`Catalog`], as a test that every catalog runs. It needs an empty catalog of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Catalog, Cursor, Entry, Fact, Filter, Handle, Inserted, Recorded};
use crate::clock::Timestamp;
use crate::digest::{Algorithm, Digest};
use crate::key::Key;
use crate::plan::Plan;
use crate::receipt::{Receipt, Voucher};
use crate::store::{Mark, Place};
use crate::upload::{About, Ending, Epoch, Part, Phase, PhaseName, Progress, Tail, Upload, UploadId};

/// Runs the whole contract.
pub async fn run(catalog: Arc<dyn Catalog>) {
    let suite = Suite(catalog);
    suite.a_head_is_read_as_it_was_written().await;
    suite.progress_never_counts_over_a_hole().await;
    suite.a_part_is_recorded_once_and_replaced_whole().await;
    suite.a_tail_gives_way_to_its_successor().await;
    suite.a_claim_makes_older_facts_stale().await;
    suite.a_lost_part_is_no_longer_counted().await;
    suite.parts_past_us_are_kept_as_the_store_told_them().await;
    suite.a_total_is_declared_once().await;
    suite.phases_admit_what_they_should().await;
    suite.a_disputed_upload_opens_with_new_content().await;
    suite.handles_find_the_owners_upload().await;
    suite.lists_are_paged_newest_first().await;
    suite.the_janitor_finds_its_work().await;
    suite.concurrent_parts_are_all_counted().await;
    suite.what_is_unknown_is_answered_calmly().await;
}

struct Suite(Arc<dyn Catalog>);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

fn id(number: u32) -> UploadId {
    UploadId::from_u128(0xabcd_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

/// An open upload as the engine would insert it.
pub fn upload(number: u32, owner: &str) -> Upload {
    Upload {
        id: id(number),
        key: Key::parse(&format!("folder/file {number}.bin")).expect("a good key"),
        plan: Plan::Even { part_bytes: 10, total_bytes: Some(95) },
        place: Place(format!("place-{number}")),
        about: About { filename: format!("file {number}.bin"), ..About::default() },
        owner: owner.to_owned(),
        phase: Phase::Open,
        epoch: Epoch::default(),
        progress: Progress::default(),
        tail: None,
        created_at: at(i64::from(number)),
        expires_at: at(1000 + i64::from(number)),
    }
}

fn part(number: u32, crc64: u64, mark: &str) -> Part {
    let size_bytes = if number == 10 { 5 } else { 10 };
    Part {
        number,
        size_bytes,
        crc64: Some(crc64),
        digests: Vec::new(),
        mark: Mark(mark.to_owned()),
        voucher: Voucher::Towline,
        landed_at: at(5),
    }
}

fn receipt() -> Receipt {
    Receipt {
        size_bytes: 95,
        part_count: 10,
        crc64: Some(u64::MAX - 3),
        voucher: Voucher::Towline,
        verified: Digest::new(Algorithm::Sha256, vec![7; 32]),
        location: "/data/completed/folder/ü 🎬.bin".to_owned(),
        version: "v-1".to_owned(),
        tag: Some("5d41402abc4b2a76b9719d911017c592-10".to_owned()),
        sealed_at: at(77),
    }
}

fn superseded(recorded: &Recorded) -> Vec<(u32, Mark)> {
    match recorded {
        Recorded::Done { superseded, .. } => superseded.clone(),
        Recorded::Repeat { .. } | Recorded::Stale => panic!("not done: {recorded:?}"),
    }
}

fn progress(recorded: &Recorded) -> Progress {
    match recorded {
        Recorded::Done { progress, .. } | Recorded::Repeat { progress } => *progress,
        Recorded::Stale => panic!("stale"),
    }
}

impl Suite {
    async fn insert(&self, upload: &Upload) {
        assert_eq!(self.0.insert(upload).await.expect("insert"), Inserted::New);
    }

    async fn record(&self, number: u32, epoch: u64, fact: Fact) -> Recorded {
        let entry = Entry { id: id(number), epoch: Epoch(epoch), fact, expires_at: at(9999) };
        self.0.record(entry).await.expect("record")
    }

    async fn head(&self, number: u32) -> Upload {
        self.0.fetch(id(number), None).await.expect("fetch").expect("it is there").upload
    }

    async fn a_head_is_read_as_it_was_written(&self) {
        let mut full = upload(1, "owner ü");
        full.about = About {
            filename: "a \"quoted\" 🎬.mov".to_owned(),
            content_type: Some("video/quicktime".to_owned()),
            metadata: vec![("k=1".to_owned(), "v;,\"".to_owned()), (String::new(), "🎬".to_owned())],
            declared: Digest::new(Algorithm::Md5, (0..16).collect()),
            fingerprint: Some("fp-1".to_owned()),
            idempotency_key: Some("ik-1".to_owned()),
        };
        self.insert(&full).await;
        assert_eq!(self.head(1).await, full);
        let mut bare = upload(2, "");
        bare.plan = Plan::Free { total_bytes: None };
        self.insert(&bare).await;
        assert_eq!(self.head(2).await, bare);
        let mut huge = upload(3, "x");
        huge.plan = Plan::Even { part_bytes: 5 << 30, total_bytes: Some(50 << 40) };
        self.insert(&huge).await;
        assert_eq!(self.head(3).await, huge);
    }

    async fn progress_never_counts_over_a_hole(&self) {
        self.insert(&upload(10, "p")).await;
        let mut expected = Progress::default();
        let steps = [(3, 0), (1, 1), (10, 1), (2, 3), (5, 3), (4, 5)];
        for (number, prefix_count) in steps {
            let landed = self.record(10, 0, Fact::PartLanded(part(number, u64::from(number), ""))).await;
            expected.landed_count += 1;
            expected.landed_bytes += if number == 10 { 5 } else { 10 };
            expected.prefix_count = prefix_count;
            expected.prefix_bytes = u64::from(prefix_count) * 10;
            assert_eq!(landed, Recorded::Done { progress: expected, superseded: vec![] }, "part {number}");
            assert_eq!(self.head(10).await.progress, expected);
        }
        assert_eq!(self.head(10).await.expires_at, at(9999));
        let numbers = |parts: Vec<Part>| parts.into_iter().map(|part| part.number).collect::<Vec<_>>();
        let all = self.0.parts(id(10), 0, 100).await.expect("parts");
        assert_eq!(numbers(all), [1, 2, 3, 4, 5, 10]);
        let some = self.0.parts(id(10), 2, 2).await.expect("parts");
        assert_eq!(numbers(some), [3, 4]);
        assert!(self.0.parts(id(10), u32::MAX, 2).await.expect("parts").is_empty());
        let fetched = self.0.fetch(id(10), Some(10)).await.expect("fetch").expect("it is there");
        assert_eq!(fetched.part, Some(part(10, 10, "")));
        let fetched = self.0.fetch(id(10), Some(9)).await.expect("fetch").expect("it is there");
        assert_eq!(fetched.part, None);
    }

    async fn a_part_is_recorded_once_and_replaced_whole(&self) {
        let mut free = upload(11, "p");
        free.plan = Plan::Free { total_bytes: None };
        self.insert(&free).await;
        let mut first = part(1, u64::MAX, "one");
        first.digests = vec![Digest::new(Algorithm::Md5, vec![1; 16]).expect("16 bytes")];
        self.record(11, 0, Fact::PartLanded(first.clone())).await;
        self.record(11, 0, Fact::PartLanded(part(2, 2, "two"))).await;
        let repeat = self.record(11, 0, Fact::PartLanded(part(1, u64::MAX, "elsewhere"))).await;
        assert!(matches!(repeat, Recorded::Repeat { .. }));
        let stored = self.0.fetch(id(11), Some(1)).await.expect("fetch").expect("there").part;
        assert_eq!(stored, Some(first), "the first record stands");
        let replacing = Part { size_bytes: 3, ..part(1, 9, "three") };
        let replaced = self.record(11, 0, Fact::PartLanded(replacing.clone())).await;
        assert_eq!(superseded(&replaced), [(1, Mark("one".to_owned()))]);
        let expected = Progress { prefix_count: 2, prefix_bytes: 13, landed_bytes: 13, landed_count: 2 };
        assert_eq!(progress(&replaced), expected);
        assert_eq!(self.head(11).await.progress, expected);
        assert_eq!(self.0.parts(id(11), 0, 9).await.expect("parts"), [replacing, part(2, 2, "two")]);
        let same_mark = self.record(11, 0, Fact::PartLanded(part(1, 10, "three"))).await;
        assert_eq!(superseded(&same_mark), [], "what is still used is not superseded");
    }

    async fn a_tail_gives_way_to_its_successor(&self) {
        self.insert(&upload(12, "p")).await;
        let tail = |size_bytes, mark: &str| Tail {
            number: 1,
            size_bytes,
            crc64: u64::MAX - size_bytes,
            mark: Mark(mark.to_owned()),
        };
        assert_eq!(superseded(&self.record(12, 0, Fact::TailParked(tail(3, "a"))).await), []);
        assert_eq!(self.head(12).await.tail, Some(tail(3, "a")));
        assert_eq!(self.head(12).await.offset(), 3);
        assert_eq!(superseded(&self.record(12, 0, Fact::TailParked(tail(4, "a"))).await), []);
        let moved = self.record(12, 0, Fact::TailParked(tail(5, "b"))).await;
        assert_eq!(superseded(&moved), [(1, Mark("a".to_owned()))]);
        let other = self.record(12, 0, Fact::PartLanded(part(3, 3, "p3"))).await;
        assert_eq!(superseded(&other), []);
        assert_eq!(self.head(12).await.offset(), 5);
        let landed = self.record(12, 0, Fact::PartLanded(part(1, 1, "c"))).await;
        assert_eq!(superseded(&landed), [(1, Mark("b".to_owned()))]);
        assert_eq!(self.head(12).await.tail, None);
        let tail = Tail { number: 2, ..tail(2, "d") };
        self.record(12, 0, Fact::TailParked(tail)).await;
        let grown = self.record(12, 0, Fact::PartLanded(part(2, 2, "d"))).await;
        assert_eq!(superseded(&grown), [], "the part goes on in the tail's own bytes");
        assert_eq!(self.head(12).await.offset(), 30);
    }

    async fn a_claim_makes_older_facts_stale(&self) {
        self.insert(&upload(13, "p")).await;
        let claimed = self.0.claim(id(13)).await.expect("claim").expect("it is there");
        assert_eq!(claimed, Upload { epoch: Epoch(1), ..upload(13, "p") });
        for fact in [
            Fact::PartLanded(part(1, 1, "")),
            Fact::TailParked(Tail { number: 1, size_bytes: 1, crc64: 1, mark: Mark::default() }),
            Fact::SealBegun,
            Fact::Abandoned(Ending::Cancelled),
        ] {
            assert_eq!(self.record(13, 0, fact.clone()).await, Recorded::Stale, "{fact:?}");
        }
        assert_eq!(self.head(13).await, claimed);
        assert!(matches!(self.record(13, 1, Fact::PartLanded(part(1, 1, ""))).await, Recorded::Done { .. }));
        assert_eq!(self.head(13).await.epoch, Epoch(1));
    }

    async fn a_lost_part_is_no_longer_counted(&self) {
        self.insert(&upload(930, "p")).await;
        for number in [1, 2, 3, 5] {
            self.record(930, 0, Fact::PartLanded(part(number, 7, "m"))).await;
        }
        let other = self.record(930, 0, Fact::PartLost(2, Mark("another".to_owned()))).await;
        assert!(matches!(other, Recorded::Repeat { .. }), "another landing took its place");
        assert!(matches!(
            self.record(930, 0, Fact::PartLost(4, Mark::default())).await,
            Recorded::Repeat { .. }
        ));
        let lost = self.record(930, 0, Fact::PartLost(2, Mark("m".to_owned()))).await;
        let left = Progress { prefix_count: 1, prefix_bytes: 10, landed_bytes: 30, landed_count: 3 };
        assert_eq!(lost, Recorded::Done { progress: left, superseded: vec![] });
        let lost = self.record(930, 0, Fact::PartLost(5, Mark("m".to_owned()))).await;
        assert_eq!(progress(&lost), Progress { landed_bytes: 20, landed_count: 2, ..left });
        let landed = self.record(930, 0, Fact::PartLanded(part(2, 7, "m"))).await;
        let whole = Progress { prefix_count: 3, prefix_bytes: 30, landed_bytes: 30, landed_count: 3 };
        assert_eq!(progress(&landed), whole);
        self.record(930, 0, Fact::SealBegun).await;
        assert_eq!(self.record(930, 0, Fact::PartLost(1, Mark("m".to_owned()))).await, Recorded::Stale);
    }

    async fn parts_past_us_are_kept_as_the_store_told_them(&self) {
        self.insert(&upload(931, "p")).await;
        let told = Part { crc64: None, voucher: Voucher::Store, ..part(1, 0, "etag") };
        self.record(931, 0, Fact::PartLanded(told.clone())).await;
        assert_eq!(self.0.parts(id(931), 0, 10).await.expect("parts"), std::slice::from_ref(&told));
        let again = self.record(931, 0, Fact::PartLanded(told.clone())).await;
        assert!(matches!(again, Recorded::Repeat { .. }));
        let other = Part { mark: Mark("other".to_owned()), ..told };
        let replaced = self.record(931, 0, Fact::PartLanded(other)).await;
        assert_eq!(superseded(&replaced), [(1, Mark("etag".to_owned()))]);
    }

    async fn a_total_is_declared_once(&self) {
        let mut open_end = upload(14, "p");
        open_end.plan = Plan::Even { part_bytes: 10, total_bytes: None };
        self.insert(&open_end).await;
        assert_eq!(superseded(&self.record(14, 0, Fact::TotalDeclared(42)).await), []);
        assert_eq!(self.head(14).await.plan, Plan::Even { part_bytes: 10, total_bytes: Some(42) });
        let again = self.record(14, 0, Fact::TotalDeclared(42)).await;
        assert!(matches!(again, Recorded::Repeat { .. }));
        assert_eq!(self.record(14, 0, Fact::TotalDeclared(43)).await, Recorded::Stale);
    }

    async fn phases_admit_what_they_should(&self) {
        self.insert(&upload(15, "p")).await;
        self.record(15, 0, Fact::PartLanded(part(1, 1, ""))).await;
        for fact in [Fact::Sealed(receipt()), Fact::Disputed, Fact::SealUndone] {
            assert_eq!(self.record(15, 0, fact.clone()).await, Recorded::Stale, "{fact:?} while open");
        }
        assert_eq!(superseded(&self.record(15, 0, Fact::SealBegun).await), []);
        assert_eq!(self.head(15).await.phase, Phase::Sealing);
        assert!(matches!(self.record(15, 0, Fact::SealBegun).await, Recorded::Repeat { .. }));
        for fact in [
            Fact::PartLanded(part(2, 2, "")),
            Fact::TailParked(Tail { number: 2, size_bytes: 1, crc64: 1, mark: Mark::default() }),
            Fact::TotalDeclared(95),
            Fact::Abandoned(Ending::Expired),
        ] {
            assert_eq!(self.record(15, 0, fact.clone()).await, Recorded::Stale, "{fact:?} while sealing");
        }
        self.record(15, 0, Fact::SealUndone).await;
        assert_eq!(self.head(15).await.phase, Phase::Open);
        self.record(15, 0, Fact::SealBegun).await;
        self.record(15, 0, Fact::Sealed(receipt())).await;
        assert_eq!(self.head(15).await.phase, Phase::Sealed(receipt()));
        assert!(matches!(self.record(15, 0, Fact::Sealed(receipt())).await, Recorded::Repeat { .. }));
        for fact in [Fact::PartLanded(part(1, 1, "")), Fact::SealBegun, Fact::Abandoned(Ending::Cancelled)] {
            assert_eq!(self.record(15, 0, fact.clone()).await, Recorded::Stale, "{fact:?} once sealed");
        }
        self.insert(&upload(16, "p")).await;
        self.record(16, 0, Fact::Abandoned(Ending::Cancelled)).await;
        assert_eq!(self.head(16).await.phase, Phase::Abandoned(Ending::Cancelled));
        let again = self.record(16, 0, Fact::Abandoned(Ending::Expired)).await;
        assert!(matches!(again, Recorded::Repeat { .. }));
        assert_eq!(self.head(16).await.phase, Phase::Abandoned(Ending::Cancelled));
        assert_eq!(self.record(16, 0, Fact::PartLanded(part(1, 1, ""))).await, Recorded::Stale);
    }

    async fn a_disputed_upload_opens_with_new_content(&self) {
        self.insert(&upload(17, "p")).await;
        self.record(17, 0, Fact::PartLanded(part(1, 1, ""))).await;
        self.record(17, 0, Fact::SealBegun).await;
        self.record(17, 0, Fact::Disputed).await;
        assert_eq!(self.head(17).await.phase, Phase::Disputed);
        let same = self.record(17, 0, Fact::PartLanded(part(1, 1, "again"))).await;
        assert!(matches!(same, Recorded::Repeat { .. }));
        assert_eq!(self.head(17).await.phase, Phase::Disputed);
        self.record(17, 0, Fact::PartLanded(part(1, 2, "other"))).await;
        assert_eq!(self.head(17).await.phase, Phase::Open);
    }

    async fn handles_find_the_owners_upload(&self) {
        let with = |number, owner: &str, fingerprint: Option<&str>, key: Option<&str>| {
            let mut upload = upload(number, owner);
            upload.about.fingerprint = fingerprint.map(str::to_owned);
            upload.about.idempotency_key = key.map(str::to_owned);
            upload
        };
        self.insert(&with(20, "ann", Some("f"), Some("k"))).await;
        self.insert(&with(21, "ann", Some("f"), None)).await;
        self.insert(&with(22, "bob", Some("f"), Some("k"))).await;
        let twice = self.0.insert(&with(23, "ann", None, Some("k"))).await.expect("insert");
        assert_eq!(twice, Inserted::Existing(Box::new(with(20, "ann", Some("f"), Some("k")))));
        assert!(self.0.fetch(id(23), None).await.expect("fetch").is_none());
        let find = async |owner: &str, handle| {
            self.0.find(owner, &handle).await.expect("find").map(|upload| upload.id)
        };
        let fingerprint = || Handle::Fingerprint("f".to_owned());
        let key = || Handle::IdempotencyKey("k".to_owned());
        assert_eq!(find("ann", fingerprint()).await, Some(id(21)), "the newest");
        assert_eq!(find("bob", fingerprint()).await, Some(id(22)));
        assert_eq!(find("eve", fingerprint()).await, None);
        self.record(21, 0, Fact::Abandoned(Ending::Cancelled)).await;
        assert_eq!(find("ann", fingerprint()).await, Some(id(20)), "only those that take parts");
        self.record(20, 0, Fact::Abandoned(Ending::Cancelled)).await;
        assert_eq!(find("ann", fingerprint()).await, None);
        assert_eq!(find("ann", key()).await, Some(id(20)), "whatever became of it");
        assert_eq!(find("eve", key()).await, None);
    }

    async fn lists_are_paged_newest_first(&self) {
        for number in 30..35 {
            let mut upload = upload(number, "lister");
            upload.created_at = at(3000 + i64::from(number / 2));
            self.insert(&upload).await;
        }
        self.record(33, 0, Fact::Abandoned(Ending::Expired)).await;
        let filter = |phases: &[PhaseName]| Filter {
            owner: Some("lister".to_owned()),
            phases: phases.to_vec(),
            key: None,
        };
        let mut seen = Vec::new();
        let mut after: Option<Cursor> = None;
        loop {
            let page = self.0.list(&filter(&[]), after, 2).await.expect("list");
            assert!(page.uploads.len() <= 2);
            seen.extend(page.uploads.iter().map(|upload| upload.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [34, 33, 32, 31, 30].map(id));
        let open = self.0.list(&filter(&[PhaseName::Open]), None, 9).await.expect("list");
        assert_eq!(open.uploads.len(), 4);
        assert_eq!(open.next, None);
        let both = filter(&[PhaseName::Expired, PhaseName::Sealed]);
        assert_eq!(self.0.count(&both).await.expect("count"), 1);
        assert_eq!(self.0.count(&filter(&[])).await.expect("count"), 5);
        let by_key = Filter { key: Some(upload(32, "").key), ..Filter::default() };
        let found = self.0.list(&by_key, None, 9).await.expect("list").uploads;
        assert_eq!(found.iter().map(|upload| upload.id).collect::<Vec<_>>(), [id(32)]);
    }

    async fn the_janitor_finds_its_work(&self) {
        for number in 40..44 {
            let mut upload = upload(number, "j");
            upload.expires_at = at(100 + i64::from(number));
            self.insert(&upload).await;
        }
        let ids = |uploads: Vec<Upload>| {
            let mut ids: Vec<_> = uploads.into_iter().map(|upload| upload.id).collect();
            ids.sort();
            ids
        };
        let expired = self.0.expired(at(141), 100).await.expect("expired");
        assert_eq!(ids(expired), [40, 41].map(id));
        assert_eq!(self.0.expired(at(143), 3).await.expect("expired").len(), 3);
        let before = ids(self.0.uncleared(1000).await.expect("uncleared"));
        self.record(40, 0, Fact::Abandoned(Ending::Expired)).await;
        self.record(41, 0, Fact::SealBegun).await;
        assert!(!ids(self.0.expired(at(141), 100).await.expect("expired")).contains(&id(41)));
        self.record(41, 0, Fact::Sealed(receipt())).await;
        let after = ids(self.0.uncleared(1000).await.expect("uncleared"));
        let new: Vec<_> = after.into_iter().filter(|id| !before.contains(id)).collect();
        assert_eq!(new, [40, 41].map(id));
        assert!(!self.0.forgettable(at(9999), 1000).await.expect("forgettable").contains(&id(40)));
        self.0.clear(id(40)).await.expect("clear");
        self.0.clear(id(41)).await.expect("clear");
        let after = ids(self.0.uncleared(1000).await.expect("uncleared"));
        assert!(!after.contains(&id(40)) && !after.contains(&id(41)));
        assert!(self.0.forgettable(at(9998), 1000).await.expect("forgettable").is_empty());
        let forgettable = self.0.forgettable(at(9999), 1000).await.expect("forgettable");
        assert_eq!(forgettable, [id(40)], "a sealed upload keeps its receipt");
        self.0.forget(id(40)).await.expect("forget");
        self.0.forget(id(40)).await.expect("forget again");
        assert!(self.0.fetch(id(40), None).await.expect("fetch").is_none());
        assert!(self.0.parts(id(40), 0, 10).await.expect("parts").is_empty());
    }

    async fn concurrent_parts_are_all_counted(&self) {
        let mut many = upload(50, "c");
        many.plan = Plan::Even { part_bytes: 10, total_bytes: Some(2000) };
        self.insert(&many).await;
        let lands = (1..=200_u32).rev().map(|number| {
            let landed = Part { size_bytes: 10, ..part(number, u64::from(number), "") };
            self.record(50, 0, Fact::PartLanded(landed))
        });
        let recorded = futures_util::future::join_all(lands).await;
        assert!(recorded.iter().all(|recorded| matches!(recorded, Recorded::Done { .. })));
        let whole = Progress { prefix_count: 200, prefix_bytes: 2000, landed_bytes: 2000, landed_count: 200 };
        assert_eq!(self.head(50).await.progress, whole);
        let claims = futures_util::future::join_all((0..20).map(|_| self.0.claim(id(50)))).await;
        let mut epochs: Vec<_> =
            claims.into_iter().map(|claim| claim.expect("claim").expect("there").epoch.0).collect();
        epochs.sort_unstable();
        assert_eq!(epochs, (1..=20).collect::<Vec<_>>());
    }

    async fn what_is_unknown_is_answered_calmly(&self) {
        assert!(self.0.fetch(id(9999), Some(1)).await.expect("fetch").is_none());
        assert!(self.0.claim(id(9999)).await.expect("claim").is_none());
        assert_eq!(self.record(9999, 0, Fact::SealBegun).await, Recorded::Stale);
        assert!(self.0.parts(id(9999), 0, 10).await.expect("parts").is_empty());
        self.0.clear(id(9999)).await.expect("clear");
        self.0.forget(id(9999)).await.expect("forget");
        self.0.check().await.expect("check");
        assert!(at(0).since(at(1)) == Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory_catalog::MemoryCatalog;

    #[tokio::test]
    async fn the_memory_catalog_keeps_the_contract() {
        run(Arc::new(MemoryCatalog::default())).await;
    }
}
