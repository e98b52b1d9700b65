//! What clients do themselves with signed URLs and forms, with a client that knows nothing but HTTP.

use std::time::Duration;

use bytes::Bytes;
use towline_core::clock::{Clock as _, Timestamp};
use towline_core::plan::Plan;
use towline_core::receipt::Voucher;
use towline_core::store::{Direct as _, Place, Store as _, Validity};
use towline_core::testing::store_contract::content;
use towline_core::upload::{About, Epoch, Phase, Progress, Upload};

use crate::support::{MIB, RealClock, Server, http, id, key, later, object, place, seal};

fn validity() -> Validity {
    Validity { from: RealClock.now(), lasts: Duration::from_mins(15) }
}

fn upload(place: &Place, name: &str) -> Upload {
    Upload {
        id: id(1),
        key: key(name),
        plan: Plan::Free { total_bytes: None },
        place: place.clone(),
        about: About::default(),
        owner: String::new(),
        phase: Phase::Open,
        epoch: Epoch(0),
        progress: Progress::default(),
        tail: None,
        created_at: Timestamp::from_millis(0),
        expires_at: later(),
    }
}

#[tokio::test]
async fn parts_that_clients_carry_by_signed_urls_are_listed_and_sealed() {
    for server in [Server::garage(), Server::swift()] {
        let store = server.store_of_its_own("direct").await;
        let own = place(&store, (1, "a b/ü+.bin"), &About::default()).await;
        let urls = store.signer().await.unwrap().part_urls(&upload(&own, "a b/ü+.bin"), validity());
        let bytes = [content(1, 5 * MIB), content(2, MIB)];
        for (number, bytes) in (1..).zip(&bytes) {
            let (status, head, body) = http("PUT", &urls(number), &[], bytes).await;
            assert_eq!(status, 200, "{head} {}", String::from_utf8_lossy(&body));
        }
        let (status, ..) = http("PUT", &urls(1).replace("partNumber=1", "partNumber=2"), &[], b"x").await;
        assert_eq!(status, 403, "a URL is good for its own part only");
        let parts = store.parts(&own, 0).await.unwrap().expect("the upload is there");
        assert_eq!(
            parts.iter().map(|part| (part.number, part.size_bytes)).collect::<Vec<_>>(),
            [(1, 5 * MIB as u64), (2, MIB as u64)]
        );
        assert!(parts.iter().all(|part| part.voucher == Voucher::Store));
        assert_eq!(store.part_tag(&parts[0]), parts[0].mark.0);
        assert_eq!(store.parts(&own, 2).await.unwrap(), Some(Vec::new()));
        let sealed = seal(&store, &own, "a b/ü+.bin", &parts).await;
        assert_eq!(sealed.location, store.signer().await.unwrap().location(&key("a b/ü+.bin")));
        assert_eq!(object(&store, "a b/ü+.bin").await, bytes.concat());
    }
}

#[tokio::test]
async fn whole_files_are_put_and_read_by_signed_urls() {
    for server in [Server::garage(), Server::swift()] {
        let store = server.store_of_its_own("urls").await;
        let signer = store.signer().await.unwrap();
        let url = signer.put_url(&key("note"), Some("text/plain"), validity());
        let (status, ..) = http("PUT", &url, &[("content-type", "text/html")], b"hello").await;
        assert_eq!(status, 403, "the type is signed");
        let (status, ..) = http("PUT", &url, &[("content-type", "text/plain")], b"hello").await;
        assert_eq!(status, 200);
        let url = signer.get_url(&key("note"), Some("attachment; filename=\"n\""), validity());
        let (status, head, body) = http("GET", &url, &[], b"").await;
        assert_eq!((status, &body[..]), (200, &b"hello"[..]));
        let head = head.to_lowercase();
        assert!(head.contains("content-disposition: attachment; filename=\"n\""), "{head}");
        assert!(head.contains("content-type: text/plain"), "{head}");
    }
}

#[tokio::test]
async fn a_page_posts_a_file_with_a_form() {
    let store = Server::garage().store_of_its_own("form").await;
    let about = About {
        content_type: Some("text/plain".to_owned()),
        metadata: vec![("colour".to_owned(), "red".to_owned())],
        ..About::default()
    };
    let signer = store.signer().await.unwrap();
    for (name, size_bytes_max, expected) in [("posted", 5, 201), ("too-long", 4, 400)] {
        let form = signer.form(&key(name), &about, size_bytes_max, validity());
        let mut body = String::new();
        for (name, value) in &form.fields {
            let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            body += &[&head, value.as_str(), "\r\n"].concat();
        }
        body +=
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nhello\r\n--b--\r\n";
        let headers = [("content-type", "multipart/form-data; boundary=b")];
        let (status, head, answer) = http("POST", &(form.url + "/"), &headers, body.as_bytes()).await;
        assert_eq!(status, expected, "{head} {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(object(&store, "posted").await, Bytes::from_static(b"hello"));
    assert!(!store.has(&key("too-long")).await.unwrap());
}
