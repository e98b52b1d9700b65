//! A Towline server as its clients use it: files go up by the session protocol, and come back as downloads.

mod address;
mod broken;
mod direct;
mod flow;
mod line;
mod link;
mod parts;
mod problem;
mod read;
mod talk;
mod wire;

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::Method;

use crate::remote::{
    Frames, Landed, Line, Order, Receipt, Remote, Shelf, Slot, State, Stored, Ticket, Upload, Whole,
};
use crate::trouble::Trouble;
use address::in_query;
use direct::Desk;
use problem::Problem;
use talk::{Ask, Talk};
use wire::{Begun, Completed, Completing, Health, Heard, Init, Looked, Sessions, Size, Status};

pub use line::Patience;
pub use link::Link;

/// How many uploads or parts are asked for at once.
const PAGE: usize = 1000;
/// How many parts of one upload are taken: as many as a store on a disk takes.
const PARTS_MAX: usize = 100_000;
/// How many pages of uploads are looked through for those below a prefix.
const PAGES_MAX: usize = 100;

pub struct Server {
    talk: Talk,
    /// The signed URLs of uploads whose bytes go straight to the server's store.
    desk: Desk,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.talk.address).finish()
    }
}

impl Server {
    /// At a URL, which may have a path; nothing is asked yet.
    pub fn open(url: &str, token: Option<&str>) -> Result<Self, Trouble> {
        Self::open_with(url, token, Patience::default())
    }

    pub fn open_with(url: &str, token: Option<&str>, patience: Patience) -> Result<Self, Trouble> {
        Ok(Self { talk: Talk::open(url, token, patience)?, desk: Desk::default() })
    }

    async fn ask_status(&self, ticket: &Ticket) -> Result<Option<Looked>, Trouble> {
        match self.talk.json::<Looked>(&Ask::get(path(ticket, "/status")).insist()).await? {
            Ok(looked) => Ok(Some(looked)),
            Err(problem) if problem.is("upload-not-found") => Ok(None),
            Err(problem) => Err(self.explain(problem).await),
        }
    }

    /// The upload with what has landed of it.
    async fn with_parts(&self, mut upload: Upload) -> Result<Upload, Trouble> {
        let mut after = Some(0);
        while let Some(last) = after {
            let path = path(&upload.ticket, &format!("/parts?after={last}&limit={PAGE}"));
            let page: wire::Parts = told(self.talk.json(&Ask::get(path).insist()).await?)?;
            let proof = upload.proof;
            let goes_on = page.next.is_none_or(|next| next > last && !page.parts.is_empty());
            upload.landed.extend(page.parts.into_iter().map(|part| part.landed(proof)));
            if !goes_on || upload.landed.len() > PARTS_MAX {
                return Err(Trouble::refused("the server's list of parts does not end"));
            }
            after = page.next;
        }
        Ok(upload)
    }

    /// Says more where it does not look as if Towline had answered.
    async fn explain(&self, problem: Problem) -> Trouble {
        if !problem.is_foreign() {
            return problem.trouble();
        }
        let ask = Ask::get("/health");
        let asked = match self.talk.once(&ask).await {
            // The connection that the last answer came by may be closed by now.
            Err(_) => self.talk.once(&ask).await,
            answered @ Ok(_) => answered,
        };
        let said = match asked {
            Ok(Ok(answer)) => match answer.whole(PAGE).await.map(|body| serde_json::from_slice(&body)) {
                Ok(Ok(Health { status })) if status == "healthy" => {
                    "one answers GET /health there, but something between here and it answers for it"
                        .to_owned()
                }
                Ok(_) | Err(_) => "GET /health is answered otherwise there".to_owned(),
            },
            Ok(Err(problem)) => format!("GET /health is answered {} there", problem.status),
            Err(trouble) => trouble.to_string(),
        };
        Trouble::refused(problem.detail).hint(format!("is this the URL of a Towline server? {said}"))
    }
}

/// What lies below an upload's own path.
fn path(ticket: &Ticket, rest: &str) -> String {
    format!("/upload/{}{rest}", in_query(&ticket.id))
}

fn told<T>(answered: Result<T, Problem>) -> Result<T, Trouble> {
    answered.map_err(|problem| problem.trouble_under_way())
}

#[async_trait]
impl Shelf for Server {
    async fn stored(&self, key: &str) -> Result<Option<Stored>, Trouble> {
        Box::pin(self.stored_file(key)).await
    }

