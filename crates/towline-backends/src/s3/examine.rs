//! A closer look at a bucket, for people: what it is set to, what its server can do and what the credentials may. Tells
//! facts; what is good and what is not is said by whoever asks. Nothing here runs while the store serves.

mod cors;
mod element;
mod lifecycle;
mod page;
mod trial;
mod visit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Method;
use tokio::time::Instant;
use towline_core::clock::{Clock, Timestamp};
use towline_core::digest::{Algorithm, Digester};
use towline_core::error::Fault;
use towline_s3::multipart::Check;
use towline_s3::{Call, Client, Content, xml};

use super::{Patience, S3Settings, corner, probe};
use visit::{Answer, visit};

pub use cors::{Cors, Gap, METHODS};
pub use element::Element;
pub use lifecycle::{Days, Lifecycle};
pub use page::Passage;
pub use trial::{Act, Tried};
pub use visit::{Refused, Trouble};

/// Short, since a person waits; and asked once, so that what is said is what happened.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    reply: Duration::from_secs(10),
    slow_reply: Duration::from_secs(20),
    total: Duration::from_secs(20),
    tries: 2,
    pause: Duration::from_millis(200),
};
/// How many pages of unfinished uploads are counted, of a thousand each.
const PAGES_MAX: usize = 20;

/// Looks at one bucket.
pub struct Examiner {
    client: Client,
    settings: S3Settings,
}

impl fmt::Debug for Examiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Examiner").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What the first question brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whether the bucket answered well.
    pub outcome: Result<(), Trouble>,
    pub took: Duration,
    /// How far our clock is ahead of the server's, in seconds; nothing when it told no time.
    pub ahead_s: Option<i64>,
    /// Where the server says the bucket is.
    pub region: Option<String>,
}

/// What the server checks and honours, tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The digest that it compares parts by; nothing when it compares none.
    pub parts: Option<Algorithm>,
    /// It compares the digest of the whole, too.
    pub checks_whole: bool,
    /// It can refuse to replace an object.
    pub has_conditions: bool,
}

/// Uploads that somebody began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    pub count: usize,
    pub oldest: Option<Timestamp>,
    /// There are more than were counted.
    pub has_more: bool,
}

impl Examiner {
    pub fn new(settings: S3Settings, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        // The probe tries conditions only for those who need them.
        let settings = S3Settings { patience: PATIENCE, refuses_existing: true, ..settings };
        Ok(Self { client: Client::new(&settings.connection(), clock)?, settings })
    }

    /// Where the bucket is, as a person would look for it.
    pub fn url(&self) -> String {
        self.client.address.url("")
    }

    /// Whether anybody answers, and believes who asks.
    pub async fn reach(&self) -> Reach {
        let (asked_at, begin) = (self.client.now(), Instant::now());
        let listing = self.call(Method::GET).query("list-type", "2").query("max-keys", "1");
        let answer = Box::pin(visit(&self.client, listing)).await;
        let took = begin.elapsed();
        let answer = match answer {
            Ok(answer) => answer,
            Err(trouble) => return Reach { outcome: Err(trouble), took, ahead_s: None, region: None },
        };
        let ahead_s = answer.header("date").and_then(|text| httpdate::parse_http_date(text).ok());
        let ahead_s = ahead_s.and_then(|at| {
            let server = at.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
            Some(asked_at.as_millis().div_euclid(1000) - i64::try_from(server).ok()?)
        });
        let region = answer.header("x-amz-bucket-region").map(str::to_owned);
        let outcome = answer.good().map(drop);
        let is_lost = outcome.as_ref().is_err_and(|trouble| {
            trouble.is_about_caller() || trouble.is_missing() || trouble.region().is_some()
        });
        let region = match region {
            Some(region) => Some(region),
            None if is_lost => None,
            None => Box::pin(self.location()).await,
        };
        Reach { outcome, took, ahead_s, region }
    }

    /// What the server says when it is asked for the region. The oldest two have names of their own.
    async fn location(&self) -> Option<String> {
        let answer =
            visit(&self.client, self.call(Method::GET).query("location", "")).await.ok()?.good().ok()?;
        let document = answer.document().ok()?;
        let is_location = document.name == "LocationConstraint";
        is_location.then(|| match document.text.trim() {
            "" => "us-east-1".to_owned(),
            "EU" => "eu-west-1".to_owned(),
            region => region.to_owned(),
        })
    }

    /// What the credentials may do.
    pub async fn try_all(&self) -> Vec<Tried> {
        Box::pin(trial::run(self)).await
    }

