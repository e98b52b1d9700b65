//! What only shows over a real connection.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use towline_core::testing::House;
use towline_doors::{DoorSettings, DrainBounds, router};

const NOWHERE: &str = "/upload/00000000-0000-4000-8000-0000000000ff/part/1";

/// A client's end, and the server that ends with it.
struct Connection {
    stream: TcpStream,
    _serving: JoinSet<()>,
}

/// Serves one connection.
async fn connect(settings: DoorSettings) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    let service = TowerToHyperService::new(router(House::default().engine, settings, Router::new()));
    let serving = async move {
        let (stream, _) = listener.accept().await.expect("a client connects");
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
    };
    let mut servers = JoinSet::new();
    servers.spawn(serving);
    Connection { stream: TcpStream::connect(address).await.expect("the listener accepts"), _serving: servers }
}

impl Connection {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    async fn reply(&mut self) -> String {
        let mut reply = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&reply).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .and_then(|length| length.parse().ok());
                if length == Some(body.len()) {
                    return text;
                }
            }
            let count = self.stream.read_buf(&mut reply).await.expect("no reset");
            assert!(count > 0, "closed after {text:?}");
        }
    }
}

fn head(bytes: usize, extra: &str) -> String {
    format!("PUT {NOWHERE} HTTP/1.1\r\nHost: h\r\nContent-Length: {bytes}\r\n{extra}\r\n")
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_gets_the_whole_answer() {
    let mut client = connect(DoorSettings::default()).await;
    let body = vec![7_u8; 8 * 1024 * 1024];
    for _ in 0..2 {
        client.send(head(body.len(), "")).await;
        client.send(&body).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("HTTP/1.1 404 Not Found"), "{reply}");
        assert!(!reply.contains("connection: close"), "the connection goes on: {reply}");
        assert!(reply.contains("Upload session not found"), "{reply}");
    }
}

#[tokio::test]
async fn beyond_the_bounds_the_connection_is_closed() {
    let bounds = DrainBounds { bytes: 1000, wait: Duration::from_secs(30) };
    let mut client = connect(DoorSettings { drain: bounds, ..DoorSettings::default() }).await;
    client.send(head(1_000_000, "")).await;
    client.send(&[7; 2000]).await;
    let reply = client.reply().await;
    assert!(reply.contains("connection: close"), "{reply}");
}

#[tokio::test]
async fn a_client_that_falls_silent_is_answered_when_the_wait_is_over() {
    let bounds = DrainBounds { bytes: 1_000_000, wait: Duration::from_millis(50) };
    let mut client = connect(DoorSettings { drain: bounds, ..DoorSettings::default() }).await;
    client.send(head(1000, "").as_bytes()).await;
    client.send(&[7; 20]).await;
    let reply = client.reply().await;
    assert!(reply.contains("connection: close"), "{reply}");
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_answered_at_once() {
    let mut client = connect(DoorSettings::default()).await;
    let head = head(1_000_000, "Expect: 100-continue\r\n");
    client.send(head.as_bytes()).await;
    let reply = client.reply().await;
    assert!(reply.starts_with("HTTP/1.1 404"), "no 100 before it: {reply}");
}
