//! AWS Signature Version 4, as S3 speaks it: made for stores and signed URLs, verified for the `s3` door.
//!
//! Everything here is pure. No IO, no clock (the [`Moment`] is an argument), no HTTP types: text and slices come in,
//! text comes out. What a signature permits, which S3 code a [`Denial`] becomes and whether a body has the length it
//! declares are the callers' affairs.

mod canonical;
mod chunks;
mod claim;
mod denial;
mod encode;
mod key;
mod moment;
mod origin;
mod payload;
mod secret;
mod signer;
mod verify;

pub use chunks::{Chunks, Spoiled};
pub use claim::{Claim, Means};
pub use denial::{Denial, Mismatch};
pub use encode::{decode_path, decode_query, encode_path};
pub use key::{Scope, Signature, SigningKey};
pub use moment::{Day, Moment};
pub use origin::{BadOrigin, Origin};
pub use payload::{Chunking, Payload};
pub use secret::{Credentials, Secret};
pub use signer::{Condition, EXPIRES_MAX, PartUrls, Signer, Target};
pub use verify::{Request, Rules};

/// The only algorithm there is here, as it is written on the wire.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service in the scope of all that S3 signs.
pub const SERVICE: &str = "s3";