    pub async fn abilities(&self) -> Result<Abilities, Fault> {
        let probe::Abilities { check, has_conditions } =
            Box::pin(probe::probe(&self.client, &self.settings)).await?;
        let parts = match check {
            Check::Crc64Whole | Check::Crc64 => Some(Algorithm::Crc64Nvme),
            Check::Crc32c => Some(Algorithm::Crc32c),
            Check::Md5 => None,
        };
        Ok(Abilities { parts, checks_whole: check == Check::Crc64Whole, has_conditions })
    }

    /// The bucket's CORS rules, of which there may be none.
    pub async fn cors(&self) -> Result<Cors, Trouble> {
        match Box::pin(self.rules("cors", "NoSuchCORSConfiguration")).await? {
            Some(answer) => Ok(Cors { document: answer.document_of("CORSConfiguration")? }),
            None => Ok(Cors::none()),
        }
    }

    pub async fn set_cors(&self, cors: &Cors) -> Result<(), Trouble> {
        Box::pin(self.set("cors", &cors.document, None)).await
    }

    /// The bucket's lifecycle rules, of which there may be none.
    pub async fn lifecycle(&self) -> Result<Lifecycle, Trouble> {
        let Some(answer) = Box::pin(self.rules("lifecycle", "NoSuchLifecycleConfiguration")).await? else {
            return Ok(Lifecycle::none());
        };
        let minimum = answer.header(lifecycle::MINIMUM).map(str::to_owned);
        Ok(Lifecycle { document: answer.document_of("LifecycleConfiguration")?, minimum })
    }

    pub async fn set_lifecycle(&self, lifecycle: &Lifecycle) -> Result<(), Trouble> {
        let minimum = lifecycle.minimum.clone().map(|minimum| (lifecycle::MINIMUM.to_owned(), minimum));
        Box::pin(self.set("lifecycle", &lifecycle.document, minimum)).await
    }

    /// What a page of this origin could do; one `*` in it stands for anything.
    pub async fn passage(&self, origin: &str) -> Result<Passage, Trouble> {
        Box::pin(page::passage(self, origin)).await
    }

    /// All uploads under way or forgotten in the whole bucket, whoever began them.
    pub async fn unfinished(&self) -> Result<Unfinished, Trouble> {
        let mut found = Unfinished::default();
        let mut from: Option<(String, String)> = None;
        for _ in 0..PAGES_MAX {
            let mut call = self.call(Method::GET).query("uploads", "").query("encoding-type", "url");
            if let Some((key, id)) = from {
                call = call.query("key-marker", key).query("upload-id-marker", id);
            }
            let page = Box::pin(visit(&self.client, call)).await?.good()?.document()?;
            for upload in page.all("Upload") {
                let at = upload.said("Initiated").and_then(xml::moment);
                found.count += 1;
                found.oldest = [found.oldest, at].into_iter().flatten().min();
            }
            let key = page.said("NextKeyMarker").and_then(xml::decode);
            let id = page.said("NextUploadIdMarker").map(str::to_owned);
            from = key.zip(id).filter(|_| page.said("IsTruncated") == Some("true"));
            if from.is_none() {
                return Ok(found);
            }
        }
        found.has_more = true;
        Ok(found)
    }

    fn call(&self, method: Method) -> Call {
        Call::new(method, self.client.address.bucket_path())
    }

    /// The name of an object of our own that nobody else has.
    fn name(&self) -> String {
        format!("{}doctor-{:016x}", corner::own(&self.client.address), fastrand::u64(..))
    }

    async fn rules(&self, which: &'static str, none: &str) -> Result<Option<Answer>, Trouble> {
        match visit(&self.client, self.call(Method::GET).query(which, "")).await?.good() {
            Ok(answer) => Ok(Some(answer)),
            Err(trouble) if trouble.code() == none => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn set(
        &self,
        which: &'static str,
        document: &Element,
        header: Option<(String, String)>,
    ) -> Result<(), Trouble> {
        let text = document.to_document();
        let mut digester = Digester::new(Some(Algorithm::Md5));
        digester.update(text.as_bytes());
        let md5 = digester.finish().get(Algorithm::Md5).map(|digest| BASE64_STANDARD.encode(digest.bytes()));
        let call = self
            .call(Method::PUT)
            .query(which, "")
            .headers(md5.map(|md5| ("content-md5".to_owned(), md5)))
            .headers(header)
            .content(Content::Text(Bytes::from(text)));
        visit(&self.client, call).await?.good().map(drop)
    }
}
