//! Connections to HTTP servers: one pool, with the certificates of the system.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use towline_core::error::{Fault, FaultKind};

/// Connections that nobody uses are closed after this.
const IDLE: Duration = Duration::from_secs(20);

pub type Body = UnsyncBoxBody<Bytes, io::Error>;
pub type Wire = Pool<HttpsConnector<HttpConnector>, Body>;

/// How connections are made and kept.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How many connections that nobody uses are kept for each server.
    pub idle_max: usize,
    pub certificates: Certificates,
}

/// The issuers that are trusted. Reading the system's costs a process a few megabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// Nothing goes without them.
    Needed,
    /// Those that there are: a machine without any can still speak to servers without TLS.
    Found,
    /// All servers are without TLS.
    None,
}

pub fn connect(line: Line) -> Result<Wire, Fault> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(line.connect));
    let without = || {
        let none = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder().with_root_certificates(none).with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(config)
    };
    let tls = match line.certificates {
        Certificates::None => without(),
        Certificates::Found => HttpsConnectorBuilder::new().with_native_roots().unwrap_or_else(|_| without()),
        Certificates::Needed => HttpsConnectorBuilder::new().with_native_roots().map_err(|error| {
            Fault::new(FaultKind::Internal, "reading the system's certificates (ca-certificates)", error)
        })?,
    };
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Pool::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(line.idle_max)
        .build(connector))
}

/// A body that is there already.
pub fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
