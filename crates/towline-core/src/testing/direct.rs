//! The memory store as one that clients reach by URLs of its own: `https://store.test/box/<key>`.

use std::sync::Arc;

use async_trait::async_trait;

use super::memory_store::MemoryStore;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::key::Key;
use crate::store::{
    ByteStream, Direct, Form, Holder, Limits, Listed, Mark, Object, Opened, PartPlace, PartWriter, Place,
    Seal, Signer, Spot, Store, Validity,
};
use crate::upload::{About, Part, Tail, Upload, UploadId};

/// Nothing lands past the engine here: what it says of parts is that it has none.
#[derive(Debug)]
pub struct DirectStore(pub Arc<MemoryStore>);

#[async_trait]
impl Store for DirectStore {
    fn limits(&self) -> Limits {
        self.0.limits()
    }

    async fn open(&self, id: UploadId, key: &Key, about: &About) -> Result<Opened, Fault> {
        self.0.open(id, key, about).await
    }

    async fn write_part(&self, at: PartPlace<'_>, spot: Spot) -> Result<Box<dyn PartWriter>, Fault> {
        self.0.write_part(at, spot).await
    }

    async fn continue_part(&self, at: PartPlace<'_>, tail: &Tail) -> Result<Box<dyn PartWriter>, Fault> {
        self.0.continue_part(at, tail).await
    }

    async fn drop_part(&self, place: &Place, number: u32, mark: &Mark) -> Result<(), Fault> {
        self.0.drop_part(place, number, mark).await
    }

    async fn read_parts(&self, place: &Place, parts: &[Part]) -> Result<Option<ByteStream>, Fault> {
        self.0.read_parts(place, parts).await
    }

    async fn seal(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault> {
        self.0.seal(place, key, parts).await
    }

    async fn is_sealed(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<bool, Fault> {
        self.0.is_sealed(place, key, parts).await
    }

    async fn discard(&self, place: &Place) -> Result<(), Fault> {
        self.0.discard(place).await
    }

    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault> {
        self.0.survey(before, after, limit).await
    }

    async fn has(&self, key: &Key) -> Result<bool, Fault> {
        self.0.has(key).await
    }

    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault> {
        self.0.read(key).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault> {
        self.0.list(prefix, after, limit).await
    }

    async fn remove(&self, key: &Key) -> Result<(), Fault> {
        self.0.remove(key).await
    }

    async fn check(&self) -> Result<(), Fault> {
        self.0.check().await
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

    async fn parts(&self, _: &Place, _: u32) -> Result<Option<Vec<Part>>, Fault> {
        Ok(Some(Vec::new()))
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
