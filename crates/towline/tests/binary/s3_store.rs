//! `--store s3` against real servers, Garage and Swift: bytes that pass through, bytes that go past, kills at the worst
//! moment, and what the stores refuse.

mod bucket;
mod crash;
mod dialects;
mod direct;
mod gate;
mod refusals;
mod relayed;
mod slow;
