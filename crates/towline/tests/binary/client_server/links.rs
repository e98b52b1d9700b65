//! Files behind URLs that are no server of ours, as far as the client knows.

use towline_client::remote::{Remote as _, Shelf as _};
use towline_client::server::Link;
use towline_client::trouble::Trouble;

use super::{MIB, assert_stored, client, hint, order, read, send_all};
use crate::support::{Server, noise};

#[tokio::test]
async fn a_signed_url_is_read_in_ranges_and_says_no_with_a_hint() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = client(&server);
    for (key, bytes) in [("a b.bin", MIB + 5), ("empty", 0)] {
        let file = noise(331, bytes);
        let upload = client.begin(&order(key, Some(&file), MIB)).await.unwrap();
        send_all(&client, &upload, &file).await;
        let path = format!("/uploads/download/{}", key.replace(' ', "%20"));
        let host = server.address().to_string();
        let signed = server.connect().send("GET", &path, &[("Host", &host)], b"").ok();
        let url = signed["url"].as_str().unwrap();
        let link = Link::open(url).unwrap();
        let stored = assert_stored(&link, key, &file).await;
        assert!(!format!("{link:?}").contains("Signature") && !link.name().contains('?'));

        let at = url.find("X-Amz-Signature=").unwrap() + "X-Amz-Signature=".len();
        let digit = if url[at..].starts_with('0') { "1" } else { "0" };
        let forged = format!("{}{digit}{}", &url[..at], &url[at + 1..]);
        let trouble = Link::open(&forged).unwrap().stored(key).await.unwrap_err();
        assert!(hint(&trouble).contains("expired"), "{trouble:?}");
        assert!(!trouble.to_string().contains("X-Amz"), "{trouble:?}");
        if bytes > 0 {
            let other = noise(332, bytes);
            let upload = client.begin(&order(key, Some(&other), MIB)).await.unwrap();
            send_all(&client, &upload, &other).await;
            let replaced = read(&link, &stored, 0..9).await;
            assert!(matches!(replaced, Err(Trouble::Gone { .. })), "{replaced:?}");
        }
    }
}

#[tokio::test]
async fn a_download_of_ours_is_a_link_too_and_what_is_not_there_is_not() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = client(&server);
    let file = noise(333, MIB);
    let upload = client.begin(&order("a", Some(&file), MIB)).await.unwrap();
    send_all(&client, &upload, &file).await;
    let link = |path: &str| Link::open(&format!("http://{}{path}", server.address())).unwrap();
    assert_stored(&link("/download/a"), "a", &file).await;
    assert!(link("/download/b").stored("b").await.unwrap().is_none());
    for url in ["ftp://a/b", "nonsense", "http://me:secret@a/b"] {
        assert!(Link::open(url).is_err(), "{url}");
    }
}
