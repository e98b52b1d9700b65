//! What the credentials may do, tried on one object of our own that is gone afterwards.

use bytes::Bytes;
use http::Method;
use towline_s3::{Call, Client, Content};

use super::Examiner;
use super::visit::{Answer, Trouble, visit};
use crate::s3::headers;

const CONTENT: &[u8] = b"towline doctor was here";

/// What a store needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Put,
    Head,
    Read,
    List,
    Begin,
    PutPart,
    ListParts,
    ListUploads,
    Abort,
    Delete,
}

impl Act {
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put an object",
            Self::Head => "look at an object",
            Self::Read => "read an object",
            Self::List => "list objects",
            Self::Begin => "begin a multipart upload",
            Self::PutPart => "upload a part",
            Self::ListParts => "list parts",
            Self::ListUploads => "list multipart uploads",
            Self::Abort => "abort a multipart upload",
            Self::Delete => "delete an object",
        }
    }

    /// What AWS's policies call it.
    pub fn action(self) -> &'static str {
        match self {
            Self::Put | Self::Begin | Self::PutPart => "s3:PutObject",
            Self::Head | Self::Read => "s3:GetObject",
            Self::List => "s3:ListBucket",
            Self::ListParts => "s3:ListMultipartUploadParts",
            Self::ListUploads => "s3:ListBucketMultipartUploads",
            Self::Abort => "s3:AbortMultipartUpload",
            Self::Delete => "s3:DeleteObject",
        }
    }
}

/// An act, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub act: Act,
    pub outcome: Result<(), Trouble>,
}

/// Acts one after the other; what depends on an act that failed is left out.
struct Trial<'a> {
    client: &'a Client,
    name: String,
    tried: Vec<Tried>,
}

pub(super) async fn run(examiner: &Examiner) -> Vec<Tried> {
    let client = &examiner.client;
    let mut trial = Trial { client, name: examiner.name(), tried: Vec::new() };
    let settings = &examiner.settings;
    let said: Vec<_> = headers::of_keyed(settings).into_iter().chain(headers::tags(settings)).collect();
    let content = || Content::Text(Bytes::from_static(CONTENT));
    let is_put =
        trial.ask(Act::Put, trial.call(Method::PUT).headers(said.clone()).content(content())).await.is_some();
    if is_put {
        trial.ask(Act::Head, trial.call(Method::HEAD)).await;
        trial.check(Act::Read, trial.call(Method::GET), |answer| answer.body == CONTENT).await;
    }
    let listing = trial.of_bucket("list-type", "2");
    trial.check(Act::List, listing, |answer| !is_put || names(answer, "Contents")).await;
    let begun = trial.ask(Act::Begin, trial.call(Method::POST).query("uploads", "").headers(said)).await;
    let s3_id = begun.and_then(|answer| Some(answer.document().ok()?.said("UploadId")?.to_owned()));
    if let Some(s3_id) = s3_id {
        let call = |method| trial.call(method).query("uploadId", s3_id.as_str());
        let part = call(Method::PUT).query("partNumber", "1").content(content());
        let (list, abort) = (call(Method::GET), call(Method::DELETE));
        let has_part = trial.ask(Act::PutPart, part).await.is_some();
        trial.check(Act::ListParts, list, |answer| !has_part || names(answer, "Part")).await;
        let listing = trial.of_bucket("uploads", "");
        trial.check(Act::ListUploads, listing, |answer| names(answer, "Upload")).await;
        trial.ask(Act::Abort, abort).await;
    }
    if is_put {
        trial.ask(Act::Delete, trial.call(Method::DELETE)).await;
    }
    trial.tried
}

fn names(answer: &Answer, what: &str) -> bool {
    answer.document().is_ok_and(|document| document.child(what).is_some())
}

impl Trial<'_> {
    fn call(&self, method: Method) -> Call {
        Call::new(method, self.client.address.path(&self.name))
    }

    fn of_bucket(&self, what: &'static str, value: &str) -> Call {
        let path = self.client.address.bucket_path();
        Call::new(Method::GET, path).query(what, value).query("prefix", self.name.as_str())
    }

    async fn ask(&mut self, act: Act, call: Call) -> Option<Answer> {
        self.check_answer(act, call, |_| true).await
    }

    async fn check(&mut self, act: Act, call: Call, is_true: impl Fn(&Answer) -> bool) {
        self.check_answer(act, call, is_true).await;
    }

    async fn check_answer(
        &mut self,
        act: Act,
        call: Call,
        is_true: impl Fn(&Answer) -> bool,
    ) -> Option<Answer> {
        let answer = Box::pin(visit(self.client, call)).await.and_then(Answer::good);
        let answer = answer.and_then(|answer| {
            if is_true(&answer) {
                return Ok(answer);
            }
            Err(Trouble::Garbled("what was just written is not in it".to_owned()))
        });
        let (outcome, answer) = match answer {
            Ok(answer) => (Ok(()), Some(answer)),
            Err(trouble) => (Err(trouble), None),
        };
        self.tried.push(Tried { act, outcome });
        answer
    }
}
