//! One part on its way: through the server, or straight to its store by a signed URL.

use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, Method, Request};
use towline_core::digest::{Algorithm, Computed};
use towline_s3::tag::md5_in;

use super::Server;
use super::address::{in_query, parse_uri};
use super::direct::Signed;
use super::line::host;
use super::problem::Problem;
use super::wire::{self, crc64};
use crate::remote::{Frames, Landed, Passing, Proof, Slot, Upload};
use crate::trouble::Trouble;

/// How much of the answer to a part is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

impl Server {
    pub(super) async fn send_part(
        &self,
        upload: &Upload,
        slot: Slot,
        frames: Frames,
    ) -> Result<Landed, Trouble> {
        if upload.proof == Proof::Md5
            && !self.desk.is_given_up()
            && let Some(signed) = self.desk.url(&self.talk, upload, slot.number).await?
        {
            return Box::pin(self.send_direct(upload, slot, (&signed, frames))).await;
        }
        Box::pin(self.relay(upload, slot, frames)).await
    }

    async fn relay(&self, upload: &Upload, slot: Slot, frames: Frames) -> Result<Landed, Trouble> {
        let path = format!("/upload/{}/part/{}", in_query(&upload.ticket.id), slot.number);
        let (frames, passing) = digested(frames, upload.proof);
        let mut request = self.talk.request(Method::PUT, &path, frames)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let answer = self.talk.line.send(request).await?;
        if !answer.status.is_success() {
            return Err(Problem::read(answer).await.trouble_under_way());
        }
        let host = host(&answer.uri).to_owned();
        let body = answer.whole(ANSWER_BYTES_MAX).await?;
        let sent: wire::Sent =
            serde_json::from_slice(&body).map_err(|_| Problem::foreign(&host).trouble_under_way())?;
        let computed = passed(&passing)?;
        if sent.crc64nvme.as_deref().and_then(crc64) != Some(computed.crc64) {
            return Err(damaged(slot.number, &host));
        }
        Ok(landed(slot, &computed, sent.crc64nvme.unwrap_or_default()))
    }

    async fn send_direct(
        &self,
        upload: &Upload,
        slot: Slot,
        (signed, frames): (&Signed, Frames),
    ) -> Result<Landed, Trouble> {
        let uri = parse_uri(&signed.url)
            .map_err(|why| Trouble::refused(format!("the server gave a URL that is none: {why}")))?;
        let (frames, passing) = digested(frames, Proof::Md5);
        // Whatever is added would have to be signed.
        let mut request = Request::new(frames);
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = uri;
        let answer = match self.talk.line.send(request).await {
            Ok(answer) => answer,
            Err(unanswered) if unanswered.is_unreached => {
                self.desk.note(false);
                return Err(Trouble::passing(unanswered.trouble.to_string()));
            }
            Err(unanswered) => return Err(unanswered.trouble),
        };
        self.desk.note(true);
        if !answer.status.is_success() {
            let problem = Problem::read(answer).await;
            if problem.status.as_u16() != 403 {
                return Err(problem.trouble_of_store());
            }
            self.desk.forget_url(&upload.ticket.id, slot.number).await;
            let trouble = Trouble::passing(problem.detail.clone());
            return Err(if signed.is_new() { problem.trouble_of_store() } else { trouble });
        }
        let computed = passed(&passing)?;
        let tag = answer.header(ETAG.as_str()).unwrap_or_default().trim_matches('"').to_owned();
        let known = md5_in(&answer.headers, &tag);
        if known.is_some() && known != computed_md5(&computed) {
            return Err(damaged(slot.number, host(&answer.uri)));
        }
        Ok(landed(slot, &computed, tag))
    }
}

fn digested(frames: Frames, proof: Proof) -> (Frames, Passing) {
    let size_bytes = frames.size_bytes;
    let algorithm = match proof {
        Proof::Crc64 => None,
        Proof::Md5 => Some(Algorithm::Md5),
    };
    let (stream, passing) = Passing::over(frames, algorithm);
    (Frames::new(size_bytes, stream), passing)
}

/// An answer that comes before the last byte is out speaks of other bytes.
fn passed(passing: &Passing) -> Result<Computed, Trouble> {
    passing.computed().ok_or_else(|| Trouble::passing("the answer came before all of the part was sent"))
}

fn landed(slot: Slot, computed: &Computed, tag: String) -> Landed {
    Landed {
        number: slot.number,
        size_bytes: slot.size_bytes,
        crc64: Some(computed.crc64),
        md5: computed_md5(computed),
        tag,
    }
}

fn computed_md5(computed: &Computed) -> Option<[u8; 16]> {
    computed.get(Algorithm::Md5)?.bytes().try_into().ok()
}

fn damaged(number: u32, host: &str) -> Trouble {
    Trouble::passing(format!("part {number} was damaged on the way to {host}"))
}
