//! What it takes to speak with S3, and with HTTP servers at all: connections, signatures, retries, documents. No upload,
//! no store and no protocol of ours is known here.

pub mod wire;
