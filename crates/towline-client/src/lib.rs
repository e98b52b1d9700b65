//! The client's side: how a file gets up over a bad line, is found again after anything, and comes back.
//!
//! [`Put`](put::Put) sends a [`Source`](source::Source) to a [`Remote`](remote::Remote): a Towline server or, without one, a bucket of
//! S3. What happens on the way is told to a [`Watch`](event::Watch). Nothing here knows a terminal, an environment or a
//! signal: those belong to the program around it.

pub mod bucket;
pub mod event;
pub mod fingerprint;
pub mod get;
pub mod journal;
mod publish;
pub mod put;
pub mod remote;
pub mod server;
pub mod source;
pub mod trouble;
pub mod verify;
