//! One life: rounds of concurrent clients between crashes, then a calm end.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, future};

use super::client::Round;
use super::model::{Ledger, crc64};
use super::{Script, policy};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::crc64::Joined;
use crate::digest::Digest;
use crate::engine::{Cut, Engine, Order, Parts};
use crate::key::Key;
use crate::plan::Plan;
use crate::policy::Principal;
use crate::store::Store;
use crate::testing::faulty::{Fate, FaultyCatalog, FaultyStore, Odds};
use crate::testing::memory_catalog::MemoryCatalog;
use crate::testing::memory_store::MemoryStore;
use crate::testing::{CountingIds, ManualClock};
use crate::upload::{About, Part, Phase, Upload, UploadId};

const KEY: &str = "story/file.bin";

/// See the module.
pub(super) struct Life {
    seed: u64,
    script: Script,
    rng: fastrand::Rng,
    store: Arc<MemoryStore>,
    catalog: Arc<MemoryCatalog>,
    clock: Arc<ManualClock>,
    ledger: Rc<RefCell<Ledger>>,
}

impl Life {
    pub(super) fn new(seed: u64, script: Script, rng: fastrand::Rng) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let ledger = Rc::default();
        Self { seed, script, rng, store, catalog: Arc::default(), clock, ledger }
    }

    pub(super) fn live(mut self) {
        let id = self.begin();
        for round in 0..self.script.rounds {
            self.clock.advance(Duration::from_secs(1));
            self.round(id, round);
            self.ledger.borrow_mut().crash();
            self.store.lose_power(&mut self.rng);
            self.check(id);
        }
        self.end(id);
    }

    fn engine(&self, odds: Odds, salt: u64) -> Engine {
        let fate = Fate::new(self.seed ^ salt.rotate_left(32), odds);
        Engine::new(Parts {
            store: Arc::new(FaultyStore::new(Arc::clone(&self.store) as Arc<dyn Store>, fate.clone())),
            catalog: Arc::new(FaultyCatalog::new(Arc::clone(&self.catalog) as Arc<dyn Catalog>, fate)),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ids: Arc::new(CountingIds::default()),
            policy: policy(),
        })
    }

    /// A runtime is a process: dropping it in the middle is kill -9.
    fn in_process<T>(run: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, run)
    }

    fn begin(&self) -> UploadId {
        let cut = match self.script.plan {
            Plan::Even { part_bytes, .. } => Cut::Even { wish_bytes: Some(part_bytes) },
            Plan::Free { .. } => Cut::Free,
        };
        let order = Order {
            key: Key::parse(KEY).expect("a good key"),
            cut,
            total_bytes: self.script.plan.total_bytes(),
            about: About { declared: self.declared(), ..About::default() },
        };
        let engine = self.engine(Odds::default(), 0);
        let created = Self::in_process(engine.create(&Principal::anonymous(), order));
        created.expect("a calm create").upload.id
    }

    /// Half of the lives declare the digest of the whole.
    fn declared(&self) -> Option<Digest> {
        let is_declared = self.seed.is_multiple_of(2);
        is_declared.then(|| {
            let mut digester = crate::digest::Digester::new([crate::digest::Algorithm::Sha256]);
            digester.update(&self.script.content);
            digester.finish().others.remove(0)
        })
    }

    fn round(&mut self, id: UploadId, round: u32) {
        let engine = self.engine(self.script.odds, u64::from(round) + 1);
        let until = Duration::from_millis(self.rng.u64(1..3_000));
        let clients = (0..self.script.clients).map(|_| {
            let round = Round {
                engine: engine.clone(),
                who: Principal::anonymous(),
                script: self.script.clone(),
                id,
                ledger: Rc::clone(&self.ledger),
            };
            round.client(self.rng.fork()).boxed_local()
        });
        let clients: Vec<_> = clients.collect();
        Self::in_process(async {
            let clients = clients.into_iter().map(tokio::task::spawn_local);
            // The crash: whatever is in the middle of something stays there.
            tokio::time::timeout(until, future::join_all(clients)).await.into_iter().flatten().for_each(
                |client| client.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())),
            );
        });
    }

    fn head(&self, id: UploadId) -> (Upload, Vec<Part>) {
        let fetched = self.catalog.fetch(id, None).now_or_never().expect("memory is quick");
        let parts = self.catalog.parts(id, 0, usize::MAX).now_or_never().expect("memory is quick");
        (fetched.expect("no faults here").expect("it is there").upload, parts.expect("no faults here"))
    }

    /// What must hold after every crash.
    fn check(&self, id: UploadId) {
        let (upload, parts) = self.head(id);
        let mut ledger = self.ledger.borrow_mut();
        if ledger.is_abandoned {
            assert!(matches!(upload.phase, Phase::Abandoned(_)), "an abandoned upload came back");
        }
        if let Phase::Abandoned(_) = upload.phase {
            assert!(ledger.may_be_abandoned, "nobody gave it up");
            return;
        }
        for number in ledger.acknowledged() {
            assert!(parts.iter().any(|part| part.number == number), "acknowledged part {number} is gone");
        }
        for part in &parts {
            let is_possible = ledger.is_possible(part.number, part.crc64.expect("the bytes were seen"));
            assert!(is_possible, "part {} is recorded with content that it cannot have", part.number);
        }
        assert!(upload.offset() >= ledger.offset, "offset {} was {}", upload.offset(), ledger.offset);
        ledger.offset = upload.offset();
        if let Some(crc64) = ledger.sealed_crc64 {
            let Phase::Sealed(receipt) = &upload.phase else {
                panic!("a sealed upload is {:?}", upload.phase)
            };
            assert_eq!(receipt.crc64, Some(crc64));
        }
        match &upload.phase {
            Phase::Sealed(receipt) => {
                let object = self.store.object(KEY).expect("a sealed object is there");
                assert_eq!(Some(crc64(&object)), receipt.crc64, "the object is not what the receipt says");
                assert_eq!(object.len() as u64, receipt.size_bytes);
            }
            // A seal may have happened without the fact; the bytes are in the object then.
            Phase::Sealing => {}
            Phase::Open | Phase::Disputed => self.check_bytes(&upload, &parts),
            Phase::Abandoned(_) => unreachable!("returned above"),
        }
    }

    /// Every recorded byte reads back as it was digested.
    fn check_bytes(&self, upload: &Upload, parts: &[Part]) {
        let part_bytes = match upload.plan {
            Plan::Even { part_bytes, .. } => part_bytes,
            Plan::Free { .. } => 0,
        };
        let tail =
            upload.tail.iter().map(|tail| (tail.number, &tail.mark, tail.size_bytes, Some(tail.crc64)));
        let parts = parts.iter().map(|part| (part.number, &part.mark, part.size_bytes, part.crc64));
        for (number, mark, size_bytes, expected) in parts.chain(tail) {
            let offset_bytes = u64::from(number - 1) * part_bytes;
            let bytes = self.store.staged_bytes(&upload.place, (mark, offset_bytes, size_bytes));
            let bytes = bytes.unwrap_or_else(|| panic!("the recorded bytes of slot {number} are gone"));
            assert_eq!(Some(crc64(&bytes)), expected, "the recorded bytes of slot {number} changed");
        }
    }

    /// A calm client sends what is missing or wrong and finishes.
    fn end(&self, id: UploadId) {
        let (upload, _) = self.head(id);
        let round = Round {
            engine: self.engine(Odds::default(), 99),
            who: Principal::anonymous(),
            script: self.script.clone(),
            id,
            ledger: Rc::clone(&self.ledger),
        };
        let sealed = Self::in_process(async {
            let is_over = matches!(upload.phase, Phase::Abandoned(_) | Phase::Sealed(_));
            if upload.phase == Phase::Sealing {
                // Its content was settled when the seal began; with a wrong part it is disputed now.
                round.engine.finish(&round.who, id).await.ok();
            }
            if !is_over {
                Box::pin(round.repair()).await;
            }
            let sealed = match upload.phase {
                Phase::Abandoned(_) => None,
                Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Sealed(_) => {
                    Some(round.engine.finish(&round.who, id).await.expect("a calm finish"))
                }
            };
            round.engine.sweep(Duration::ZERO).await.expect("a calm sweep");
            sealed
        });
        assert_eq!(self.store.staged_count(), 0, "the sweep leaves no place behind");
        let Some(sealed) = sealed else { return };
        self.check(id);
        let Phase::Sealed(receipt) = &sealed.phase else { panic!("finished, but {:?}", sealed.phase) };
        let (_, parts) = self.head(id);
        let mut joined = Joined::default();
        for part in &parts {
            joined.push(part.crc64.expect("the bytes were seen"), part.size_bytes);
        }
        assert_eq!(receipt.crc64, Some(joined.crc64()));
        let was_open = matches!(upload.phase, Phase::Open | Phase::Disputed);
        if was_open || receipt.verified.is_some() {
            let object = self.store.object(KEY).expect("the object is there");
            assert_eq!(object, self.script.content, "the object is not the file");
        }
    }
}
