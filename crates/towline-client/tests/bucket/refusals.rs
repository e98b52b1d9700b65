//! What people get wrong, and what they are told.

use std::time::Duration;

use towline_client::bucket::{BucketSettings, Patience};
use towline_client::remote::{Remote as _, Shelf as _};
use towline_client::trouble::Trouble;

use crate::support::{
    MIB, Server, content, fixed, frames, key, open, order, piece, send, slots, stored, whole,
};

/// What is said when an upload is to begin, when a small file is sent, and when a file is looked for.
async fn refusals(settings: BucketSettings) -> Vec<(String, Option<String>)> {
    let remote = open(settings);
    let order = order(&key("refused"), Some(3));
    let troubles = [
        remote.candidates(&order).await.map(drop).unwrap_err(),
        remote.begin(&order).await.map(drop).unwrap_err(),
        remote.send_whole(&order, frames(&content(1, 3))).await.map(drop).unwrap_err(),
        remote.stored(&order.key).await.map(drop).unwrap_err(),
    ];
    let said = troubles.map(|trouble| match trouble {
        Trouble::Refused { what, hint } => (what, hint),
        other @ (Trouble::Passing { .. } | Trouble::Gone { .. } | Trouble::Source { .. }) => {
            panic!("{other:?}")
        }
    });
    said.to_vec()
}

#[tokio::test]
async fn a_wrong_secret_is_told() {
    for server in [Server::garage(), Server::swift()] {
        let towline_client::bucket::S3Credentials::Fixed(credentials) = &server.settings.credentials else {
            panic!("they are fixed")
        };
        let wrong = fixed(&credentials.access_key, "wrong");
        for (what, hint) in refusals(BucketSettings { credentials: wrong, ..server.settings.clone() }).await {
            assert_eq!(
                hint.as_deref(),
                Some("the secret access key is not that of the access key"),
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told() {
    for server in [Server::garage(), Server::swift()] {
        let settings = BucketSettings { bucket: "no-such-bucket".to_owned(), ..server.settings.clone() };
        for (what, hint) in refusals(settings).await {
            assert_eq!(
                hint.as_deref(),
                Some("check the name \"no-such-bucket\", and the endpoint"),
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_access_key_is_told() {
    // Swift tells it no other than a wrong secret.
    let unknown = fixed("GK000000000000000000000000", "wrong");
    let settings = BucketSettings { credentials: unknown, ..Server::garage().settings };
    for (what, hint) in refusals(settings).await {
        assert!(hint.as_ref().is_some_and(|hint| hint.contains("AWS_ACCESS_KEY_ID")), "{what}: {hint:?}");
    }
}

#[tokio::test]
async fn a_bucket_elsewhere_is_followed() {
    let server = Server::garage();
    let settings = BucketSettings { region: "us-east-1".to_owned(), ..server.settings.clone() };
    let (content, key) = (content(11, 9 * MIB), key("elsewhere"));
    let remote = open(settings.clone());
    assert!(remote.stored(&key).await.unwrap().is_none());
    let remote = open(settings.clone());
    let small = content.slice(..100);
    remote.send_whole(&order(&key, Some(100)), frames(&small)).await.unwrap();
    assert!(stored(&remote, &key).await.unwrap() == small);
    // Parts cannot be sent again from where they are: the next try finds the way.
    let upload = remote.begin(&order(&key, Some(content.len()))).await.unwrap();
    let remote = open(settings);
    let slot = slots(&upload, &content)[0];
    let first = remote.send(&upload, slot, frames(&piece(&content, slot))).await;
    assert!(matches!(first, Err(Trouble::Passing { .. })), "{first:?}");
    let parts = [send(&remote, &upload, &content, 1).await, send(&remote, &upload, &content, 2).await];
    remote.finish(&upload, &parts, whole(&content)).await.unwrap();
    assert!(stored(&remote, &key).await.unwrap() == content);
}

#[tokio::test]
async fn a_server_that_does_not_answer_may_come_back() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::garage();
    let patience = Patience { reply: Duration::from_millis(50), tries: 2, ..server.settings.patience };
    let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
    let remote = open(BucketSettings { endpoint, patience, ..server.settings.clone() });
    let order = order(&key("silent"), Some(3));
    let silent = remote.begin(&order).await.unwrap_err();
    let expected = Trouble::late("beginning an upload: S3 did not answer in time");
    assert_eq!(silent, expected);
    let silent = remote.send_whole(&order, frames(&content(1, 3))).await.unwrap_err();
    assert_eq!(silent, Trouble::late("sending a part: S3 did not answer in time"));
    drop(listener);
    let refused = remote.begin(&order).await.unwrap_err();
    assert!(
        matches!(&refused, Trouble::Passing { what, .. } if what.contains("onnection refused")),
        "{refused:?}"
    );
}
