//! A line that turns bits around: no part that came otherwise than it was sent counts as landed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use towline_client::bucket::BucketSettings;
use towline_client::remote::Remote as _;
use towline_client::trouble::Trouble;

use crate::support::{MIB, Server, content, frames, key, open, order, piece, send, slots, stored, whole};

/// Well within the first part, and far from any head.
const TURNED_AT: u64 = 3_000_000;

/// Passes everything on, but for one bit of all that clients say.
async fn pass(listener: TcpListener, server: String) {
    let said = Arc::new(AtomicU64::new(0));
    let mut lines = tokio::task::JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(&server).await.unwrap();
        let said = Arc::clone(&said);
        lines.spawn(async move {
            let ((mut from, mut back), (mut reply, mut to)) = (client.into_split(), server.into_split());
            let there = async {
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = from.read(&mut bytes).await {
                    let before = said.fetch_add(count as u64, Ordering::Relaxed);
                    if let Some(at) = TURNED_AT.checked_sub(before).filter(|at| *at < count as u64) {
                        bytes[usize::try_from(at).unwrap()] ^= 1;
                    }
                    if to.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
                to.shutdown().await.ok();
            };
            let back = async { copy(&mut reply, &mut back).await.ok() };
            tokio::join!(there, back);
        });
    }
}

pub(crate) async fn a_part_that_came_otherwise_has_not_landed(server: &Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = server.settings.endpoint.clone().unwrap();
    let through = format!("http://{}", listener.local_addr().unwrap());
    let mut line = tokio::task::JoinSet::new();
    line.spawn(pass(listener, endpoint.trim_start_matches("http://").to_owned()));

    let remote = open(BucketSettings { endpoint: Some(through), ..server.settings.clone() });
    let (content, key) = (content(13, 9 * MIB), key("tampered"));
    let upload = remote.begin(&order(&key, Some(content.len()))).await.unwrap();
    let slot = slots(&upload, &content)[0];
    let sent = remote.send(&upload, slot, frames(&piece(&content, slot))).await;
    assert!(matches!(sent, Err(Trouble::Passing { is_crowded: false, .. })), "{sent:?}");
    let parts = [send(&remote, &upload, &content, 1).await, send(&remote, &upload, &content, 2).await];
    remote.finish(&upload, &parts, whole(&content)).await.unwrap();
    assert!(stored(&remote, &key).await.unwrap() == content);
}
