//! What all tests of the binary use: a server as a child process, and a client that can stop in mid-body.

mod http;
mod server;
mod upload;

pub(crate) use http::Reply;
pub(crate) use server::{Ended, Server, run, towline};
pub(crate) use upload::{Upload, noise};
