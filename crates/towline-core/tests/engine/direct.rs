//! Parts that clients carry to the store themselves.

use std::time::Duration;

use towline_core::engine::Claimed;
use towline_core::receipt::Voucher;
use towline_core::testing::House;
use towline_core::testing::direct::DirectStore;
use towline_core::upload::Phase;

use super::*;

/// An engine in front of a store that clients reach, slow at everything.
pub(crate) struct Past {
    pub(crate) house: House,
    pub(crate) engine: Engine,
    pub(crate) store: Arc<DirectStore>,
    fate: Fate,
}

impl Past {
    pub(crate) fn new(odds: Odds) -> Self {
        let house = House::default();
        let store = Arc::new(DirectStore::new(Arc::clone(&house.store)));
        let fate = Fate::new(1, odds);
        let engine = Engine::new(Parts {
            store: Arc::new(FaultyStore::new(Arc::clone(&store) as Arc<dyn Store>, fate.clone())),
            catalog: Arc::new(FaultyCatalog::new(
                Arc::clone(&house.catalog) as Arc<dyn Catalog>,
                fate.clone(),
            )),
            clock: Arc::clone(&house.clock) as Arc<dyn Clock>,
            ids: Arc::new(CountingIds::default()),
            policy: Policy { free_part_bytes_min: 1, ..Policy::default() },
        });
        Self { house, engine, store, fate }
    }

    async fn claim(&self, id: UploadId) -> Vec<Claimed> {
        let parts = self.engine.parts(&me(), id, (0, 10)).await.unwrap();
        let claimed = |part: &towline_core::upload::Part| Claimed {
            number: part.number.into(),
            tag: self.engine.part_tag(part),
        };
        parts.iter().map(claimed).collect()
    }
}

fn free(key: &str) -> Order {
    Order { cut: Cut::Free, total_bytes: None, ..order(key, 0, 1) }
}

#[tokio::test]
async fn what_landed_past_us_is_learnt_and_vouched_for_by_the_store() {
    let past = Past::new(Odds::default());
    let upload = begin(&past.engine, order("k", 10, 4)).await;
    past.store.arrive(&upload.place, 2, b"4567");
    past.store.arrive(&upload.place, 1, b"wrong size");
    past.store.arrive(&upload.place, 9, b"no slot");
    let head = past.engine.status(&me(), upload.id).await.unwrap();
    assert_eq!((head.progress.landed_count, head.progress.landed_bytes), (1, 4));
    past.store.arrive(&upload.place, 1, b"0123");
    send(&past.engine, upload.id, 3, "89").await.unwrap();
    let sealed = past.engine.finish(&me(), upload.id).await.unwrap();
    let Phase::Sealed(receipt) = sealed.phase else { panic!("{:?}", sealed.phase) };
    assert_eq!((receipt.voucher, receipt.crc64, receipt.part_count), (Voucher::Store, None, 3));
    assert_eq!(past.house.store.object("k").unwrap(), "0123456789");
}

#[tokio::test]
async fn a_part_that_was_replaced_past_us_is_learnt_anew() {
    let past = Past::new(Odds::default());
    let upload = begin(&past.engine, order("k", 4, 4)).await;
    send(&past.engine, upload.id, 1, "0123").await.unwrap();
    past.store.arrive(&upload.place, 1, b"abcd");
    past.engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(past.house.store.object("k").unwrap(), "abcd");
}

#[tokio::test(start_paused = true)]
async fn a_list_holds_also_while_others_look_and_the_store_has_more() {
    for look_after_ms in (0..2000).step_by(20) {
        let past = Past::new(Odds { is_slow: 100, ..Odds::default() });
        let upload = begin(&past.engine, free("k")).await;
        for (number, bytes) in [(1, "aa"), (2, "bb"), (3, "cc")] {
            past.store.arrive(&upload.place, number, bytes.as_bytes());
        }
        let mut listed = past.claim(upload.id).await;
        listed.pop();
        let me = me();
        let look = async {
            tokio::time::sleep(Duration::from_millis(look_after_ms)).await;
            past.engine.status(&me, upload.id).await
        };
        let finish = Box::pin(past.engine.finish_listed(&me, upload.id, listed));
        let (sealed, looked) = tokio::join!(finish, Box::pin(look));
        looked.unwrap();
        sealed.unwrap();
        assert_eq!(past.house.store.object("k").unwrap(), "aabb", "looked at after {look_after_ms} ms");
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_asked_about_is_not_given_up_and_does_not_stop_the_sweep() {
    let past = Past::new(Odds::default());
    let asked = begin(&past.engine, order("k", 4, 4)).await;
    past.store.arrive(&asked.place, 1, b"0123");
    past.house.clock.advance(Policy::default().keep_unfinished + Duration::from_secs(1));
    past.fate.aim("recording");
    past.engine.sweep(Duration::ZERO).await.unwrap();
    assert_eq!(past.engine.finish(&me(), asked.id).await.unwrap().id, asked.id);
    assert_eq!(past.house.store.object("k").unwrap(), "0123");
}
