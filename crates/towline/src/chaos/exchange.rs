//! The requests and replies of one connection, as far as faults need to know them. Pure.
//!
//! Traffic that is something else (TLS, other protocols) becomes opaque: it just passes.

use std::collections::VecDeque;

use super::framing::{self, Rest, Start};
use super::luck::{Fate, Refusal};

/// A client that sends more requests than this without waiting for replies is left alone.
const ASKED_MAX: usize = 100;

/// Follows both ways of a connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    request: Rest,
    reply: Rest,
    /// Without a whole reply so far.
    asked: VecDeque<Asked>,
    is_opaque: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    is_head: bool,
    is_connect: bool,
    is_swallowed: bool,
}

/// What to do with bytes of a client. Those that are not passed are kept until more come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Upward {
    pub(super) pass_bytes: usize,
    pub(super) requests: u64,
    /// The request that comes next is answered here; nothing more is passed.
    pub(super) refusal: Option<String>,
}

/// What to do with bytes of a server: first pass, then drop.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Downward {
    pub(super) pass_bytes: usize,
    pub(super) drop_bytes: usize,
    /// A reply was dropped to its end: now cut.
    pub(super) is_swallowed: bool,
}

impl Exchange {
    /// Looks at bytes of the client; `fate` is asked for each request that nobody can mix up with another one.
    pub(super) fn upward(&mut self, bytes: &[u8], mut fate: impl FnMut() -> Fate) -> Upward {
        let mut step = Upward::default();
        loop {
            let rest = &bytes[step.pass_bytes..];
            if self.is_opaque {
                step.pass_bytes = bytes.len();
            }
            if rest.is_empty() || self.is_opaque {
                return step;
            }
            if !self.request.is_nothing() {
                match self.request.take(rest) {
                    Ok(taken) => step.pass_bytes += taken,
                    Err(framing::Broken) => self.is_opaque = true,
                }
                continue;
            }
            match framing::request(rest) {
                Start::Unclear => return step,
                Start::Foreign => self.is_opaque = true,
                Start::Head(head_bytes, head) => {
                    step.requests += 1;
                    // While replies are still to come, an answer of ours would be taken for one of them.
                    let fate = if self.asked.is_empty() { fate() } else { Fate::Pass };
                    if let Fate::Refuse(refusal) = fate {
                        step.refusal = Some(Refusal::to_reply(refusal, head.is_head));
                        return step;
                    }
                    step.pass_bytes += head_bytes;
                    self.request = head.rest;
                    self.asked.push_back(Asked {
                        is_head: head.is_head,
                        is_connect: head.is_connect,
                        is_swallowed: fate == Fate::Swallow,
                    });
                    self.is_opaque = self.asked.len() > ASKED_MAX;
                }
            }
        }
    }

    /// Looks at bytes of the server.
    pub(super) fn downward(&mut self, bytes: &[u8]) -> Downward {
        let mut step = Downward::default();
        loop {
            let rest = &bytes[step.pass_bytes + step.drop_bytes..];
            if self.is_opaque {
                step.pass_bytes += rest.len();
            }
            if rest.is_empty() || self.is_opaque {
                return step;
            }
            let Some(asked) = self.asked.front().copied() else {
                // Nobody asked: it is no HTTP, or the last words before the end.
                self.is_opaque = true;
                continue;
            };
            let taken = if self.reply.is_nothing() {
                match framing::reply(rest, asked.is_head) {
                    Start::Unclear => return step,
                    Start::Foreign => None,
                    Start::Head(head_bytes, head) if is_interim(head.status) => {
                        // "Go on" is not the answer, and whoever waits for it would not.
                        step.pass_bytes += head_bytes;
                        continue;
                    }
                    Start::Head(head_bytes, head) => {
                        let is_tunnel = head.status == 101 || (asked.is_connect && head.status / 100 == 2);
                        self.reply = head.rest;
                        (!is_tunnel).then_some(head_bytes)
                    }
                }
            } else {
                self.reply.take(rest).ok()
            };
            let Some(taken) = taken else {
                self.is_opaque = true;
                continue;
            };
            if asked.is_swallowed {
                step.drop_bytes += taken;
            } else {
                step.pass_bytes += taken;
            }
            if self.reply.is_nothing() {
                self.asked.pop_front();
                if asked.is_swallowed {
                    step.is_swallowed = true;
                    return step;
                }
            }
        }
    }

    /// The server has closed the connection: whether a reply ended with it that was being dropped.
    pub(super) fn end_downward(&self) -> bool {
        let is_swallowing = self.asked.front().is_some_and(|asked| asked.is_swallowed);
        is_swallowing && self.reply == Rest::Everything
    }
}

fn is_interim(status: u16) -> bool {
    matches!(status, 100 | 102..200)
}

#[cfg(test)]
mod tests;
