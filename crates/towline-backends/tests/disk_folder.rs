//! What a data folder is to others: who owns it, and where keys may lead.

use std::os::unix::fs::symlink;
use std::path::Path;

use towline_backends::disk::{DiskSettings, DiskStore, OpenError};
use towline_core::key::Key;
use towline_core::store::{Obstacle, Opened, Place, Seal, Store as _};
use towline_core::upload::{About, UploadId};

fn settings(data: &Path) -> DiskSettings {
    DiskSettings { data: data.to_owned(), sync: true }
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a test's key is one")
}

async fn seal_empty(store: &DiskStore, number: u128, name: &str) -> Seal {
    let place = Place(UploadId::from_u128(number).to_string());
    store.seal(&place, &key(name), &[]).await.expect("a disk that works")
}

#[tokio::test]
async fn a_second_server_is_told_who_owns_the_folder_and_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let store = DiskStore::open(&settings(data.path())).unwrap();
    let error = DiskStore::open(&settings(data.path())).unwrap_err();
    assert!(matches!(&error, OpenError::InUse { owner, .. } if *owner == std::process::id().to_string()));
    let told = error.to_string();
    assert!(told.contains("in use by another server") && told.contains("stop that one first"), "{told}");
    drop(store);
    DiskStore::open(&settings(data.path())).unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_said_with_its_name() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("taken"), "a file").unwrap();
    let told = DiskStore::open(&settings(&data.path().join("taken/data"))).unwrap_err().to_string();
    assert!(told.contains("taken/data") && told.contains("cannot be used"), "{told}");
}

#[tokio::test]
async fn a_link_is_never_followed_out_of_the_folder_of_finished_files() {
    let data = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "of somebody else").unwrap();
    let store = DiskStore::open(&settings(data.path())).unwrap();
    let completed = data.path().join("completed");
    symlink(outside.path(), completed.join("folder")).unwrap();
    symlink(outside.path().join("secret"), completed.join("file")).unwrap();

    let blocked = Obstacle { name: "folder".to_owned(), is_folder: false };
    let opened = store.open(UploadId::from_u128(1), &key("folder/secret"), &About::default()).await.unwrap();
    assert_eq!(opened, Opened::Blocked(blocked.clone()));
    assert_eq!(seal_empty(&store, 1, "folder/secret").await, Seal::Blocked(blocked));
    assert!(store.read(&key("folder/secret")).await.unwrap().is_none());
    assert!(store.read(&key("file")).await.unwrap().is_none());

    assert!(matches!(seal_empty(&store, 1, "file").await, Seal::Sealed(_)));
    let secret = std::fs::read_to_string(outside.path().join("secret")).unwrap();
    assert_eq!(secret, "of somebody else", "the link was replaced, not what it led to");
}

#[tokio::test]
async fn an_empty_folder_is_in_the_way_of_a_file() {
    let data = tempfile::tempdir().unwrap();
    let store = DiskStore::open(&settings(data.path())).unwrap();
    std::fs::create_dir_all(data.path().join("completed/a/b")).unwrap();
    let blocked = Obstacle { name: "a/b".to_owned(), is_folder: true };
    let opened = store.open(UploadId::from_u128(1), &key("a/b"), &About::default()).await.unwrap();
    assert_eq!(opened, Opened::Blocked(blocked.clone()));
    assert_eq!(seal_empty(&store, 1, "a/b").await, Seal::Blocked(blocked));
    assert!(!store.has(&key("a/b")).await.unwrap());
}

#[tokio::test]
async fn the_longest_names_and_keys_are_files() {
    let data = tempfile::tempdir().unwrap();
    let store = DiskStore::open(&settings(data.path())).unwrap();
    let longest = [["ü".repeat(127), "x".repeat(255), "🎬".repeat(63)].join("/"), "y".repeat(200)].join("/");
    for name in [longest.as_str(), " ", "-rf", "a\\b", "…/%2e%2e/:*?\"<>|"] {
        let Seal::Sealed(object) = seal_empty(&store, 1, name).await else { panic!("{name:?} is blocked") };
        assert_eq!(object.location, store.data().join("completed").join(name).to_str().unwrap());
        assert!(Path::new(&object.location).is_file());
        store.discard(&Place(UploadId::from_u128(1).to_string())).await.unwrap();
    }
}

#[tokio::test]
async fn what_others_put_into_the_staging_folder_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let store = DiskStore::open(&settings(data.path())).unwrap();
    std::fs::create_dir(data.path().join("staging/lost+found")).unwrap();
    let later = towline_core::clock::Timestamp::from_millis(i64::MAX);
    assert_eq!(store.survey(later, None, 10).await.unwrap(), []);
    let foreign = Place("lost+found".to_owned());
    assert!(store.discard(&foreign).await.is_err());
    assert!(data.path().join("staging/lost+found").exists());
}
