//! What a client says to a server and to its store, and what it makes of answers that no real server gives on demand. The
//! whole life against a real one is told in `crates/towline/tests/binary/client_server.rs`.

#![expect(clippy::unwrap_used, reason = "a test may end anywhere")]

#[path = "server/bucket.rs"]
mod bucket;
#[path = "server/script.rs"]
mod script;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use script::{Answer, Asked, Script, answer, json};
use towline_client::remote::{
    Frames, Order, Proof, Remote as _, Shelf as _, Slot, Stored, Ticket, Upload, Whole,
};
use towline_client::server::{Link, Patience, Server};
use towline_client::trouble::Trouble;

const FILE: &[u8] = b"123456789";
const CRC64: &str = "ae8b14860a799888";
const MD5: &str = "25f9e794323b453885f5181f1b624d0b";
const BEGUN: &str = r#"{"session_id":"u1","total_parts":1,"key":"a","part_bytes":9,"mode":"direct","resumed":false,"later":1}"#;

fn upload(proof: Proof) -> Upload {
    Upload {
        ticket: Ticket::new("u1", "a"),
        part_bytes: FILE.len() as u64,
        total_bytes: Some(FILE.len() as u64),
        proof,
        landed: Vec::new(),
        is_resumed: false,
    }
}

fn order() -> Order {
    Order {
        key: "a".into(),
        filename: "a".into(),
        total_bytes: Some(9),
        part_bytes: None,
        content_type: None,
        metadata: BTreeMap::new(),
        fingerprint: "f".into(),
    }
}

const SLOT: Slot = Slot { number: 1, offset_bytes: 0, size_bytes: FILE.len() as u64 };

fn frames() -> Frames {
    let frames = FILE.chunks(4).map(|frame| Ok(Bytes::from_static(frame)));
    Frames::new(FILE.len() as u64, stream::iter(frames))
}

fn stored(tag: Option<&str>) -> Stored {
    Stored {
        key: "a".into(),
        size_bytes: 9,
        tag: tag.map(str::to_owned),
        crc64: None,
        digest: None,
        content_type: None,
    }
}

fn open(script: &Script) -> Server {
    Server::open(&script.url(), Some("open-sesame")).unwrap()
}

fn urls(store: &str) -> Answer {
    json(&format!(
        r#"{{"session_id":"u1","mode":"direct","urls":[{{"part_number":1,"url":"{store}/b/a?sig=1","size":9}}]}}"#
    ))
}

