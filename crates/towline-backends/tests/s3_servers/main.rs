//! The S3 store against real servers. `cargo xtask test` starts them and names them in the environment.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, fail where something is amiss")]

mod credentials;
mod direct;
mod faults;
mod lives;
mod proxy;
mod support;

use std::sync::Arc;

use towline_backends::s3::S3Settings;
use towline_core::testing::store_contract::{self, Terms};

use self::support::Server;

#[tokio::test]
async fn the_s3_store_keeps_the_contract_on_garage() {
    let server = Server::garage();
    store_contract::run(server.store_of_its_own("contract").await, Terms::of_s3()).await;
    // Garage checks the whole, too, when no part comes without a checksum.
    let settings = S3Settings { is_relayed: true, ..server.settings("contract") };
    store_contract::run(Arc::new(support::open(settings).await), Terms::of_s3()).await;
}

#[tokio::test]
async fn the_s3_store_keeps_the_contract_on_swift() {
    let server = Server::swift();
    store_contract::run(server.store_of_its_own("contract").await, Terms::of_s3()).await;
}
