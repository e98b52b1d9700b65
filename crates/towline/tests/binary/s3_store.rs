//! `--store s3` against real servers, Garage and Swift: bytes that pass through, bytes that go past, kills at the worst
//! moment, and what the stores refuse.

pub(crate) mod bucket;
mod client;
mod crash;
mod dialects;
mod direct;
mod gate;
mod refusals;
mod relayed;
mod slow;