fn relayed() -> Answer {
    json(&format!(r#"{{"part_number":1,"received":true,"size":9,"crc64nvme":"{CRC64}","progress":{{}}}}"#))
}

#[tokio::test]
async fn what_answers_for_a_server_in_mid_upload_does_not_end_it() {
    for (status, is_passing) in
        [("404 Not Found", true), ("200 OK", true), ("413 Too Large", false), ("401 No", false)]
    {
        let front = Script::play(move |_| answer(status, "Content-Type: text/html\r\n", "<html>"));
        let sent = open(&front).send(&upload(Proof::Crc64), SLOT, frames()).await;
        assert_eq!(matches!(sent, Err(Trouble::Passing { .. })), is_passing, "{status} {sent:?}");
        assert!(sent.is_err());
    }
}

/// A server that hands out URLs of this store, and relays.
fn front(store: String) -> Script {
    Script::play(move |asked| match asked.line.as_str() {
        "POST /upload/u1/urls" => urls(&store),
        "PUT /upload/u1/part/1" => relayed(),
        _ => answer("404 Not Found", "", ""),
    })
}

fn store(answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Script, Script) {
    let store = Script::play(answers);
    let front = front(store.url());
    (store, front)
}

#[tokio::test]
async fn a_signed_url_gets_the_bytes_and_nothing_else_and_never_the_token() {
    let (store, front) = store(|_| answer("200 OK", &format!("ETag: \"{MD5}\"\r\n"), ""));
    let server = open(&front);
    for _ in 0..2 {
        let landed = server.send(&upload(Proof::Md5), SLOT, frames()).await.unwrap();
        assert_eq!((landed.size_bytes, landed.tag.as_str()), (9, MD5));
        assert_eq!(landed.crc64, u64::from_str_radix(CRC64, 16).ok());
        assert_eq!(landed.md5.unwrap()[..2], [0x25, 0xf9]);
    }
    assert_eq!(front.lines(), ["POST /upload/u1/urls"], "one window of URLs is enough");
    let asked = &store.asked()[0];
    assert_eq!((asked.line.as_str(), asked.body.as_slice()), ("PUT /b/a?sig=1", FILE));
    let mut headers: Vec<String> =
        asked.headers.iter().map(|(name, value)| format!("{}: {value}", name.to_lowercase())).collect();
    headers.sort();
    assert_eq!(headers, ["content-length: 9".to_owned(), format!("host: {}", store.address)]);
}

#[tokio::test]
async fn what_the_store_has_must_be_what_was_read() {
    let other = "0".repeat(32);
    let tags = [
        (format!("ETag: \"{other}\"\r\n"), false),
        // What is encrypted with keys of the store's has tags that are no MD5.
        (format!("ETag: \"{other}\"\r\nx-amz-server-side-encryption: aws:kms\r\n"), true),
        (format!("ETag: \"{other}\"\r\nx-amz-server-side-encryption: AES256\r\n"), false),
        ("ETag: \"strange\"\r\n".to_owned(), true),
        (String::new(), true),
    ];
    for (headers, is_right) in tags {
        let (_store, front) = store({
            let headers = headers.clone();
            move |_| answer("200 OK", &headers, "")
        });
        let sent = open(&front).send(&upload(Proof::Md5), SLOT, frames()).await;
        assert_eq!(sent.is_ok(), is_right, "{headers} {sent:?}");
        let names_host = |what: &str| what.contains("127.0.0.1:");
        assert!(is_right || matches!(&sent, Err(Trouble::Passing { what, .. }) if names_host(what)));
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_gone_round_after_three_tries() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let front = front(format!("http://{closed}"));
    let server = open(&front);
    for _ in 0..3 {
        let sent = server.send(&upload(Proof::Md5), SLOT, frames()).await;
        assert!(
            matches!(&sent, Err(Trouble::Passing { what, .. }) if what.contains("cannot reach")),
            "{sent:?}"
        );
    }
    let landed = server.send(&upload(Proof::Md5), SLOT, frames()).await.unwrap();
    assert!(landed.md5.is_some(), "it is compared with the store's list by its MD5");
    let relayed = front.asked().pop().unwrap();
    assert_eq!((relayed.line.as_str(), relayed.body.as_slice()), ("PUT /upload/u1/part/1", FILE));
    assert_eq!(relayed.header("authorization"), Some("Bearer open-sesame"));
}

#[tokio::test]
async fn what_a_store_says_no_with_is_sorted() {
    let cases = [
        ("503 Slow Down", "SlowDown", "crowded"),
        ("400 Bad Request", "RequestTimeout", "passing"),
        ("400 Bad Request", "BadDigest", "passing"),
        ("500 Oops", "InternalError", "passing"),
        ("404 Not Found", "NoSuchUpload", "gone"),
        ("403 Forbidden", "SignatureDoesNotMatch", "refused"),
        ("400 Bad Request", "EntityTooLarge", "refused"),
    ];
    for (status, code, expected) in cases {
        let body = format!("<Error><Code>{code}</Code><Message>so \u{1b}[2J</Message></Error>");
        let (_store, front) = store(move |_| answer(status, "", &body));
        let trouble = open(&front).send(&upload(Proof::Md5), SLOT, frames()).await.unwrap_err();
        let sort = match &trouble {
            Trouble::Passing { is_crowded: true, .. } => "crowded",
            Trouble::Passing { .. } => "passing",
            Trouble::Gone { .. } => "gone",
            Trouble::Refused { .. } => "refused",
            Trouble::Source { .. } => "source",
        };
        assert_eq!(sort, expected, "{status} {code}");
        let text = trouble.to_string();
        assert!(text.contains(code) && !text.contains('\u{1b}') && !text.contains("sig="), "{text}");
    }
}

#[tokio::test]
async fn a_url_that_has_grown_old_is_asked_for_again() {
    let count = AtomicUsize::new(0);
    let (_store, front) = store(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 => answer("403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>"),
        _ => answer("200 OK", &format!("ETag: \"{MD5}\"\r\n"), ""),
    });
    let server = open(&front);
    let mut sends = Vec::new();
    for wait in [0, 60, 0, 660] {
        // The clock only stands still while it is put forward: an answer takes real time.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(wait)).await;
        tokio::time::resume();
        sends.push(server.send(&upload(Proof::Md5), SLOT, frames()).await.is_ok());
    }
    assert_eq!(sends, [true, false, true, true]);
    assert_eq!(front.lines().len(), 3, "at first, after the refusal, and after ten minutes");
}

#[tokio::test]
async fn a_request_that_may_be_repeated_is_and_one_that_may_not_is_not() {
    let count = AtomicUsize::new(0);
    let front =
        Script::play(move |asked| match (asked.line.as_str(), count.fetch_add(1, Ordering::SeqCst)) {
            ("POST /upload/init", 0) => Vec::new(),
            ("POST /upload/init", 1) => answer("502 Bad Gateway", "", "<html>"),
            ("POST /upload/init", 2) => {
                b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{".to_vec()
            }
            ("POST /upload/init", _) => json(BEGUN),
            _ => answer("502 Bad Gateway", "", ""),
        });
    // The third answer breaks off: its connection is closed after a moment of silence.
    let patience = Patience { silence: Duration::from_millis(100), ..Patience::default() };
    let server = Server::open_with(&front.url(), None, patience).unwrap();
    let begun = server.begin(&order()).await.unwrap();
    assert_eq!((begun.ticket.id.as_str(), begun.proof, begun.is_resumed), ("u1", Proof::Md5, false));
    assert_eq!(front.lines().len(), 4);
    let sent = server.send(&upload(Proof::Crc64), SLOT, frames()).await;
    assert!(matches!(sent, Err(Trouble::Passing { .. })), "{sent:?}");
    assert_eq!(front.lines()[4..], ["PUT /upload/u1/part/1"]);
}

const WHOLE: Whole = Whole { total_bytes: FILE.len() as u64, crc64: 0xae8b_1486_0a79_9888 };

#[tokio::test]
async fn what_answers_for_a_server_at_the_end_is_asked_again_until_the_server_is_back() {
    let count = AtomicUsize::new(0);
    let front = Script::play(move |asked| {
        match (asked.line.as_str(), count.fetch_add(1, Ordering::SeqCst)) {
            ("POST /upload/init", _) => json(BEGUN),
            (_, 1) => Vec::new(),
            (_, 2) => answer("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>"),
            (_, 3) => answer("404 Not Found", "Content-Type: text/html\r\n", "<html>"),
            (_, 4) => answer("200 OK", "Content-Type: text/html\r\n", "<html>"),
            _ => json(
                r#"{"receipt":{"key":"a","size_bytes":9,"part_count":1,"crc64nvme":"ae8b14860a799888","vouched_by":"towline","location":"/a"}}"#,
            ),
        }
    });
    let server = open(&front);
    let begun = server.begin(&order()).await.unwrap();
    let receipt = server.finish(&begun, &[], WHOLE).await.unwrap();
    assert_eq!((receipt.size_bytes, receipt.crc64), (WHOLE.total_bytes, Some(WHOLE.crc64)));
    let asked = front.asked();
    assert_eq!(asked.len(), 6);
    for asked in &asked[1..] {
        assert_eq!(asked.line, "POST /upload/u1/complete");
        assert_eq!(asked.body, br#"{"crc64nvme":"ae8b14860a799888","file_size":9}"#);
    }
}

#[tokio::test]
async fn a_whole_that_is_another_is_looked_at_again() {
    let front = Script::play(|_| {
        let told = r#"{"type":"/api/errors#whole-digest","status":400,"detail":"Hash mismatch"}"#;
        answer("400 Bad Request", "Content-Type: application/problem+json\r\n", told)
    });
    let finished = open(&front).finish(&upload(Proof::Crc64), &[], WHOLE).await;
    assert_eq!(finished, Err(Trouble::gone("Hash mismatch")));
    assert_eq!(front.lines().len(), 1);
}

#[tokio::test]
async fn a_list_of_parts_that_does_not_end_is_refused() {
    const LOOKED: &str = r#"{"session_id":"u1","status":"in_progress","key":"a","file_size":9,"part_bytes":1,"mode":"relayed","receipt":null}"#;
    // Each page says that there is another one, by what came before it.
    for (grows, step, count) in [(1, 1000, 1000), (0, 1, 1), (1, 1, 0)] {
        let front = Script::play(move |asked| {
            let Some((_, after)) = asked.line.split_once("after=") else { return json(LOOKED) };
            let after: usize = after.split('&').next().unwrap().parse().unwrap();
            let part = |number| format!(r#"{{"part_number":{number},"size":1,"crc64nvme":null,"etag":""}}"#);
            let parts: Vec<String> = (after + 1..=after + count).map(part).collect();
            json(&format!(r#"{{"parts":[{}],"next":{}}}"#, parts.join(","), after * grows + step))
        });
        let looked = open(&front).look(&Ticket::new("u1", "a")).await;
        let refused = Trouble::refused("the server's list of parts does not end");
        assert_eq!(looked.map(|_| ()), Err(refused));
        assert!(front.lines().len() <= 102);
    }
}

#[tokio::test]
async fn a_key_that_no_file_can_have_is_not_told_how_to_upload() {
    let front = Script::play(|asked| {
        let told = r#"{"type":"/api/errors#bad-key","status":400,"detail":"key: it has a '..'"}"#;
        let body = if asked.line.starts_with("HEAD") { "" } else { told };
        answer("400 Bad Request", "Content-Type: application/problem+json\r\n", body)
    });
    let trouble = open(&front).stored("a/../b").await.unwrap_err();
    assert!(trouble.to_string().contains("'..'"), "{trouble}");
    assert!(!format!("{trouble:?}").contains("--key"), "{trouble:?}");
}

#[tokio::test]
async fn a_range_is_asked_for_once() {
    let front = Script::play(|_| answer("503 Service Unavailable", "", ""));
    let read = open(&front).read(&stored(None), 2..5).await.map(|_| ());
    assert!(matches!(read, Err(Trouble::Passing { .. })), "{read:?}");
    let link = Link::open(&format!("{}/a", front.url())).unwrap();
    let read = link.read(&stored(None), 2..5).await.map(|_| ());
    assert!(matches!(read, Err(Trouble::Passing { .. })), "{read:?}");
    assert_eq!(front.lines(), ["GET /download/a", "GET /a"]);
}

#[tokio::test]
async fn a_redirect_to_the_store_is_followed_once_without_the_token() {
    let file = |asked: &Asked| {
        assert_eq!(asked.header("range"), Some("bytes=2-4"));
        answer("206 Partial Content", "ETag: \"theirs\"\r\nContent-Range: bytes 2-4/9\r\n", "345")
    };
    let store = Script::play(file);
    let place = format!("{}/b/a?sig=1", store.url());
    let front =
        Script::play(move |_| answer("307 Temporary Redirect", &format!("Location: {place}\r\n"), ""));
    let server = open(&front);
    let bytes: Vec<Bytes> =
        server.read(&stored(Some("\"ours\"")), 2..5).await.unwrap().try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"345");
    let asked = &front.asked()[0];
    assert_eq!((asked.line.as_str(), asked.header("if-match")), ("GET /download/a", Some("\"ours\"")));
    assert_eq!(asked.header("authorization"), Some("Bearer open-sesame"));
    assert_eq!(store.asked()[0].header("authorization"), None);

    let here = front.url();
    let round =
        Script::play(move |_| answer("307 Temporary Redirect", &format!("Location: {here}/x\r\n"), ""));
    let read = open(&round).read(&stored(None), 2..5).await.map(|_| ());
    assert!(matches!(read, Err(Trouble::Refused { .. })), "{read:?}");
}

#[tokio::test]
async fn a_range_of_something_else_is_not_taken() {
    let cases = [
        ("206 P", "Content-Range: bytes 0-2/9\r\n", "123", "another range"),
        ("206 P", "Content-Range: bytes 2-4/10\r\n", "345", "replaced"),
        ("206 P", "", "345", "another range"),
        ("206 P", "ETag: \"new\"\r\nContent-Range: bytes 2-4/9\r\n", "345", "replaced"),
        ("200 OK", "", "123456789", "only whole"),
    ];
    for (status, headers, body, why) in cases {
        let front = Script::play(move |_| answer(status, headers, body));
        let read = open(&front).read(&stored(Some("\"old\"")), 2..5).await.map(|_| ());
        assert!(read.as_ref().is_err_and(|trouble| trouble.to_string().contains(why)), "{headers} {read:?}");
    }
    let front = Script::play(|_| answer("200 OK", "", "123456789"));
    let whole: Vec<Bytes> =
        open(&front).read(&stored(None), 0..9).await.unwrap().try_collect().await.unwrap();
    assert_eq!(whole.concat(), FILE);
}

#[tokio::test]
async fn who_gives_more_than_was_asked_for_gives_files_only_whole() {
    for (status, headers, body, has_ranges) in [
        ("206 P", "Content-Range: bytes 0-0/9\r\n", "1", true),
        ("416 R", "Content-Range: bytes */0\r\n", "", true),
        ("200 OK", "", "1", true),
        ("200 OK", "", "123456789", false),
    ] {
        let front = Script::play(move |_| answer(status, headers, body));
        let link = Link::open(&format!("{}/a", front.url())).unwrap();
        assert!(link.stored("a").await.unwrap().is_some());
        assert_eq!(link.has_ranges(), has_ranges, "{status} {body}");
    }
}
