//! The S3 store: AWS's own, and every server that speaks as it does. Parts go to a multipart upload of their object;
//! what S3 cannot do (read parts before they are a whole, keep the beginning of a part) happens in a corner of the
//! bucket that no client can name.
//!
//! Requests, their signatures, retries and time-outs live in `towline-s3`; what came of a completion that nobody
//! was told about, in `seal.rs`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use tokio::sync::Semaphore;
use towline_core::clock::{Clock, Timestamp};
use towline_core::digest::{Algorithm, Digest};
use towline_core::error::{Fault, FaultKind};
use towline_core::key::Key;
use towline_core::store::{
    ByteStream, Direct, Holder, Limits, Listed, Mark, Object, Opened, PartPlace, PartWriter, Place, Seal,
    Signer, Spot, Store,
};
use towline_core::upload::{About, Part, Tail, UploadId};
use towline_s3::multipart::{Check, Multipart, begin, head, remove};
use towline_s3::{BucketSettings, Call, Client, Problem};

use self::direct::S3Signer;
use self::place::{Room, tail_object};
use self::spill::Spill;
use self::writer::S3Writer;

mod corner;
mod direct;
pub mod examine;
mod headers;
mod listing;
mod place;
mod probe;
mod reader;
mod seal;
mod spill;
mod staged;
mod writer;

pub use self::spill::Waiting;
pub use towline_s3::{Patience, S3Credentials, Surroundings};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const PART_BYTES_MAX: u64 = 5 * GIB;
const PARTS_MAX: u32 = 10_000;

/// What an S3 store is made of.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, and all combinations make sense"
)]
pub struct S3Settings {
    pub bucket: String,
    pub region: String,
    /// `https://host` or `http://host:port`; AWS's own of the region when there is none.
    pub endpoint: Option<String>,
    /// The bucket is named in the path instead of the host.
    pub path_style: bool,
    pub credentials: S3Credentials,
    /// Stands before every key: a folder with its slash, or nothing.
    pub prefix: String,
    pub storage_class: Option<String>,
    pub encryption: Option<Encryption>,
    pub acl: Option<String>,
    pub tags: Vec<(String, String)>,
    /// All bytes pass through here: no client is given signed URLs of parts.
    pub is_relayed: bool,
    /// How many parts are sent to S3 at once; the others wait here.
    pub relay_slots: usize,
    /// Where parts wait for which there is no room in memory.
    pub spill_folder: PathBuf,
    /// How much waiting parts may take of memory, all together.
    pub spill_memory_bytes: u64,
    /// An object is never replaced, where the server can promise that.
    pub refuses_existing: bool,
    /// Nobody else uploads to this bucket: uploads that are not known here are left over.
    pub owns_bucket: bool,
    /// What one copy may have at most: 5 GiB on AWS.
    pub copy_bytes_max: u64,
    pub patience: Patience,
}

/// How objects are encrypted where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    Aes256,
    Kms { key_id: Option<String> },
}

impl S3Settings {
    /// A bucket with the usual settings, and credentials of AWS's chain without an environment.
    pub fn new(bucket: &str, region: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            region: region.to_owned(),
            endpoint: None,
            path_style: false,
            credentials: S3Credentials::Chain(Surroundings::default()),
            prefix: String::new(),
            storage_class: None,
            encryption: None,
            acl: None,
            tags: Vec::new(),
            is_relayed: false,
            relay_slots: 16,
            spill_folder: PathBuf::from("."),
            spill_memory_bytes: 64 * MIB,
            refuses_existing: false,
            owns_bucket: false,
            copy_bytes_max: PART_BYTES_MAX,
            patience: Patience::default(),
        }
    }

    fn connection(&self) -> BucketSettings {
        BucketSettings {
            bucket: self.bucket.clone(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            path_style: self.path_style,
            credentials: self.credentials.clone(),
            prefix: self.prefix.clone(),
            bodies_max: self.relay_slots,
            patience: self.patience,
        }
    }
}

/// Keeps bytes in a bucket.
#[derive(Clone)]
pub struct S3Store(Arc<Inner>);

