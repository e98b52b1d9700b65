//! The SQLite catalog as the server meets it: the contract, opening and reopening, readers beside the server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use towline_backends::sqlite::{OpenError, SqliteCatalog, SqliteSettings};
use towline_core::catalog::{Catalog, Entry, Fact, Filter, Recorded};
use towline_core::clock::Timestamp;
use towline_core::receipt::Voucher;
use towline_core::store::Mark;
use towline_core::testing::catalog_contract;
use towline_core::upload::{Epoch, Part, UploadId};
use towline_core::{Fault, FaultKind};

struct House {
    /// Lives as long as the file is used.
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn house() -> House {
    let folder = tempfile::tempdir().expect("a folder for this test");
    let path = folder.path().join("catalog.db");
    House { _folder: folder, path }
}

fn open(path: &Path) -> Result<SqliteCatalog, OpenError> {
    SqliteCatalog::open(SqliteSettings::at(path))
}

async fn land(catalog: &SqliteCatalog, id: UploadId, number: u32) -> Result<Recorded, Fault> {
    let part = Part {
        number,
        size_bytes: 10,
        crc64: Some(u64::MAX - u64::from(number)),
        digests: Vec::new(),
        mark: Mark("aside".to_owned()),
        voucher: Voucher::Towline,
        landed_at: Timestamp::from_millis(1),
    };
    let fact = Fact::PartLanded(part);
    catalog.record(Entry { id, epoch: Epoch(0), fact, expires_at: Timestamp::from_millis(9) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract() {
    let house = house();
    catalog_contract::run(Arc::new(open(&house.path).unwrap())).await;
}

#[tokio::test]
async fn what_was_recorded_is_there_after_a_restart_without_a_goodbye() {
    let house = house();
    let upload = catalog_contract::upload(1, "ada");
    let catalog = open(&house.path).unwrap();
    catalog.insert(&upload).await.unwrap();
    land(&catalog, upload.id, 2).await.unwrap();
    land(&catalog, upload.id, 1).await.unwrap();
    let before = (catalog.fetch(upload.id, Some(2)).await, catalog.parts(upload.id, 0, 9).await);
    drop(catalog);
    let catalog = open(&house.path).unwrap();
    let after = (catalog.fetch(upload.id, Some(2)).await, catalog.parts(upload.id, 0, 9).await);
    assert_eq!(before.0.unwrap(), after.0.unwrap());
    assert_eq!(before.1.unwrap(), after.1.unwrap());
}

#[tokio::test]
async fn a_closed_catalog_has_finished_its_queue_and_takes_no_more() {
    let house = house();
    let upload = catalog_contract::upload(1, "ada");
    let catalog = open(&house.path).unwrap();
    catalog.insert(&upload).await.unwrap();
    let (one, two, ()) =
        tokio::join!(land(&catalog, upload.id, 1), land(&catalog, upload.id, 2), catalog.close());
    assert!(matches!((one.unwrap(), two.unwrap()), (Recorded::Done { .. }, Recorded::Done { .. })));
    assert_eq!(land(&catalog, upload.id, 3).await.unwrap_err().kind(), FaultKind::Unavailable);
    catalog.close().await;
    let reopened = open(&house.path).unwrap();
    assert_eq!(reopened.parts(upload.id, 0, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn forgetting_an_upload_of_thousands_of_parts_leaves_nothing() {
    let house = house();
    let catalog = open(&house.path).unwrap();
    let (gone, stays) = (catalog_contract::upload(1, "ada"), catalog_contract::upload(2, "ada"));
    catalog.insert(&gone).await.unwrap();
    catalog.insert(&stays).await.unwrap();
    land(&catalog, stays.id, 1).await.unwrap();
    for numbers in (1..=2000).collect::<Vec<u32>>().chunks(500) {
        let landings = numbers.iter().map(|number| land(&catalog, gone.id, *number));
        futures_util::future::try_join_all(landings).await.unwrap();
    }
    catalog.forget(gone.id).await.unwrap();
    assert_eq!(catalog.fetch(gone.id, None).await.unwrap(), None);
    assert_eq!(catalog.parts(stays.id, 0, 9).await.unwrap().len(), 1);
    catalog.close().await;
    let rows =
        Connection::open(&house.path).unwrap().query_row("SELECT count(*) FROM parts", [], |row| row.get(0));
    assert_eq!(rows, Ok(1));
}

#[tokio::test]
async fn another_process_reads_beside_the_server_and_cannot_write() {
    let house = house();
    assert!(matches!(SqliteCatalog::open_read_only(&house.path), Err(OpenError::Failed { .. })));
    let upload = catalog_contract::upload(1, "ada");
    let server = open(&house.path).unwrap();
    server.insert(&upload).await.unwrap();
    let reader = SqliteCatalog::open_read_only(&house.path).unwrap();
    assert_eq!(reader.list(&Filter::default(), None, 9).await.unwrap().uploads.len(), 1);
    land(&server, upload.id, 1).await.unwrap();
    assert_eq!(reader.parts(upload.id, 0, 9).await.unwrap().len(), 1);
    assert!(land(&reader, upload.id, 2).await.is_err());
    assert!(reader.check().await.is_err());
    drop(reader);

    server.check().await.unwrap();
    server.close().await;
    drop(server);
    let alone = SqliteCatalog::open_read_only(&house.path).unwrap();
    assert_eq!(alone.count(&Filter::default()).await.unwrap(), 1);
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let house = house();
    drop(open(&house.path).unwrap());
    let connection = Connection::open(&house.path).unwrap();
    connection.execute("INSERT INTO migrations VALUES ('0999_tomorrow', '')", []).unwrap();
    for refused in [open(&house.path), SqliteCatalog::open_read_only(&house.path)] {
        assert!(matches!(refused, Err(OpenError::Newer { migration, .. }) if migration == "0999_tomorrow"));
    }
    connection.execute("DELETE FROM migrations WHERE name = '0999_tomorrow'", []).unwrap();
    open(&house.path).unwrap();
}

#[test]
fn an_older_database_is_migrated_by_the_server_only() {
    let house = house();
    drop(Connection::open(&house.path).unwrap().execute_batch("CREATE TABLE migrations (name, checksum)"));
    assert!(matches!(SqliteCatalog::open_read_only(&house.path), Err(OpenError::Older { .. })));
    open(&house.path).unwrap();
    SqliteCatalog::open_read_only(&house.path).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_stays_as_it_is() {
    let house = house();
    std::fs::write(&house.path, [b'x'; 4096]).unwrap();
    let Err(OpenError::Failed { source, .. }) = open(&house.path) else { panic!("it was opened") };
    assert_eq!(source.kind(), FaultKind::Corrupt);
    assert_eq!(std::fs::read(&house.path).unwrap(), [b'x'; 4096]);
}
