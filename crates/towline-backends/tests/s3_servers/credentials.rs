//! The chain of credentials: found in surroundings that are handed in, lent ones fetched anew before they run out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use towline_backends::s3::{S3Credentials, S3Settings, S3Store, Surroundings};
use towline_core::FaultKind;
use towline_core::store::Store as _;

use crate::support::{RealClock, Server, open, told};

fn with(server: &Server, surroundings: Surroundings) -> S3Settings {
    S3Settings { credentials: S3Credentials::Chain(surroundings), ..server.settings("credentials") }
}

fn variables<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, String> {
    // No instance is asked: on a machine that is one, the test would find its role.
    let never = ("AWS_EC2_METADATA_DISABLED", "true");
    pairs.into_iter().chain([never]).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn keys_are_found_in_the_environment_and_in_a_profile() {
    let server = Server::garage();
    let (access_key, secret_key) = (&server.credentials.access_key, server.credentials.secret_key.expose());
    let environment = variables([("AWS_ACCESS_KEY_ID", access_key), ("AWS_SECRET_ACCESS_KEY", secret_key)]);
    let store = open(with(&server, Surroundings { variables: environment, home: None })).await;
    store.check().await.unwrap();

    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let profile = format!("[work]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n");
    std::fs::write(home.path().join(".aws/credentials"), profile).unwrap();
    let environment = variables([("AWS_PROFILE", "work")]);
    let store =
        open(with(&server, Surroundings { variables: environment, home: Some(home.path().to_owned()) }))
            .await;
    store.check().await.unwrap();
}

#[tokio::test]
async fn without_any_source_it_is_said_what_is_missing() {
    let settings = with(&Server::garage(), Surroundings { variables: variables([]), home: None });
    let fault = S3Store::open(settings, Arc::new(RealClock)).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(told(&fault).contains("credentials"), "{}", told(&fault));
}

/// Lends keys as a container's agent does, and counts how often it was asked.
async fn lender(server: &Server, until: &'static str) -> (String, Arc<AtomicUsize>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let body = format!(
        r#"{{"AccessKeyId":"{}","SecretAccessKey":"{}","Token":"","Expiration":"{until}"}}"#,
        server.credentials.access_key,
        server.credentials.secret_key.expose()
    );
    let count = Arc::clone(&asked);
    let task = TaskTracker::new().spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n")
                && connection.read_buf(&mut head).await.is_ok_and(|read| read > 0)
            {}
            connection.write_all(answer.as_bytes()).await.ok();
        }
    });
    (url, asked, AbortOnDropHandle::new(task))
}

#[tokio::test]
async fn lent_keys_are_kept_while_they_hold_and_fetched_anew_before_they_run_out() {
    let server = Server::garage();
    let (url, asked, _lender) = lender(&server, "2099-01-01T00:00:00Z").await;
    let environment = variables([("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    let store = open(with(&server, Surroundings { variables: environment, home: None })).await;
    store.check().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1, "many requests, one look");

    let (url, asked, _lender) = lender(&server, "2001-01-01T00:00:00Z").await;
    let environment = variables([("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    let store = open(with(&server, Surroundings { variables: environment, home: None })).await;
    let before = asked.load(Ordering::SeqCst);
    store.check().await.unwrap();
    store.check().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), before + 2);
}
