//! The disk store keeps the contract of all stores.

use std::sync::Arc;

use towline_backends::disk::{DiskSettings, DiskStore};
use towline_core::testing::store_contract::{self, Terms};

#[tokio::test]
async fn the_disk_store_keeps_the_contract() {
    for sync in [true, false] {
        let data = tempfile::tempdir().unwrap();
        let settings = DiskSettings { data: data.path().to_owned(), sync };
        for unit in [1000, 300_000] {
            let settings = DiskSettings { data: settings.data.join(unit.to_string()), ..settings.clone() };
            store_contract::run(Arc::new(DiskStore::open(&settings).unwrap()), Terms::of_disk(unit)).await;
        }
    }
}