struct Inner {
    client: Arc<Client>,
    settings: S3Settings,
    check: Check,
    has_conditions: bool,
    /// The requests that carry parts.
    slots: Semaphore,
    spill: Arc<Spill>,
}

impl Inner {
    /// Whether an `ETag` that looks like an MD5 may be that of encrypted bytes.
    fn hides_md5(&self) -> bool {
        matches!(self.settings.encryption, Some(Encryption::Kms { .. }))
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("client", &self.0.client)
            .field("check", &self.0.check)
            .field("has_conditions", &self.0.has_conditions)
            .finish_non_exhaustive()
    }
}

impl S3Store {
    /// Reaches the bucket and finds out what its server can do.
    pub async fn open(settings: S3Settings, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let client = Arc::new(Client::new(&settings.connection(), clock)?);
        let probe::Abilities { check, has_conditions } = Box::pin(probe::probe(&client, &settings)).await?;
        let slots = Semaphore::new(settings.relay_slots.max(1));
        let spill = Arc::new(Spill::new(settings.spill_folder.clone(), settings.spill_memory_bytes));
        Ok(Self(Arc::new(Inner { client, settings, check, has_conditions, slots, spill })))
    }

    /// The parts that wait here to be whole, or for their turn.
    pub fn waiting(&self) -> Waiting {
        self.0.spill.waiting()
    }

    async fn begin(&self, id: UploadId, key: &Key, about: &About) -> Result<Room, Problem> {
        let (store, address) = (&self.0, &self.0.client.address);
        let said = headers::about(about).into_iter().chain(store.check.of_upload());
        let said = said.chain(headers::tags(&store.settings));
        if has_to_be_read(about, store.settings.is_relayed) {
            let headers = said.chain(headers::of_every(&store.settings));
            let s3_id = begin(&store.client, &place::whole(address, id), headers).await?;
            return Ok(Room::Staged { s3_id, id });
        }
        let name = address.name(key.as_str());
        let headers = said.chain(headers::of_keyed(&store.settings));
        let s3_id = begin(&store.client, &name, headers).await?;
        Ok(Room::Keyed { s3_id, name })
    }

    async fn clear(&self, room: &Room) -> Result<(), Problem> {
        let client = &self.0.client;
        let folder = room.folder(&client.address);
        match room {
            Room::Keyed { .. } | Room::Staged { .. } => {
                if let Some((name, s3_id)) = room.multipart(&client.address) {
                    Multipart { client, name: &name, s3_id }.abort().await?;
                }
            }
            Room::Left { .. } => listing::abort_all(client, &folder).await?,
            Room::Tails { .. } => {}
        }
        listing::clear(client, &folder).await
    }
}

/// A part of no bytes was never sent.
fn with_bytes(parts: &[Part]) -> Vec<Part> {
    parts.iter().filter(|part| part.size_bytes > 0).cloned().collect()
}

/// CRC-64/NVME of the whole is known from the parts that pass through here; every other digest, and that of parts which
/// do not, needs all bytes in order.
fn has_to_be_read(about: &About, is_relayed: bool) -> bool {
    let declared = about.declared.as_ref().map(Digest::algorithm);
    declared.is_some_and(|algorithm| algorithm != Algorithm::Crc64Nvme || !is_relayed)
}

#[async_trait]
impl Store for S3Store {
    fn limits(&self) -> Limits {
        Limits {
            part_bytes_min: 5 * MIB,
            part_bytes_max: PART_BYTES_MAX,
            parts_max: PARTS_MAX,
            total_bytes_max: PART_BYTES_MAX * u64::from(PARTS_MAX),
            segment_bytes_max: None,
        }
    }

    async fn open(&self, id: UploadId, key: &Key, about: &About) -> Result<Opened, Fault> {
        let room = Box::pin(self.begin(id, key, about)).await;
        Ok(Opened::At(room.map_err(|problem| problem.fault("beginning an upload"))?.to_place()))
    }

