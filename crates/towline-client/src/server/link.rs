//! A file behind any URL, public or signed. It may be signed for GET only, so nothing else is asked.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, IF_MATCH, LOCATION, RANGE};
use http::{Request, StatusCode, Uri};

use super::address::{parse_uri, resolve, shown};
use super::line::{Answer, Line, Patience, host};
use super::problem::{Problem, printable};
use super::read::{content_range, header, known, pieces, range_text, strong};
use super::talk::Again;
use crate::remote::{Shelf, Stored};
use crate::trouble::Trouble;

const REDIRECTS_MAX: usize = 5;

/// One file; the keys that it is asked for are only names for it.
pub struct Link {
    uri: Uri,
    line: Line,
    /// It gave more than it was asked for.
    gives_only_whole: AtomicBool,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.name()).finish()
    }
}

impl Link {
    pub fn open(url: &str) -> Result<Self, Trouble> {
        Self::open_with(url, Patience::default())
    }

    pub fn open_with(url: &str, patience: Patience) -> Result<Self, Trouble> {
        let uri =
            parse_uri(url).map_err(|why| Trouble::refused(format!("this URL cannot be used: {why}")))?;
        let is_tls = uri.scheme_str() == Some("https");
        Ok(Self { line: Line::open(is_tls, patience)?, uri, gives_only_whole: AtomicBool::new(false) })
    }

    /// The URL without its query, which may be a signature.
    pub fn name(&self) -> String {
        printable(&shown(&self.uri))
    }

    /// Asks for a range, again and again while that may help.
    async fn ask(&self, range: &Range<u64>, tag: Option<&str>) -> Result<Result<Answer, Problem>, Trouble> {
        let mut again = Again::short(&self.line.patience);
        loop {
            let trouble = match self.once(range, tag).await {
                Ok(Err(problem)) if problem.may_pass() => problem.trouble_of_store(),
                Err(trouble) => trouble,
                answered @ Ok(_) => return answered,
            };
            again.after(trouble).await?;
        }
    }

    async fn once(&self, range: &Range<u64>, tag: Option<&str>) -> Result<Result<Answer, Problem>, Trouble> {
        let mut uri = self.uri.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut request = Request::new(Bytes::new());
            *request.uri_mut() = uri.clone();
            request.headers_mut().insert(RANGE, header(&range_text(range))?);
            if let Some(tag) = tag {
                request.headers_mut().insert(IF_MATCH, header(tag)?);
            }
            let patience = &self.line.patience;
            let answer = self.line.ask(request, patience.connect + patience.reply).await?;
            if answer.status.is_success() || answer.status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(Ok(answer));
            }
            let next = answer.header(LOCATION.as_str()).and_then(|location| resolve(&uri, location));
            match next.filter(|_| answer.status.is_redirection()) {
                Some(next) => uri = next,
                None => return Ok(Err(Problem::read(answer).await)),
            }
        }
        Err(Trouble::refused(format!("{} is redirected too often", self.name())))
    }
}

fn told_no(problem: &Problem) -> Trouble {
    let trouble = problem.trouble_of_store();
    if problem.status == StatusCode::FORBIDDEN {
        return trouble.hint("if the URL was signed, it may have expired: ask for a new one");
    }
    trouble
}

#[async_trait]
impl Shelf for Link {
    async fn stored(&self, key: &str) -> Result<Option<Stored>, Trouble> {
        let answer = match Box::pin(self.ask(&(0..1), None)).await? {
            Ok(answer) => answer,
            Err(problem) if problem.status == StatusCode::NOT_FOUND => return Ok(None),
            Err(problem) => return Err(told_no(&problem)),
        };
        let place = answer.header(CONTENT_RANGE.as_str());
        let size_bytes = match answer.status {
            StatusCode::PARTIAL_CONTENT => place.and_then(content_range).map(|(_, size_bytes)| size_bytes),
            // No byte of an empty file can be given.
            StatusCode::RANGE_NOT_SATISFIABLE => (place == Some("bytes */0")).then_some(0),
            _ => answer.header(CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok()),
        };
        let size_bytes = size_bytes.ok_or_else(|| {
            Trouble::refused(format!("{} does not say how large the file is", host(&answer.uri)))
        })?;
        let is_whole = answer.status != StatusCode::PARTIAL_CONTENT && size_bytes > 1;
        self.gives_only_whole.store(is_whole, Ordering::Relaxed);
        Ok(Some(known(&answer, (key, size_bytes))))
    }

    fn has_ranges(&self) -> bool {
        !self.gives_only_whole.load(Ordering::Relaxed)
    }

    async fn read(
        &self,
        stored: &Stored,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Trouble>>, Trouble> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        // Once: whoever reads goes on where the last try ended.
        match Box::pin(self.once(&range, strong(stored))).await? {
            Ok(answer) if answer.status.is_success() => pieces(answer, (stored, range)),
            Ok(_) => Err(Trouble::gone("the file was replaced meanwhile")),
            Err(problem) => Err(told_no(&problem)),
        }
    }
}
