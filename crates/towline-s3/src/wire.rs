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
    /// Whether a machine without certificates will do: only for servers without TLS.
    pub is_plain: bool,
}

pub fn connect(line: Line) -> Result<Wire, Fault> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(line.connect));
    let tls = match HttpsConnectorBuilder::new().with_native_roots() {
        Ok(tls) => tls,
        Err(_) if line.is_plain => {
            let none = rustls::RootCertStore::empty();
            let config = rustls::ClientConfig::builder().with_root_certificates(none).with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(config)
        }
        Err(error) => {
            return Err(Fault::new(
                FaultKind::Internal,
                "reading the system's certificates (ca-certificates)",
                error,
            ));
        }
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
