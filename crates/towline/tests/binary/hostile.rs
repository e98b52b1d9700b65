//! What no kind client sends, over raw sockets: every answer is a 4xx that says what is wrong, none is late, and
//! nothing of it stays behind.

mod bodies;
mod crowds;
mod heads;
mod orders;
mod reads;

use crate::support::Reply;

/// A refusal as RFC 9457 writes it, of this kind and because of this field.
#[track_caller]
fn assert_refused(reply: &Reply, (status, kind, field): (u16, &str, Option<&str>), context: &str) {
    let shown: String = context.chars().take(200).collect();
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{shown}: {text}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{shown}");
    let problem = reply.json();
    assert_eq!(problem["type"], format!("/api/errors#{kind}"), "{shown}: {text}");
    assert_eq!(problem["field"].as_str(), field, "{shown}: {text}");
    assert_eq!(problem["status"], status, "{shown}");
    assert!(reply.body.len() < 4096, "a refusal repeats what was sent: {shown}");
}