    async fn write_part(&self, at: PartPlace<'_>, _spot: Spot) -> Result<Box<dyn PartWriter>, Fault> {
        let PartPlace { place, slot, size_bytes: _, is_begun: _, lease } = at;
        Ok(Box::new(S3Writer::new(Arc::clone(&self.0), place, slot.number, lease)?))
    }

    async fn continue_part(&self, at: PartPlace<'_>, tail: &Tail) -> Result<Box<dyn PartWriter>, Fault> {
        let PartPlace { place, slot, size_bytes: _, is_begun: _, lease } = at;
        let writer = S3Writer::new(Arc::clone(&self.0), place, slot.number, lease)?;
        Ok(Box::new(Box::pin(writer::continued(writer, tail)).await?))
    }

    async fn drop_part(&self, place: &Place, _number: u32, mark: &Mark) -> Result<(), Fault> {
        let Some(object) = tail_object(mark) else { return Ok(()) };
        let name = Room::of(place)?.folder(&self.0.client.address) + object;
        remove(&self.0.client, &name).await.map_err(|problem| problem.fault("dropping a tail"))
    }

    async fn read_parts(&self, place: &Place, parts: &[Part]) -> Result<Option<ByteStream>, Fault> {
        match Room::of(place)? {
            Room::Staged { s3_id, id } => {
                Box::pin(staged::read(&self.0, (id, &s3_id), &with_bytes(parts))).await
            }
            Room::Keyed { .. } | Room::Left { .. } | Room::Tails { .. } => {
                let what = "S3 does not read the parts of an unfinished upload";
                Err(Fault::new(FaultKind::Corrupt, "reading parts", what))
            }
        }
    }

    async fn seal(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault> {
        Box::pin(seal::seal(&self.0, place, key, &with_bytes(parts))).await
    }

    async fn is_sealed(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<bool, Fault> {
        Box::pin(seal::is_sealed(&self.0, place, key, &with_bytes(parts))).await
    }

    /// A staged upload is complete once it was read: S3 takes no more parts for it.
    fn can_repair(&self, place: &Place) -> bool {
        !matches!(Room::of(place), Ok(Room::Staged { .. }))
    }

    fn part_tag(&self, part: &Part) -> String {
        part.mark.0.clone()
    }

    async fn discard(&self, place: &Place) -> Result<(), Fault> {
        let room = Room::of(place)?;
        Box::pin(self.clear(&room)).await.map_err(|problem| problem.fault("discarding an upload"))
    }

    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault> {
        Box::pin(listing::survey(&self.0, before, after, limit)).await
    }

    async fn has(&self, key: &Key) -> Result<bool, Fault> {
        let name = self.0.client.address.name(key.as_str());
        let found = head(&self.0.client, &name).await;
        Ok(found.map_err(|problem| problem.fault("looking for an object"))?.is_some())
    }

    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault> {
        Box::pin(reader::open(&self.0.client, &self.0.client.address.name(key.as_str()))).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault> {
        Box::pin(listing::list(&self.0, prefix, after, limit)).await
    }

    async fn remove(&self, key: &Key) -> Result<(), Fault> {
        let name = self.0.client.address.name(key.as_str());
        remove(&self.0.client, &name).await.map_err(|problem| problem.fault("removing an object"))
    }

    async fn check(&self) -> Result<(), Fault> {
        let client = &self.0.client;
        let asked = client.send(Call::new(Method::HEAD, client.address.bucket_path())).await;
        asked.map(drop).map_err(|problem| problem.fault("looking at the bucket"))
    }

    fn direct(&self) -> Option<&dyn Direct> {
        Some(self)
    }
}

#[async_trait]
impl Direct for S3Store {
    async fn signer(&self) -> Result<Arc<dyn Signer>, Fault> {
        let signer = self.0.client.signer().await?;
        Ok(Arc::new(S3Signer { signer, address: self.0.client.address.clone() }))
    }

    async fn parts(&self, place: &Place, after: u32) -> Result<Option<Vec<Part>>, Fault> {
        Box::pin(listing::parts(&self.0, place, after)).await
    }
}
