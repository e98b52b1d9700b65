//! What a page in a browser would be told: the preflight of a signed PUT, then the PUT itself.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use towline_core::error::{Fault, FaultKind};
use towline_s3::client::moment;
use towline_s3::wire::whole;
use towline_s3::{Call, Problem};
use towline_sigv4::Target;

use super::visit::{Answer, Trouble, exchange, visit};
use super::{Examiner, cors};

const CONTENT: &[u8] = b"towline doctor sends as a page does";
const CONTENT_TYPE: &str = "application/octet-stream";
const URL_HOLDS: Duration = Duration::from_mins(5);

/// What a browser makes of the bucket's answers to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    Open,
    /// The browser does not even send the part.
    NoPreflight {
        status: u16,
    },
    /// It sends the part, and the page may not know what came of it.
    NoReply {
        status: u16,
    },
    /// All but the `ETag`, which every client needs to complete.
    NoTag,
}

pub(super) async fn passage(examiner: &Examiner, origin: &str) -> Result<Passage, Trouble> {
    let client = &examiner.client;
    let (name, origin) = (examiner.name(), cors::sample(origin));
    let signer = client.signer().await.map_err(|fault| Trouble::ours(&Problem::Ours(fault)))?;
    let path = client.address.path(&name);
    let target = Target {
        method: "PUT",
        origin: &client.address.origin,
        path: &path,
        query: &[],
        headers: &[("content-type", CONTENT_TYPE)],
    };
    let url = signer.presign(&target, moment(client.now()), URL_HOLDS);
    let request = |method| Request::builder().method(method).uri(&url).header(header::ORIGIN, &origin);
    let ours = |error| {
        Trouble::ours(&Problem::Ours(Fault::new(FaultKind::Internal, "making a request to S3", error)))
    };

    let preflight = request(Method::OPTIONS)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type")
        .body(whole(Bytes::new()))
        .map_err(ours)?;
    let allowed = Box::pin(exchange(client, preflight)).await?;
    let is_allowed = allowed.status.is_success()
        && lists(&allowed, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin)
        && lists(&allowed, header::ACCESS_CONTROL_ALLOW_METHODS, "PUT")
        && lists(&allowed, header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type");
    if !is_allowed {
        return Ok(Passage::NoPreflight { status: allowed.status.as_u16() });
    }
    let put = request(Method::PUT)
        .header(header::CONTENT_TYPE, CONTENT_TYPE)
        .header(header::CONTENT_LENGTH, CONTENT.len())
        .body(whole(Bytes::from_static(CONTENT)))
        .map_err(ours)?;
    let answer = Box::pin(exchange(client, put)).await?;
    let removal = Call::new(Method::DELETE, path.as_str());
    if answer.status.is_success() {
        Box::pin(visit(client, removal)).await?.good()?;
    }
    Ok(if !answer.status.is_success() || !lists(&answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin) {
        Passage::NoReply { status: answer.status.as_u16() }
    } else if lists(&answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, "etag") {
        Passage::Open
    } else {
        Passage::NoTag
    })
}

fn lists(answer: &Answer, name: header::HeaderName, wanted: &str) -> bool {
    let lines = answer.headers.get_all(name);
    let mut items = lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    items.any(|item| item.trim() == "*" || item.trim().eq_ignore_ascii_case(wanted))
}
