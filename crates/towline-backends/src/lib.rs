//! Where bytes and facts live: thin adapters under the engine.

pub mod disk;
mod rows;
pub mod s3;
pub mod sqlite;
