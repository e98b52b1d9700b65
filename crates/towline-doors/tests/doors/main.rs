//! The doors from outside: request text in, reply text out, over an engine of memory doubles.

mod common;
mod companion;
mod downloads;
mod fuzz;
mod multipart;
mod presign;
mod s3;
mod session;
mod signing_key;
mod simple;
mod socket;
mod talk;
