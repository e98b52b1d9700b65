//! The s3 door's transcripts. Requests are signed as clients sign them, at the moment of the house's clock.

mod anything;
mod bodies;
mod denials;
mod foreign;
mod forms;
mod keys;
mod lists;
mod open;
mod uploads;
mod wholes;

use std::sync::Arc;

use axum::Router;
use sha2::{Digest as _, Sha256};
use towline_core::clock::Clock as _;
use towline_core::policy::{Operation, Policy, Principal};
use towline_doors::{AccessKey, DoorSettings, Keyring, S3DoorSettings};
use towline_sigv4::{Credentials, Moment, Origin, Payload, Secret, Signer, Target};

use crate::talk::Talk;

const ORIGIN: &str = "http://s3.test:8000";

/// A house whose s3 door knows two callers.
struct S3 {
    talk: Talk,
    keyring: Arc<Keyring>,
}

/// One request before it is signed.
#[derive(Clone, Copy)]
struct Ask<'a> {
    method: &'a str,
    /// Not encoded.
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    /// The digest of the body, when nothing else is said.
    payload: Option<Payload>,
}

fn ask<'a>(method: &'a str, path: &'a str) -> Ask<'a> {
    Ask { method, path, query: &[], headers: &[], body: b"", payload: None }
}

impl<'a> Ask<'a> {
    fn query(self, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { query, ..self }
    }

    fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    fn body(self, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { body: body.as_ref(), ..self }
    }

    fn payload(self, payload: Payload) -> Self {
        Self { payload: Some(payload), ..self }
    }

    fn target<'b>(&'b self, origin: &'b Origin) -> Target<'b> {
        let Self { method, path, query, headers, .. } = *self;
        Target { method, origin, path, query, headers }
    }

    fn signed(self, signer: &Signer, moment: Moment) -> Vec<u8> {
        let origin = Origin::parse(ORIGIN).expect("an origin");
        let target = self.target(&origin);
        let payload = self.payload.unwrap_or_else(|| Payload::Sha256(Sha256::digest(self.body).into()));
        let own = signer.sign(&target, payload, moment);
        let headers = own.iter().map(|(name, value)| (*name, value.as_str())).chain(self.headers.to_vec());
        self.text(&target.url()[ORIGIN.len()..], headers)
    }

    fn presigned(self, signer: &Signer, moment: Moment, lasts: std::time::Duration) -> Vec<u8> {
        let origin = Origin::parse(ORIGIN).expect("an origin");
        let url = signer.presign(&self.target(&origin), moment, lasts);
        self.text(&url[ORIGIN.len()..], self.headers.iter().copied())
    }

    fn text<'b>(self, target: &str, headers: impl Iterator<Item = (&'b str, &'b str)>) -> Vec<u8> {
        let mut text = format!("{} {target}\nhost: s3.test:8000\n", self.method);
        for (name, value) in headers {
            text.extend([name, ": ", value, "\n"]);
        }
        [text.as_bytes(), b"\n", self.body].concat()
    }
}

fn signer(access_key: &str, secret_key: &str) -> Signer {
    let secret_key = Secret::new(secret_key);
    let credentials = Credentials { access_key: access_key.to_owned(), secret_key, session_token: None };
    Signer::new(credentials, "us-east-1")
}

fn ali() -> Signer {
    signer("AKALI", "secret of ali")
}

fn eve() -> Signer {
    signer("AKEVE", "secret of eve")
}

impl Default for S3 {
    fn default() -> Self {
        Self::with(DoorSettings::default())
    }
}

impl S3 {
    /// Ali may do everything to his files, Eve may read below `shared/` and no more.
    fn with(settings: DoorSettings) -> Self {
        let key = |access_key: &str, owner: &str, operations: &[Operation], prefix: &str| AccessKey {
            access_key: access_key.to_owned(),
            secret_key: Secret::new(format!("secret of {owner}")),
            principal: Principal {
                owner: owner.to_owned(),
                operations: operations.to_vec(),
                key_prefix: prefix.to_owned(),
            },
        };
        let all = [Operation::Upload, Operation::Read, Operation::Delete];
        let keys = vec![key("AKALI", "ali", &all, ""), key("AKEVE", "eve", &[Operation::Read], "shared/")];
        let keyring = Arc::new(Keyring::new(Secret::new("testing"), keys));
        let s3 = S3DoorSettings { keyring: Arc::clone(&keyring), ..settings.s3 };
        let policy = Policy { free_part_bytes_min: 4, ..Policy::default() };
        Self { talk: Talk::new(policy, DoorSettings { s3, ..settings }, Router::new()), keyring }
    }

    fn now(&self) -> Moment {
        Moment::from_unix(self.talk.house.clock.now().as_millis() / 1000)
    }

    /// Asks as Ali.
    async fn say(&self, ask: Ask<'_>) -> String {
        self.say_as(&ali(), ask).await
    }

    async fn say_as(&self, signer: &Signer, ask: Ask<'_>) -> String {
        self.talk.say(ask.signed(signer, self.now())).await
    }

    /// Status and code of the answer, as in `404 NoSuchKey`.
    async fn code(&self, ask: Ask<'_>) -> String {
        code(&self.say(ask).await)
    }

    async fn put(&self, key: &str, body: &str) -> String {
        let path = format!("/towline/{key}");
        let reply = self.say(ask("PUT", &path).body(body)).await;
        assert!(reply.starts_with("200 OK"), "{reply}");
        reply
    }

    /// Begins an upload and gives its id.
    async fn begin(&self, key: &str) -> String {
        let path = format!("/towline/{key}");
        let reply = self.say(ask("POST", &path).query(&[("uploads", "")])).await;
        between(&reply, "<UploadId>", "</UploadId>").to_owned()
    }

    /// Sends a part and gives its tag, without quotes.
    async fn put_part(&self, (key, id): (&str, &str), number: u32, body: &str) -> String {
        let (path, number) = (format!("/towline/{key}"), number.to_string());
        let query = [("partNumber", number.as_str()), ("uploadId", id)];
        let reply = self.say(ask("PUT", &path).query(&query).body(body)).await;
        between(&reply, "etag: \"", "\"").to_owned()
    }

    async fn complete(&self, (key, id): (&str, &str), parts: &[(u32, &str)]) -> String {
        let path = format!("/towline/{key}");
        self.say(ask("POST", &path).query(&[("uploadId", id)]).body(&completion(parts))).await
    }
}

fn completion(parts: &[(u32, &str)]) -> String {
    let parts = parts
        .iter()
        .map(|(number, tag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{tag}\"</ETag></Part>"));
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}")).1;
    rest.split_once(end).unwrap_or_else(|| panic!("no {end} in {text}")).0
}

fn code(reply: &str) -> String {
    let status = &reply[..3];
    match reply.split_once("<Code>") {
        Some((_, rest)) => format!("{status} {}", rest.split('<').next().unwrap_or_default()),
        None => status.to_owned(),
    }
}
