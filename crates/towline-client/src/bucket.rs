//! A bucket of S3, with no server of ours between: a file gathers in a multipart upload whose id is the ticket's, and every
//! part is proven by a digest that the bucket's server compares or tells. Nothing is written beside the file itself, and
//! nothing is tried out on the bucket.
//!
//! What may be needed: `s3:PutObject`, `s3:AbortMultipartUpload`, `s3:ListMultipartUploadParts`,
//! `s3:ListBucketMultipartUploads` (to find uploads of other machines) and `s3:GetObject` (to read, and to see whether a
//! lost answer was a good one).

mod complaint;
mod finding;
mod layout;
mod loading;
mod proving;
mod reading;
mod sealing;
mod sending;

use std::fmt;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use towline_core::clock::Clock;
use towline_s3::multipart::{Multipart, begun};
use towline_s3::{Client, Problem, described};

pub use towline_s3::{BucketSettings, Credentials, Patience, S3Credentials, Secret, Surroundings};

use self::complaint::Act;
use self::loading::Loader;
use crate::remote::{
    Frames, Landed, Line, Order, Receipt, Remote, Shelf, Slot, State, Stored, Ticket, Upload, Whole,
};
use crate::trouble::Trouble;

/// What suits a bad line. A part that does not move for `reply` is given up, however large it is.
pub const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    reply: Duration::from_mins(1),
    slow_reply: Duration::from_mins(5),
    total: Duration::from_mins(5),
    tries: 6,
    pause: Duration::from_millis(500),
};

/// The longest name of an object.
const KEY_BYTES_MAX: usize = 1024;

/// One bucket. Where it turns out to be in another region than was told, that one is used from then on.
pub struct Bucket {
    settings: BucketSettings,
    clock: Arc<dyn Clock>,
    client: RwLock<Arc<Client>>,
    loader: Loader,
    /// The server refused checksums that it was sent with bytes: it is not sent any more of them.
    refuses_checksums: AtomicBool,
    /// No part was taken yet, or the last one was not: the server is asked before the next one is sent.
    is_in_doubt: AtomicBool,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name()).finish()
    }
}

impl Bucket {
    /// Asks nothing yet.
    pub fn open(settings: BucketSettings, clock: Arc<dyn Clock>) -> Result<Self, Trouble> {
        let client = connect(&settings, &clock).map_err(|problem| complaint::ours(&problem))?;
        let client = RwLock::new(Arc::new(client));
        let (refuses_checksums, is_in_doubt) = (AtomicBool::new(false), AtomicBool::new(true));
        let loader = Loader::new();
        Ok(Self { settings, clock, client, loader, refuses_checksums, is_in_doubt })
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks, and asks again where the bucket really is.
    async fn ask<T, F>(&self, asked: impl Fn(Arc<Client>) -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let client = self.client();
        match Box::pin(asked(Arc::clone(&client))).await {
            Err(problem) if self.follow(&client, &problem) => Box::pin(asked(self.client())).await,
            answer => answer,
        }
    }

    /// Whether the bucket is elsewhere, and will be asked there from now on.
    fn follow(&self, asked: &Client, problem: &Problem) -> bool {
        let Some(region) = problem.region().filter(|region| *region != asked.region()) else { return false };
        let settings = BucketSettings { region: region.to_owned(), ..self.settings.clone() };
        let Ok(client) = connect(&settings, &self.clock) else { return false };
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(client);
        true
    }

    /// What to say of a problem, to a person.
    fn trouble(&self, problem: &Problem, act: Act, key: &str) -> Trouble {
        complaint::trouble(problem, act, (&self.settings.bucket, key))
    }
}

fn connect(settings: &BucketSettings, clock: &Arc<dyn Clock>) -> Result<Client, Problem> {
    Client::new(settings, Arc::clone(clock)).map_err(Problem::Ours)
}

/// What the object is told to be. What S3 cannot be told is refused: nobody else would keep it.
fn described(order: &Order) -> Result<Vec<(String, String)>, Trouble> {
    if order.key.is_empty() || order.key.len() > KEY_BYTES_MAX {
        return Err(Trouble::refused(format!("an object's name has 1 to {KEY_BYTES_MAX} bytes"))
            .hint("say under which name with --key, or in s3://bucket/name"));
    }
    let metadata = order.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let (headers, left_out) = described::headers(order.content_type.as_deref(), metadata);
    if left_out.is_empty() {
        return Ok(headers);
    }
    Err(Trouble::refused(format!("S3 cannot keep this metadata: {}", left_out.join(", "))).hint(
        "names are letters, digits, '-', '_' and '.', each once, and all of it together is at most 2 KB",
    ))
}

#[async_trait]
impl Shelf for Bucket {
    async fn stored(&self, key: &str) -> Result<Option<Stored>, Trouble> {
        Box::pin(reading::stored(self, key)).await
    }