    async fn read(
        &self,
        stored: &Stored,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Trouble>>, Trouble> {
        Box::pin(self.read_range(stored, range)).await
    }
}

#[async_trait]
impl Remote for Server {
    fn name(&self) -> String {
        self.talk.address.text().to_owned()
    }

    fn whole_bytes_max(&self) -> Option<u64> {
        None
    }

    /// None: an upload that is begun again is found by its fingerprint.
    async fn candidates(&self, _: &Order) -> Result<Vec<Upload>, Trouble> {
        Ok(Vec::new())
    }

    async fn begin(&self, order: &Order) -> Result<Upload, Trouble> {
        let begun: Begun = match self.talk.json(&Ask::post("/upload/init", &Init::new(order))).await? {
            Ok(begun) => begun,
            Err(problem) => return Err(Box::pin(self.explain(problem)).await),
        };
        let ticket = Ticket::new(begun.session_id, begun.key);
        if !begun.resumed {
            let sizes = (begun.part_bytes, order.total_bytes);
            return wire::upload(ticket, sizes, (begun.mode, false));
        }
        let looked = Box::pin(self.ask_status(&ticket)).await?;
        let looked = looked.ok_or_else(|| Trouble::gone("the upload that was found again is gone"))?;
        Box::pin(self.with_parts(looked.upload(true)?)).await
    }

    async fn look(&self, ticket: &Ticket) -> Result<State, Trouble> {
        let Some(looked) = Box::pin(self.ask_status(ticket)).await? else {
            return Ok(State::Gone);
        };
        match (looked.status, looked.receipt) {
            (Status::Completed, Some(receipt)) => Ok(State::Sealed(receipt.into())),
            (Status::Completed, None) => {
                Err(Trouble::refused("the server gives no receipt of a completed upload"))
            }
            (Status::Cancelled | Status::Expired, _) => Ok(State::Gone),
            (Status::InProgress | Status::Failed, receipt) => {
                let upload = Looked { receipt, ..looked }.upload(true)?;
                Ok(State::Open(Box::new(Box::pin(self.with_parts(upload)).await?)))
            }
        }
    }

    async fn send(&self, upload: &Upload, slot: Slot, frames: Frames) -> Result<Landed, Trouble> {
        Box::pin(self.send_part(upload, slot, frames)).await
    }

    async fn send_whole(&self, _: &Order, _: Frames) -> Result<Receipt, Trouble> {
        Err(Trouble::refused("a server takes files in parts only"))
    }

    async fn declare(&self, upload: &Upload, total_bytes: u64) -> Result<(), Trouble> {
        let ask = Ask::post(path(&upload.ticket, "/size"), &Size { file_size: total_bytes }).insist();
        let _: Heard = told(self.talk.json(&ask).await?)?;
        Ok(())
    }

    /// The server has the list of the parts itself, and compares what they make before anybody sees it.
    async fn finish(&self, upload: &Upload, _: &[Landed], whole: Whole) -> Result<Receipt, Trouble> {
        let ask = Ask::post(path(&upload.ticket, "/complete"), &Completing::from(whole))
            .wait(self.talk.line.patience.finish)
            .insist();
        let completed: Completed = told(self.talk.json(&ask).await?)?;
        self.desk.forget(&upload.ticket.id).await;
        Ok(completed.receipt.into())
    }

    async fn abort(&self, ticket: &Ticket) -> Result<(), Trouble> {
        self.desk.forget(&ticket.id).await;
        match self.talk.json::<Heard>(&Ask::new(Method::DELETE, path(ticket, ""))).await? {
            Ok(_) => Ok(()),
            Err(problem) if problem.is("upload-not-found") => Ok(()),
            // One that is completed, or is being completed at this moment.
            Err(problem) if problem.is("not-open") => Err(Trouble::refused(problem.detail)),
            Err(problem) => Err(Box::pin(self.explain(problem)).await),
        }
    }

    async fn unfinished(&self, prefix: &str, limit: usize) -> Result<Vec<Line>, Trouble> {
        let (mut lines, mut after) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let ask = Ask::get(format!("/sessions?status=in_progress&limit={PAGE}{after}"));
            let page: Sessions = match self.talk.json(&ask).await? {
                Ok(page) => page,
                Err(problem) => return Err(Box::pin(self.explain(problem)).await),
            };
            let wanted = page.sessions.into_iter().filter(|session| session.key.starts_with(prefix));
            lines.extend(wanted.map(Line::from).take(limit - lines.len()));
            match page.next {
                Some(next) if lines.len() < limit => after = format!("&after={}", in_query(&next)),
                Some(_) | None => break,
            }
        }
        Ok(lines)
    }
}
