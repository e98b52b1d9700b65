//! What a client is told when a server says no, or when it is none.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use towline_client::remote::{Remote as _, Shelf as _};
use towline_client::server::{Patience, Server as Client};
use towline_client::trouble::Trouble;

use super::{MIB, client, frames, hint, order, send, send_all};
use crate::support::{Server, noise};

/// Waits for nothing, so that a test is told at once.
const SHORT: Patience = Patience {
    connect: Duration::from_secs(5),
    silence: Duration::from_secs(5),
    reply: Duration::from_secs(5),
    finish: Duration::from_secs(5),
    tries: 1,
    repeating: Duration::ZERO,
};

#[tokio::test]
async fn without_the_right_token_nothing_goes_and_the_hint_says_where_to_put_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), |command| {
        command.env("TOWLINE_TOKEN", "open-sesame");
    });
    let url = format!("http://{}", server.address());
    let file = noise(311, 9);
    let right = Client::open(&url, Some("open-sesame")).unwrap();
    let upload = right.begin(&order("a", Some(&file), MIB)).await.unwrap();
    for token in [None, Some("wrong")] {
        let client = Client::open(&url, token).unwrap();
        let begun = client.begin(&order("a", Some(&file), MIB)).await.unwrap_err();
        assert!(hint(&begun).contains("TOWLINE_TOKEN"), "{begun:?}");
        assert!(hint(&send(&client, &upload, &file, 1).await.unwrap_err()).contains("TOWLINE_TOKEN"));
        assert!(hint(&client.stored("a").await.unwrap_err()).contains("TOWLINE_TOKEN"));
        assert!(hint(&client.unfinished("", 1).await.unwrap_err()).contains("TOWLINE_TOKEN"));
    }
    send_all(&right, &upload, &file).await;
    super::assert_stored(&right, "a", &file).await;
}

#[tokio::test]
async fn what_a_server_refuses_is_refused_with_its_reason() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), |command| {
        command.args(["--existing", "refuse", "--max-file-size", "1MiB"]);
    });
    let client = client(&server);
    let file = noise(312, 9);
    let upload = client.begin(&order("taken", Some(&file), MIB)).await.unwrap();
    send_all(&client, &upload, &file).await;
    let large = noise(313, MIB + 1);
    for (key, file, reason, what_now) in [
        ("taken", &file, "is taken", "--key"),
        ("taken/below", &file, "already there as a file", "--key"),
        ("a/../b", &file, "'..'", "--key"),
        ("large", &large, "1048576 are allowed", "max_file_size"),
    ] {
        let trouble = client.begin(&order(key, Some(file), MIB)).await.unwrap_err();
        assert!(trouble.to_string().contains(reason), "{trouble:?}");
        assert!(hint(&trouble).contains(what_now), "{trouble:?}");
    }
    let upload = client.begin(&order("short", Some(&file), MIB)).await.unwrap();
    let slot = upload.slots(9).next().unwrap();
    let short = client
        .send(&upload, towline_client::remote::Slot { size_bytes: 8, ..slot }, frames(&file[..8]))
        .await;
    assert!(matches!(&short, Err(Trouble::Refused { what, .. }) if what.contains("exactly 9")), "{short:?}");
    let broken = client.send(&upload, slot, frames(&file[..8]).promising(9)).await;
    assert!(matches!(broken, Err(Trouble::Source { .. })), "{broken:?}");
}

trait Promising {
    fn promising(self, size_bytes: u64) -> Self;
}

impl Promising for towline_client::remote::Frames {
    /// Says another number of bytes than there are.
    fn promising(self, size_bytes: u64) -> Self {
        Self { size_bytes, ..self }
    }
}

#[tokio::test]
async fn a_server_without_the_doors_says_so() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), |command| {
        command.args(["--doors", "s3"]);
    });
    let client = client(&server);
    let begun = client.begin(&order("a", Some(b"123"), MIB)).await.unwrap_err();
    assert!(hint(&begun).contains("doors"), "{begun:?}");
    assert!(hint(&client.stored("a").await.unwrap_err()).contains("doors"));
}

/// Answers whatever is asked with the same bytes; it ends with the process of the test.
fn parrot(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut asked = vec![0; 64 * 1024];
                if client.read(&mut asked).is_ok_and(|count| count > 0) {
                    client.write_all(answer).ok();
                }
            });
        }
    });
    address
}

async fn begin_at(url: &str) -> Trouble {
    let client = Client::open_with(url, None, SHORT).unwrap();
    client.begin(&order("a", Some(b"123"), MIB)).await.unwrap_err()
}

#[tokio::test]
async fn what_is_no_towline_server_is_told_apart() {
    let page = parrot(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>");
    let trouble = begin_at(&format!("http://{page}/up")).await;
    assert!(hint(&trouble).contains("Towline server?"), "{trouble:?}");
    assert!(hint(&trouble).contains("GET /health is answered otherwise"), "{trouble:?}");

    let nothing = parrot(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let trouble = begin_at(&format!("http://{nothing}")).await;
    assert!(hint(&trouble).contains("GET /health is answered 404"), "{trouble:?}");

    let proxy = parrot(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    assert!(hint(&begin_at(&format!("http://{proxy}")).await).contains("client_max_body_size"));

    let moved =
        parrot(b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere/x?secret=1\r\nContent-Length: 0\r\n\r\n");
    let trouble = begin_at(&format!("http://{moved}")).await;
    assert!(trouble.to_string().ends_with("it points to https://elsewhere/x"), "{trouble:?}");

    let other = parrot(b"SSH-2.0-OpenSSH_9.2\r\n");
    assert!(hint(&begin_at(&format!("http://{other}")).await).contains("https://"));
    let trouble = begin_at(&format!("https://{other}")).await;
    assert!(hint(&trouble).contains("http://"), "{trouble:?}");

    let crowded = parrot(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    let trouble = begin_at(&format!("http://{crowded}")).await;
    let Trouble::Passing { is_crowded: true, retry_after, .. } = trouble else { panic!("{trouble:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));

    let colours =
        parrot(b"HTTP/1.1 400 No\r\nContent-Type: application/problem+json\r\nContent-Length: 38\r\n\r\n{\"type\":\"#x\",\"detail\":\"\\u001b[2Jgone\"} ");
    assert_eq!(begin_at(&format!("http://{colours}")).await.to_string(), "\\u{1b}[2Jgone");
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let trouble = begin_at(&format!("http://{free}")).await;
    assert!(matches!(trouble, Trouble::Passing { .. }), "{trouble:?}");
    assert!(trouble.to_string().contains(&format!("cannot reach {free}: Connection refused")), "{trouble}");
}
