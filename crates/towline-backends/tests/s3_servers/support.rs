//! Servers to test against, stores over them, and what an engine would do with those.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt as _;
use towline_backends::s3::{Patience, S3Credentials, S3Settings, S3Store};
use towline_core::clock::{Clock, Timestamp};
use towline_core::key::Key;
use towline_core::lease::{Lease, Leases, Seat};
use towline_core::plan::{Room, Slot};
use towline_core::store::{
    ByteStream, Opened, PartPlace, PartWriter, Place, Seal, SealedObject, Spot, Store,
};
use towline_core::testing::store_contract::{content, part_of};
use towline_core::upload::{About, Part, UploadId};
use towline_sigv4::{Credentials, Secret};

pub(crate) const MIB: usize = 1024 * 1024;

/// Signatures are looked at by servers that have the real time.
#[derive(Debug)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the servers compare signatures with the real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: String,
    region: String,
    bucket: String,
    pub(crate) credentials: Credentials,
}

impl Server {
    pub(crate) fn garage() -> Self {
        Self::named("TOWLINE_TEST_GARAGE")
    }

    pub(crate) fn swift() -> Self {
        Self::named("TOWLINE_TEST_SWIFT")
    }

    #[expect(clippy::disallowed_methods, reason = "the test command says by the environment what runs")]
    fn named(variable: &str) -> Self {
        let text = std::env::var(variable).unwrap_or_else(|_| {
            panic!("{variable} is not set: run `cargo xtask test`, or keep the servers up with `cargo xtask testbed`")
        });
        let [endpoint, region, bucket, access_key, secret_key] = text
            .split(',')
            .collect::<Vec<_>>()
            .try_into()
            .expect("endpoint,region,bucket,access_key,secret_key");
        Self {
            endpoint: endpoint.to_owned(),
            region: region.to_owned(),
            bucket: bucket.to_owned(),
            credentials: Credentials {
                access_key: access_key.to_owned(),
                secret_key: Secret::new(secret_key),
                session_token: None,
            },
        }
    }

    /// A store below a prefix that no other test uses, not even of an earlier run.
    pub(crate) fn settings(&self, test: &str) -> S3Settings {
        let run = RealClock.now().as_millis();
        S3Settings {
            endpoint: Some(self.endpoint.clone()),
            path_style: true,
            credentials: S3Credentials::Fixed(self.credentials.clone()),
            prefix: format!("{test}-{run}-{}/", fastrand::u32(..)),
            owns_bucket: true,
            spill_folder: std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
            patience: Patience {
                pause: Duration::from_millis(20),
                reply: Duration::from_secs(20),
                ..Patience::default()
            },
            ..S3Settings::new(&self.bucket, &self.region)
        }
    }

    pub(crate) async fn store_of_its_own(&self, test: &str) -> Arc<S3Store> {
        Arc::new(open(self.settings(test)).await)
    }
}

pub(crate) async fn open(settings: S3Settings) -> S3Store {
    S3Store::open(settings, Arc::new(RealClock)).await.unwrap_or_else(|fault| panic!("{}", told(&fault)))
}

pub(crate) fn told(fault: &towline_core::Fault) -> String {
    towline_core::error::chain(fault)
}

pub(crate) fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

pub(crate) fn id(number: u32) -> UploadId {
    UploadId::from_u128(0x4000_8000_0000_0000_0000_u128 + u128::from(number))
}

pub(crate) async fn place(store: &S3Store, (number, name): (u32, &str), about: &About) -> Place {
    match store.open(id(number), &key(name), about).await.unwrap_or_else(|fault| panic!("{}", told(&fault))) {
        Opened::At(place) => place,
        Opened::Blocked(obstacle) => panic!("{obstacle:?}"),
    }
}

pub(crate) fn slot(number: u32) -> Slot {
    Slot { number, offset_bytes: None, room: Room::UpTo(1 << 30) }
}

pub(crate) async fn lease(number: u32) -> Lease {
    Leases::default().take(id(number), Seat::Slot(number), Duration::from_secs(1)).await.unwrap()
}

pub(crate) async fn writer(store: &S3Store, place: &Place, number: u32) -> Box<dyn PartWriter> {
    let at = PartPlace {
        place,
        slot: slot(number),
        size_bytes: None,
        is_begun: false,
        lease: lease(number).await,
    };
    store.write_part(at, Spot::Own).await.unwrap()
}

/// Lands a part of these bytes.
pub(crate) async fn land(store: &S3Store, place: &Place, (number, bytes): (u32, &Bytes)) -> Part {
    let mut writer = writer(store, place, number).await;
    for start in (0..bytes.len()).step_by(MIB) {
        writer.write(bytes.slice(start..bytes.len().min(start + MIB))).await.unwrap();
    }
    let mark = writer.land().await.unwrap_or_else(|fault| panic!("{}", told(&fault)));
    part_of(number, bytes, mark)
}

/// A file of a few parts, landed: its place, its parts and its bytes.
pub(crate) async fn landed(
    store: &S3Store,
    (number, name): (u32, &str),
    about: &About,
    sizes: &[usize],
) -> (Place, Vec<Part>, Vec<u8>) {
    let place = place(store, (number, name), about).await;
    let (mut parts, mut whole) = (Vec::new(), Vec::new());
    for (part, size) in (1..).zip(sizes) {
        let bytes = content(u64::from(number * 100 + part), *size);
        parts.push(land(store, &place, (part, &bytes)).await);
        whole.extend_from_slice(&bytes);
    }
    (place, parts, whole)
}

pub(crate) async fn seal(store: &S3Store, place: &Place, name: &str, parts: &[Part]) -> SealedObject {
    match store.seal(place, &key(name), parts).await.unwrap_or_else(|fault| panic!("{}", told(&fault))) {
        Seal::Sealed(object) => object,
        other @ (Seal::Blocked(_) | Seal::Changed(_)) => panic!("{other:?}"),
    }
}

pub(crate) async fn gather(mut bytes: ByteStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(frame) = bytes.next().await {
        all.extend_from_slice(&frame.unwrap_or_else(|fault| panic!("{}", told(&fault))));
    }
    all
}

pub(crate) async fn object(store: &S3Store, name: &str) -> Vec<u8> {
    let object = store.read(&key(name)).await.unwrap().expect("the object is there");
    gather(object.reader.read(0..object.size_bytes)).await
}

/// A moment after all that a test does.
pub(crate) fn later() -> Timestamp {
    RealClock.now() + Duration::from_hours(1)
}

/// One exchange, by a client that knows nothing but HTTP: the status, the head and the body of the answer.
pub(crate) async fn http(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String, Vec<u8>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut head = format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &[name, ": ", value, "\r\n"].concat();
    }
    head += "connection: close\r\n\r\n";
    let mut connection = tokio::net::TcpStream::connect(host).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer.split_off(end + 4))
}
