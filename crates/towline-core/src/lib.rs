//! What an upload is, and what may happen to it.
//!
//! This crate holds the words, the rules and the engine. It knows no HTTP, no SQL, no S3, no file system, no
//! environment and no wall clock: doors bring requests in, a [`store::Store`] keeps the bytes, a
//! [`catalog::Catalog`] keeps the facts, and time and ids are handed in.

pub mod catalog;
pub mod clock;
pub mod crc64;
pub mod digest;
pub mod engine;
pub mod error;
pub mod event;
pub mod key;
pub mod lease;
pub mod plan;
pub mod policy;
pub mod receipt;
pub mod store;
pub mod upload;

#[cfg(feature = "testing")]
pub mod testing;

pub use engine::Engine;
pub use error::{Error, Fault, FaultKind, Refusal};
