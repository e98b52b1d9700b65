//! The listener: bounded connections that speak HTTP/1.1 to a router, and stop in order.

mod open_files;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use towline_core::error::chain;

use crate::telemetry::Meter;
use wire::Wire;

pub(crate) use open_files::files_wanted;

/// All headers together.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
/// What is read from a socket at once, and written to the disk as it is. With 64 connections 128 KiB cost a tenth more
/// processor time, 512 KiB twice the memory.
const READ_BYTES_MAX: usize = 256 * 1024;
/// After a failed accept (no file descriptors left) the next one waits.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How much the listener takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) connections_max: usize,
    /// How long a head may take, and a connection be idle.
    pub(crate) head_wait: Duration,
    /// How long a reply may wait for its reader.
    pub(crate) reply_wait: Duration,
}

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    bounds: Bounds,
    meter: Arc<Meter>,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr, bounds: Bounds, meter: Arc<Meter>) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        open_files::raise(bounds.connections_max);
        Ok(Self { socket, address, bounds, meter })
    }

    /// The real one, also where port 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the stop. Each connection is a task; at the stop idle ones close and busy ones finish their request.
    pub(crate) async fn accept(self, router: Router, stop: CancellationToken, tasks: &TaskTracker) {
        let slots = Arc::new(Semaphore::new(self.bounds.connections_max));
        let accepting = async {
            loop {
                let slot = Arc::clone(&slots).acquire_owned().await;
                let slot = slot.expect("the semaphore is never closed");
                let stream = self.next_stream().await;
                let (serving, open) =
                    (self.serve(stream, router.clone(), stop.clone()), self.meter.open_connection());
                tasks.spawn(async move {
                    serving.await;
                    drop((open, slot));
                });
            }
        };
        stop.run_until_cancelled(accepting).await;
    }

    async fn next_stream(&self) -> TcpStream {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    tracing::warn!(error = %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        router: Router,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let wire = Wire::new(stream, self.bounds.reply_wait, Arc::clone(&self.meter));
        let connection = http(self.bounds.head_wait).serve_connection(
            TokioIo::new(wire),
            service_fn(move |request: hyper::Request<Incoming>| {
                router.clone().oneshot(request.map(Body::new))
            }),
        );
        Box::pin(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error = chain(&error), "a connection broke off");
            }
        })
    }
}

fn http(head_wait: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head_wait)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(READ_BYTES_MAX);
    http
}
