//! What it takes to speak with S3, and with HTTP servers at all: connections, signatures, retries, documents. No upload,
//! no store and no protocol of ours is known here.

mod address;
pub mod client;
mod credentials;
pub mod described;
pub mod listing;
pub mod multipart;
mod problem;
mod settings;
pub mod tag;
pub mod wire;
pub mod xml;

pub use address::Address;
pub use client::{Call, Client, Content, Flow, Reply};
pub use credentials::{S3Credentials, Surroundings};
pub use problem::Problem;
pub use settings::{BucketSettings, Patience};
pub use towline_sigv4::{Chunking, Credentials, Payload, Secret};
