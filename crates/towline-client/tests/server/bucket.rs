//! A bucket of S3 that says otherwise than it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use towline_client::bucket::{
    Bucket, BucketSettings, Credentials, PATIENCE, Patience, S3Credentials, Secret,
};
use towline_client::remote::{Landed, Proof, Receipt, Remote as _};
use towline_client::trouble::Trouble;
use towline_core::clock::{Clock, Timestamp};

use crate::script::{Script, answer};
use crate::{MD5, WHOLE, upload};

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }
}

/// Completes an upload of one part with an answer that names this tag; the object is seen from the given look on.
async fn finished(tag: &'static str, seen_at: usize) -> (Result<Receipt, Trouble>, Script) {
    let looks = AtomicUsize::new(0);
    let script = Script::play(move |asked| {
        if asked.line.starts_with("HEAD") {
            let is_seen = looks.fetch_add(1, Ordering::SeqCst) >= seen_at;
            let head = format!("HTTP/1.1 200 OK\r\nETag: \"{tag}\"\r\nContent-Length: 9\r\n\r\n");
            return if is_seen { head.into_bytes() } else { answer("404 Not Found", "", "") };
        }
        let result = "CompleteMultipartUploadResult";
        answer("200 OK", "", &format!("<{result}><ETag>\"{tag}\"</ETag></{result}>"))
    });
    let credentials = S3Credentials::Fixed(Credentials {
        access_key: "A".into(),
        secret_key: Secret::new("S"),
        session_token: None,
    });
    let settings = BucketSettings {
        endpoint: Some(script.url()),
        path_style: true,
        patience: Patience { pause: Duration::from_millis(1), ..PATIENCE },
        ..BucketSettings::new("b", "r", credentials)
    };
    let bucket = Bucket::open(settings, Arc::new(Noon)).unwrap();
    let part = Landed { number: 1, size_bytes: 9, crc64: None, md5: None, tag: MD5.to_owned() };
    let ended = bucket.finish(&upload(Proof::Md5), &[part], WHOLE).await;
    (ended, script)
}

#[tokio::test]
async fn an_object_that_was_made_is_there() {
    for (seen_at, is_made) in [(0, true), (3, true), (4, false)] {
        let (ended, script) = finished("abc-1", seen_at).await;
        assert_eq!(ended.is_ok(), is_made, "{ended:?}");
        assert_eq!(script.lines().len(), 1 + 4.min(seen_at + 1));
        let lost = "S3 said that it made the object, and does not have it";
        assert!(is_made || ended.is_err_and(|trouble| trouble.to_string() == lost));
    }
}

#[tokio::test]
async fn an_object_of_other_parts_is_no_success() {
    let (ended, _script) = finished("abc-2", 0).await;
    let told = "S3 made an object of 2 parts instead of 1";
    assert!(ended.as_ref().is_err_and(|trouble| trouble.to_string() == told), "{ended:?}");
}
