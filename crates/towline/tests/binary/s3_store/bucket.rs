//! A bucket of a real server, under a prefix that no other test uses, and Towline in front of it.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use towline_core::digest::hex;

use crate::support::{Connection, Ended, Reply, Server};

pub(crate) const MIB: usize = 1024 * 1024;

/// What the test command says of a server.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) endpoint: String,
    region: String,
    name: String,
    access_key: String,
    secret_key: String,
    prefix: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Direct,
    Relayed,
}

impl Bucket {
    pub(crate) fn of_garage() -> Self {
        Self::named("TOWLINE_TEST_GARAGE")
    }

    pub(crate) fn of_swift() -> Self {
        Self::named("TOWLINE_TEST_SWIFT")
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::of_garage(), Self::of_swift()]
    }

    fn named(variable: &str) -> Self {
        let text = variable_of(variable);
        let [endpoint, region, name, access_key, secret_key] =
            text.split(',').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        // The servers may have been up for days, and other work trees may use them.
        let prefix = format!("binary-{}-{:016x}/", std::process::id(), fastrand::u64(..));
        Self { endpoint, region, name, access_key, secret_key, prefix }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// The same bucket, reached over another address.
    pub(crate) fn by_way_of(&self, address: SocketAddr) -> Self {
        Self { endpoint: format!("http://{address}"), ..self.clone() }
    }

    /// As people write it.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }

    /// What AWS's own tools read from the environment to come in.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ACCESS_KEY_ID", &self.access_key),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_key),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_ENDPOINT_URL", &self.endpoint),
        ]
    }

    /// Bucket and key, as `s3api` wants to hear them.
    pub(crate) fn named_object(&self, key: &str) -> [String; 4] {
        ["--bucket".into(), self.name.clone(), "--key".into(), format!("{}{key}", self.prefix)]
    }

    /// The AWS CLI asks the store itself, so that Towline need not be believed.
    #[track_caller]
    pub(crate) fn aws(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(variable_of("TOWLINE_TEST_AWS"));
        command.env_clear().stdin(Stdio::null()).envs(self.environment());
        for (name, value) in [
            ("PYTHONUTF8", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("AWS_DEFAULT_OUTPUT", "json"),
            // Garage has checksums of its own mind about objects that were made of parts.
            ("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required"),
        ] {
            command.env(name, value);
        }
        let ended = Ended::from(command.args(arguments).output().unwrap());
        assert_eq!(ended.code, Some(0), "aws {arguments:?}\n{}{}", ended.out, ended.err);
        ended
    }

    /// The store's object of this key has these bytes.
    #[track_caller]
    pub(crate) fn assert_holds(&self, key: &str, bytes: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        self.aws(&["s3", "cp", &self.url(key), copy.to_str().unwrap()]);
        assert_same(&fs::read(copy).unwrap(), bytes);
    }

    /// The uploads that the store knows of below this test's prefix.
    pub(crate) fn uploads_under_way(&self) -> usize {
        let list = ["s3api", "list-multipart-uploads", "--bucket", &self.name, "--prefix", &self.prefix];
        let ended = self.aws(&list);
        let listed: Value = serde_json::from_str(&ended.out).unwrap_or(Value::Null);
        listed["Uploads"].as_array().map_or(0, Vec::len)
    }
}

fn variable_of(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test command says by the environment what is there")]
    let value = std::env::var(name);
    value.unwrap_or_else(|_| {
        panic!("{name} is not set: run this test with `cargo xtask test`, or keep the servers up with `cargo xtask testbed`")
    })
}

/// Towline in front of a bucket.
#[derive(Debug)]
pub(crate) struct Front {
    data: TempDir,
    way: Way,
    settings: Vec<&'static str>,
    pub(crate) server: Server,
}

impl Front {
    pub(crate) fn start(bucket: &Bucket, way: Way) -> Self {
        Self::start_with(bucket, way, &[])
    }

    pub(crate) fn start_with(bucket: &Bucket, way: Way, settings: &[&'static str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = serve(&data, bucket, way, settings);
        Self { data, way, settings: settings.to_vec(), server }
    }

    /// As after a power cut. The store may be reached over another address now.
    pub(crate) fn kill_and_start_again(&mut self, bucket: &Bucket) {
        self.server.kill();
        self.server = serve(&self.data, bucket, self.way, &self.settings);
    }

    /// A request with a body of JSON, or without one, as a page sends it.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let host = self.server.address().to_string();
        let headers = [("Content-Type", "application/json"), ("Host", &host)];
        self.server.connect().send(method, path, &headers, body.as_bytes())
    }