    async fn read(
        &self,
        stored: &Stored,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Trouble>>, Trouble> {
        Box::pin(reading::read(self, stored, range)).await
    }
}

#[async_trait]
impl Remote for Bucket {
    fn name(&self) -> String {
        let bucket = &self.settings.bucket;
        match &self.settings.endpoint {
            Some(endpoint) => format!("s3://{bucket} at {}", endpoint.trim_end_matches('/')),
            None => format!("s3://{bucket}"),
        }
    }

    fn whole_bytes_max(&self) -> Option<u64> {
        Some(layout::PART_BYTES)
    }

    async fn candidates(&self, order: &Order) -> Result<Vec<Upload>, Trouble> {
        Box::pin(finding::candidates(self, order)).await
    }

    async fn begin(&self, order: &Order) -> Result<Upload, Trouble> {
        let part_bytes = layout::part_bytes(order.total_bytes, order.part_bytes)?;
        let said = described(order)?;
        let begin = async |checks: &[(&str, &str)]| {
            let checks = checks.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let headers: Vec<_> = said.iter().cloned().chain(checks).collect();
            let asked = async |client: Arc<Client>| {
                let name = client.address.name(&order.key);
                begun(&client, &name, headers.clone()).await
            };
            Box::pin(self.ask(asked)).await
        };
        let result = match Box::pin(begin(&proving::OF_UPLOAD)).await {
            Err(problem) if proving::is_about_checksums(&problem) => Box::pin(begin(&[])).await,
            result => result,
        };
        let (id, reply) = result.map_err(|problem| self.trouble(&problem, Act::Begin, &order.key))?;
        Ok(Upload {
            ticket: Ticket { part_bytes: Some(part_bytes), ..Ticket::new(id, &order.key) },
            part_bytes,
            total_bytes: order.total_bytes,
            proof: proving::of_begun(&reply),
            landed: Vec::new(),
            is_resumed: false,
        })
    }

    /// Of an upload that nothing has landed in, nobody knows the size of its parts: it is told as for a file whose size
    /// nobody knows, and any other will do.
    async fn look(&self, ticket: &Ticket) -> Result<State, Trouble> {
        Box::pin(finding::look(self, ticket)).await
    }

    async fn send(&self, upload: &Upload, slot: Slot, frames: Frames) -> Result<Landed, Trouble> {
        Box::pin(sending::part(self, upload, slot, frames)).await
    }

    async fn send_whole(&self, order: &Order, frames: Frames) -> Result<Receipt, Trouble> {
        Box::pin(sending::whole(self, order, frames)).await
    }

    /// S3 does not ask.
    async fn declare(&self, _upload: &Upload, _total_bytes: u64) -> Result<(), Trouble> {
        Ok(())
    }

    async fn finish(&self, upload: &Upload, parts: &[Landed], whole: Whole) -> Result<Receipt, Trouble> {
        Box::pin(sealing::finish(self, upload, parts, whole)).await
    }

    async fn abort(&self, ticket: &Ticket) -> Result<(), Trouble> {
        let asked = async |client: Arc<Client>| {
            let name = client.address.name(&ticket.key);
            Multipart { client: &client, name: &name, s3_id: &ticket.id }.abort().await
        };
        let aborted = Box::pin(self.ask(asked)).await;
        aborted.map_err(|problem| self.trouble(&problem, Act::Abort, &ticket.key))
    }

    async fn unfinished(&self, prefix: &str, limit: usize) -> Result<Vec<Line>, Trouble> {
        Box::pin(finding::unfinished(self, prefix, limit)).await
    }
}
