//! What all tests of the binary use: a server as a child process, and a client that can stop in mid-body.

mod aftermath;
mod http;
mod line;
mod python;
mod server;
mod upload;

pub(crate) use aftermath::House;
pub(crate) use http::{Connection, Reply};
pub(crate) use line::Line;
pub(crate) use python::python;
pub(crate) use server::{Ended, Server, run, towline};
pub(crate) use upload::{Upload, noise};
