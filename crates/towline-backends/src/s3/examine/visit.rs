//! One request after the other, each asked once and heard out: what a bucket says of itself is as much in its refusals
//! and headers as in its good answers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use thiserror::Error;
use tokio::time::timeout;
use towline_s3::client::gather;
use towline_s3::wire::Body;
use towline_s3::{Call, Client, Problem};

use super::element::Element;

/// How much of a server's words is kept.
const MESSAGE_CHARS: usize = 300;

/// Why something could not be found out or done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    #[error("{0}")]
    Credentials(String),
    #[error("there is no connection: {0}")]
    Unreachable(String),
    #[error("there was no answer within {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the answer cannot be understood: {0}")]
    Garbled(String),
    /// It did not see what it was asked for, and answered something else.
    #[error("it answered with {0}")]
    Ignored(String),
    #[error("{}", .0)]
    Refused(Refused),
}

/// No, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{status}{}{code}{}{message}", if .code.is_empty() { "" } else { " " }, if .message.is_empty() { "" } else { ": " })]
pub struct Refused {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// The region that it wants requests to be signed for.
    pub region: Option<String>,
}

impl Trouble {
    fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Credentials(_)
            | Self::Unreachable(_)
            | Self::Silent(_)
            | Self::Garbled(_)
            | Self::Ignored(_) => None,
        }
    }

    pub fn code(&self) -> &str {
        self.refused().map_or("", |refused| &refused.code)
    }

    /// The region that the server wants requests to be signed for, where that is the trouble.
    pub fn region(&self) -> Option<&str> {
        self.refused()?.region.as_deref()
    }

    /// Whether the server does not know what was asked of it.
    pub fn is_unknown_to_server(&self) -> bool {
        let is_said =
            |refused: &Refused| matches!(refused.status, 405 | 501) || refused.code == "NotImplemented";
        matches!(self, Self::Ignored(_)) || self.refused().is_some_and(is_said)
    }

    pub fn is_denied(&self) -> bool {
        self.refused().is_some_and(|refused| matches!(refused.status, 401 | 403))
    }

    pub fn is_missing(&self) -> bool {
        self.refused().is_some_and(|refused| refused.status == 404)
    }

    /// Whether the server does not believe who asks: then nothing else can be found out.
    pub fn is_about_caller(&self) -> bool {
        const CODES: [&str; 7] = [
            "SignatureDoesNotMatch",
            "InvalidAccessKeyId",
            "InvalidToken",
            "ExpiredToken",
            "RequestTimeTooSkewed",
            "AuthorizationHeaderMalformed",
            "InvalidSecurity",
        ];
        self.refused().is_some_and(|refused| {
            // Garage has one code for all, and says in words which it is.
            let message = refused.message.to_ascii_lowercase();
            let is_said = message.contains("invalid signature") || message.contains("no such key:");
            CODES.contains(&refused.code.as_str()) || (is_said && matches!(refused.status, 401 | 403))
        })
    }

    pub(super) fn ours(problem: &Problem) -> Self {
        let told = towline_core::error::chain(problem);
        match problem {
            Problem::Ours(fault) => Self::Credentials(innermost(fault)),
            Problem::TimedOut
            | Problem::Broken(_)
            | Problem::Refused { .. }
            | Problem::Garbled(_)
            | Problem::Differs { .. } => Self::Garbled(told),
        }
    }
}

/// A whole answer, good or not.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer, where it is a good one.
    pub(super) fn good(self) -> Result<Self, Trouble> {
        if self.status.is_success() { Ok(self) } else { Err(Trouble::Refused(self.refusal())) }
    }

    pub(super) fn document(&self) -> Result<Element, Trouble> {
        Element::parse(&self.body).map_err(Trouble::Garbled)
    }

    /// The document, where it is the one that was asked for.
    pub(super) fn document_of(&self, name: &str) -> Result<Element, Trouble> {
        let document = self.document()?;
        if document.name == name { Ok(document) } else { Err(Trouble::Ignored(clean(&document.name))) }
    }

    fn refusal(&self) -> Refused {
        let document = Element::parse(&self.body).unwrap_or_default();
        let said = |name| clean(document.said(name).unwrap_or_default());
        let region = self.header("x-amz-bucket-region").or(document.said("Region")).map(clean);
        let (code, message) = (said("Code"), said("Message"));
        let is_about_region = self.status.is_redirection() || code == "AuthorizationHeaderMalformed";
        let region = region.or_else(|| expected_in(&message)).filter(|_| is_about_region);
        Refused { status: self.status.as_u16(), code, message, region }
    }
}

/// A region that is only told in words, as in `expecting 'eu-west-1'`.
fn expected_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("expecting '")?;
    rest.split_once('\'').map(|(region, _)| region.to_owned())
}

/// What a server says is bounded, and printable.
fn clean(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Asks once, with a signature.
pub(super) async fn visit(client: &Client, call: Call) -> Result<Answer, Trouble> {
    let request = Box::pin(client.request(&call)).await.map_err(|problem| Trouble::ours(&problem))?;
    exchange(client, request).await
}

/// Asks once, as it is.
pub(super) async fn exchange(client: &Client, request: Request<Body>) -> Result<Answer, Trouble> {
    let wait = client.patience().reply;
    let asked = timeout(wait, client.wire.request(request)).await;
    let response =
        asked.map_err(|_| Trouble::Silent(wait))?.map_err(|error| Trouble::Unreachable(innermost(&error)))?;
    let (head, incoming) = response.into_parts();
    let body = gather(incoming, wait).await.map_err(|problem| match problem {
        Problem::TimedOut => Trouble::Silent(wait),
        Problem::Broken(error) => Trouble::Unreachable(innermost(&*error)),
        Problem::Refused { .. } | Problem::Garbled(_) | Problem::Differs { .. } | Problem::Ours(_) => {
            Trouble::ours(&problem)
        }
    })?;
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// The last of the causes is what a person can do something about.
fn innermost(error: &dyn std::error::Error) -> String {
    let last = std::iter::successors(Some(error), |cause| cause.source()).last();
    clean(&last.map(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &'static str, headers: &[(&'static str, &'static str)]) -> Trouble {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: headers.collect(), body: body.into() }.good().err().unwrap()
    }

    #[test]
    fn a_refusal_is_told_from_the_others() {
        let malformed = refused(
            400,
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'a' is wrong; expecting 'eu-west-1'</Message></Error>",
            &[],
        );
        assert_eq!((malformed.region(), malformed.is_about_caller()), (Some("eu-west-1"), true));
        let moved = refused(301, "", &[("x-amz-bucket-region", "eu-north-1")]);
        assert_eq!(moved.region(), Some("eu-north-1"));
        let garage =
            "<Error><Code>AccessDenied</Code><Message>Forbidden: Invalid signature</Message></Error>";
        assert!(refused(403, garage, &[]).is_about_caller());
        let denied = refused(403, "<Error><Code>AccessDenied</Code><Message>No</Message></Error>", &[]);
        assert!(denied.is_denied() && !denied.is_about_caller() && denied.region().is_none());
        assert_eq!(denied.to_string(), "403 AccessDenied: No");
        assert!(refused(501, "", &[]).is_unknown_to_server());
        assert_eq!(refused(501, "<html>", &[]).to_string(), "501");
    }
}