    /// The file as whoever downloads it gets it, sent on to the store or not.
    pub(crate) fn get(&self, key: &str) -> Vec<u8> {
        let reply = self.server.get(&format!("/download/{key}"));
        match reply.header("location") {
            Some(url) => send_to("GET", url, b"").body,
            None => reply.body,
        }
    }
}

fn serve(data: &TempDir, bucket: &Bucket, way: Way, settings: &[&str]) -> Server {
    let way = match way {
        Way::Direct => "direct",
        Way::Relayed => "relayed",
    };
    Server::start_with(data.path(), |command| {
        command.args(["--store", "s3", "--s3-bucket", &bucket.name, "--s3-endpoint", &bucket.endpoint]);
        command.args(["--s3-region", &bucket.region, "--s3-prefix", &bucket.prefix, "--s3-transfer", way]);
        command.env("TOWLINE_S3_ACCESS_KEY", &bucket.access_key);
        command.env("TOWLINE_S3_SECRET_KEY", &bucket.secret_key);
        command.args(settings);
    })
}

/// One request to wherever a URL points.
pub(super) fn send_to(method: &str, url: &str, body: &[u8]) -> Reply {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("not a URL of a test: {url}"));
    let at = rest.find('/').unwrap();
    let (host, path) = rest.split_at(at);
    Connection::open(host.parse().unwrap()).send(
        method,
        path,
        &[("Host", host), ("Connection", "close")],
        body,
    )
}

/// An upload of Uppy's, whose parts go to the store by signed URLs.
#[derive(Debug)]
pub(super) struct Uppy {
    pub(super) id: String,
    pub(super) key: String,
    /// As `complete` wants them.
    pub(super) parts: Vec<Value>,
}

impl Uppy {
    pub(super) fn begin(front: &Front, filename: &str) -> Self {
        let begun =
            front.ask("POST", "/s3/multipart", &json!({"filename": filename, "type": "video/mp4"})).ok();
        let text = |name: &str| begun[name].as_str().unwrap().to_owned();
        Self { id: text("uploadId"), key: text("key"), parts: Vec::new() }
    }

    fn path(&self, rest: &str) -> String {
        let key = towline_sigv4::encode_path(&self.key);
        format!("/s3/multipart/{}{rest}?key={key}", self.id)
    }

    pub(super) fn url(&self, front: &Front, number: usize) -> String {
        let signed = front.ask("GET", &self.path(&format!("/{number}")), &Value::Null).ok();
        signed["url"].as_str().unwrap().to_owned()
    }

    pub(super) fn try_url(&self, front: &Front, number: usize) -> Reply {
        front.ask("GET", &self.path(&format!("/{number}")), &Value::Null)
    }

    /// Puts a part straight to the store.
    pub(super) fn put(&mut self, front: &Front, number: usize, bytes: &[u8]) {
        let reply = send_to("PUT", &self.url(front, number), bytes);
        assert_eq!(reply.status, 200, "{}", reply.text());
        self.parts.push(json!({"PartNumber": number, "ETag": reply.header("etag").unwrap()}));
    }

    /// Numbers, sizes and tags as the store has them.
    pub(super) fn list(&self, front: &Front) -> Value {
        front.ask("GET", &self.path(""), &Value::Null).ok()
    }

    pub(super) fn complete(&self, front: &Front) -> Reply {
        self.complete_with(front, &self.parts)
    }

    pub(super) fn complete_with(&self, front: &Front, parts: &[Value]) -> Reply {
        front.ask("POST", &self.path("/complete"), &json!({"parts": parts}))
    }

    /// What a thread that outlives the borrow needs for the same.
    pub(super) fn complete_path(&self) -> String {
        self.path("/complete")
    }

    pub(super) fn abort(&self, front: &Front) -> Reply {
        front.ask("DELETE", &self.path(""), &Value::Null)
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[track_caller]
pub(crate) fn assert_same(found: &[u8], sent: &[u8]) {
    assert_eq!((found.len(), sha256(found)), (sent.len(), sha256(sent)));
}
