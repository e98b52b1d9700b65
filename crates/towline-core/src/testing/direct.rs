//! The memory store as one that clients reach by URLs of its own: `https://store.test/box/<key>`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::memory_store::MemoryStore;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::key::Key;
use crate::receipt::Voucher;
use crate::store::{
    ByteStream, Direct, Form, Holder, Limits, Listed, Mark, Object, Opened, PartPlace, PartWriter, Place,
    Seal, Signer, Spot, Store, Validity,
};
use crate::upload::{About, Part, Tail, Upload, UploadId};

/// How many parts it lists at once.
const PAGE: usize = 2;

/// As S3, it keeps a part until the whole upload is done with, whatever is dropped.
#[derive(Debug)]
pub struct DirectStore {
    store: Arc<MemoryStore>,
    arrived: Mutex<HashMap<Place, BTreeMap<u32, Part>>>,
}

impl DirectStore {
    pub fn new(store: Arc<MemoryStore>) -> Self {
        Self { store, arrived: Mutex::default() }
    }

    /// A part lands by its URL: the engine is not told.
    pub fn arrive(&self, place: &Place, number: u32, bytes: &[u8]) {
        let mark = self.store.stage(place, number, bytes);
        let part = Part {
            number,
            size_bytes: bytes.len() as u64,
            crc64: None,
            digests: Vec::new(),
            mark,
            voucher: Voucher::Store,
            landed_at: Timestamp::from_millis(0),
        };
        self.lock().entry(place.clone()).or_default().insert(number, part);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, BTreeMap<u32, Part>>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for DirectStore {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    async fn open(&self, id: UploadId, key: &Key, about: &About) -> Result<Opened, Fault> {
        self.store.open(id, key, about).await
    }

    async fn write_part(&self, at: PartPlace<'_>, spot: Spot) -> Result<Box<dyn PartWriter>, Fault> {
        self.store.write_part(at, spot).await
    }

    async fn continue_part(&self, at: PartPlace<'_>, tail: &Tail) -> Result<Box<dyn PartWriter>, Fault> {
        self.store.continue_part(at, tail).await
    }

    async fn drop_part(&self, _: &Place, _: u32, _: &Mark) -> Result<(), Fault> {
        Ok(())
    }

    async fn read_parts(&self, place: &Place, parts: &[Part]) -> Result<Option<ByteStream>, Fault> {
        self.store.read_parts(place, parts).await
    }

    async fn seal(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault> {
        self.store.seal(place, key, parts).await
    }

    async fn is_sealed(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<bool, Fault> {
        self.store.is_sealed(place, key, parts).await
    }

    async fn discard(&self, place: &Place) -> Result<(), Fault> {
        self.store.discard(place).await
    }

    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault> {
        self.store.survey(before, after, limit).await
    }

    async fn has(&self, key: &Key) -> Result<bool, Fault> {
        self.store.has(key).await
    }

    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault> {
        self.store.read(key).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault> {
        self.store.list(prefix, after, limit).await
    }

    async fn remove(&self, key: &Key) -> Result<(), Fault> {
        self.store.remove(key).await
    }

    async fn check(&self) -> Result<(), Fault> {
        self.store.check().await
    }

    fn direct(&self) -> Option<&dyn Direct> {
        Some(self)
    }
}

#[async_trait]
impl Direct for DirectStore {
    async fn signer(&self) -> Result<Arc<dyn Signer>, Fault> {
        Ok(Arc::new(PlainSigner))
    }

    async fn parts(&self, place: &Place, after: u32) -> Result<Option<Vec<Part>>, Fault> {
        let arrived = self.lock();
        let parts = arrived.get(place).into_iter().flatten().filter(|(number, _)| **number > after);
        Ok(Some(parts.map(|(_, part)| part.clone()).take(PAGE).collect()))
    }
}

/// Signs nothing: its URLs say what they are for.
struct PlainSigner;

impl Signer for PlainSigner {
    fn part_urls(&self, upload: &Upload, _: Validity) -> Box<dyn Fn(u32) -> String + Send + Sync> {
        let (location, id) = (self.location(&upload.key), upload.id.as_u128());
        Box::new(move |number| format!("{location}?partNumber={number}&uploadId=store-{id:x}"))
    }

    fn put_url(&self, key: &Key, _: Option<&str>, _: Validity) -> String {
        format!("{}?put", self.location(key))
    }

    fn get_url(&self, key: &Key, _: Option<&str>, _: Validity) -> String {
        format!("{}?get", self.location(key))
    }

    fn form(&self, key: &Key, _: &About, _: u64, _: Validity) -> Form {
        Form { url: "https://store.test/box".to_owned(), fields: vec![("key".to_owned(), key.to_string())] }
    }

    fn location(&self, key: &Key) -> String {
        format!("https://store.test/box/{key}")
    }

    fn bucket(&self) -> &'static str {
        "box"
    }

    fn region(&self) -> &'static str {
        "eu-west-1"
    }
}
