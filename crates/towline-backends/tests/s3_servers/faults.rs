//! Servers and lines that fail: what is tried again, what is not, and what is told.

use std::time::Duration;

use bytes::Bytes;
use towline_backends::s3::{Patience, S3Settings};
use towline_core::FaultKind;
use towline_core::store::{Seal, Store as _};
use towline_core::testing::store_contract::content;
use towline_core::upload::About;

use crate::proxy::{ERROR, Harm, Proxy, SLOW_DOWN};
use crate::support::{MIB, Server, gather, key, land, landed, object, open, place, seal, told, writer};

async fn behind(server: &Server, test: &str) -> (Proxy, S3Settings) {
    let proxy = Proxy::before(&server.endpoint).await;
    let settings = S3Settings { endpoint: Some(proxy.endpoint.clone()), ..server.settings(test) };
    (proxy, settings)
}

#[tokio::test]
async fn a_server_that_is_busy_or_breaks_is_asked_again_with_the_same_bytes() {
    for server in [Server::garage(), Server::swift()] {
        let (proxy, settings) = behind(&server, "busy").await;
        let store = open(S3Settings { spill_memory_bytes: MIB as u64, ..settings }).await;
        proxy.harm("POST ?uploads=", [SLOW_DOWN]);
        proxy.harm("PUT partNumber=1", [SLOW_DOWN, ERROR, Harm::Cut, Harm::LoseAnswer]);
        proxy.harm("POST uploadId=", [ERROR, Harm::Cut]);
        let before = proxy.count("PUT partNumber=1&");
        let (own, parts, whole) = landed(&store, (1, "k"), &About::default(), &[5 * MIB, MIB]).await;
        assert_eq!(proxy.count("PUT partNumber=1&"), before + 5, "four failed, the fifth did not");
        seal(&store, &own, "k", &parts).await;
        proxy.assert_done();
        assert_eq!(object(&store, "k").await, whole);
    }
}

#[tokio::test]
async fn an_answer_to_a_completion_that_was_lost_is_found_out() {
    for server in [Server::garage(), Server::swift()] {
        let (proxy, settings) = behind(&server, "lost").await;
        let store = open(settings).await;
        let (own, parts, whole) = landed(&store, (1, "k"), &About::default(), &[5 * MIB, MIB]).await;
        proxy.harm("POST uploadId=", [Harm::LoseAnswer]);
        let sealed = seal(&store, &own, "k", &parts).await;
        proxy.assert_done();
        assert_eq!(object(&store, "k").await, whole);
        assert_eq!(store.read(&key("k")).await.unwrap().unwrap().version, sealed.version);
    }
}

#[tokio::test]
async fn a_server_that_stays_busy_is_a_fault_that_may_pass() {
    let (proxy, settings) = behind(&Server::garage(), "stays").await;
    let tries = settings.patience.tries as usize;
    let store = open(settings).await;
    let own = place(&store, (1, "k"), &About::default()).await;
    proxy.harm("PUT partNumber=1", vec![SLOW_DOWN; tries]);
    let mut part = writer(&store, &own, 1).await;
    part.write(Bytes::from_static(b"abc")).await.unwrap();
    let fault = part.land().await.unwrap_err();
    proxy.assert_done();
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(told(&fault).contains("503") && told(&fault).contains("SlowDown"), "{}", told(&fault));
    land(&store, &own, (1, &Bytes::from_static(b"abc"))).await;
}

#[tokio::test]
async fn silence_is_not_waited_for_longer_than_is_said() {
    let (proxy, settings) = behind(&Server::garage(), "silence").await;
    let patience = Patience { reply: Duration::from_millis(300), tries: 2, ..settings.patience };
    let store = open(S3Settings { patience, ..settings }).await;
    let own = place(&store, (1, "k"), &About::default()).await;
    proxy.harm("PUT partNumber=1", [Harm::Silence, Harm::Silence]);
    let mut part = writer(&store, &own, 1).await;
    part.write(Bytes::from_static(b"abc")).await.unwrap();
    let fault = part.land().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unavailable, "{}", told(&fault));
    proxy.assert_done();
}

#[tokio::test]
async fn what_is_refused_is_not_asked_again_and_no_secret_is_told() {
    let (proxy, settings) = behind(&Server::garage(), "refused").await;
    let store = open(settings).await;
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 66\r\nconnection: close\r\n\r\n\
        <Error><Code>AccessDenied</Code><Message>Not you</Message></Error>";
    proxy.harm("POST ?uploads=", [Harm::Answer(refusal)]);
    let before = proxy.count("POST ?uploads=");
    let fault = store.open(crate::support::id(1), &key("k"), &About::default()).await.unwrap_err();
    assert_eq!(proxy.count("POST ?uploads="), before + 1);
    assert_eq!(fault.kind(), FaultKind::Internal);
    let told = told(&fault);
    assert!(told.contains("403") && told.contains("AccessDenied: Not you"), "{told}");
    assert!(!told.contains("http") && !told.contains("Signature"), "{told}");
}

#[tokio::test]
async fn a_read_goes_on_where_the_line_broke_and_never_with_another_content() {
    for server in [Server::garage(), Server::swift()] {
        let (proxy, settings) = behind(&server, "read").await;
        let store = open(settings).await;
        let (own, parts, whole) = landed(&store, (1, "k"), &About::default(), &[5 * MIB, 2 * MIB]).await;
        seal(&store, &own, "k", &parts).await;
        proxy.harm(
            "GET /k",
            [Harm::CutAnswer(3 * MIB as u64), Harm::CutAnswer(MIB as u64), Harm::Cut, SLOW_DOWN],
        );
        assert_eq!(object(&store, "k").await, whole);
        proxy.assert_done();
        let found = store.read(&key("k")).await.unwrap().unwrap();
        assert_eq!(gather(found.reader.read(5..70_000)).await, whole[5..70_000]);

        let (newer, parts, _) = landed(&store, (2, "k"), &About::default(), &[MIB]).await;
        seal(&store, &newer, "k", &parts).await;
        let mut rest = found.reader.read(0..found.size_bytes);
        let first = futures_util::StreamExt::next(&mut rest).await.expect("an answer");
        assert!(first.is_err(), "the object that was found is no more");
    }
}

#[tokio::test]
async fn slow_writers_hold_neither_requests_nor_memory() {
    let server = Server::garage();
    let settings = server.settings("slow");
    let store = open(S3Settings { relay_slots: 1, spill_memory_bytes: 2 * MIB as u64, ..settings }).await;
    let own = place(&store, (1, "slow"), &About::default()).await;
    let mut writers = Vec::new();
    for number in 1..=12 {
        writers.push((number, writer(&store, &own, number).await));
    }
    let mut most = 0;
    for step in 0..8_usize {
        for (number, writer) in &mut writers {
            let bytes = content(u64::from(*number), MIB).slice(step * MIB / 8..(step + 1) * MIB / 8);
            writer.write(bytes).await.unwrap();
            most = most.max(store.waiting().memory_bytes);
        }
        // With one slot and a dozen parts under way, another part lands.
        land(&store, &own, (100, &Bytes::from(vec![7; 10_000]))).await;
    }
    assert!(most <= 2 * MIB as u64, "{most}");
    assert!(store.waiting().file_bytes >= 9 * MIB as u64, "{:?}", store.waiting());
    let mut parts = Vec::new();
    for (number, writer) in writers {
        let mark = writer.land().await.unwrap();
        parts.push(towline_core::testing::store_contract::part_of(
            number,
            &content(u64::from(number), MIB),
            mark,
        ));
    }
    assert_eq!(store.waiting(), towline_backends::s3::Waiting::default(), "all is given back");
    seal(&store, &own, "slow", &parts).await;
    let whole: Vec<u8> = (1..=12).flat_map(|number| content(number, MIB)).collect();
    assert_eq!(object(&store, "slow").await, whole);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_when_the_store_opens() {
    let server = Server::garage();
    let mut settings = server.settings("nowhere");
    settings.bucket = "there-is-no-such-bucket".to_owned();
    let fault =
        towline_backends::s3::S3Store::open(settings, std::sync::Arc::new(crate::support::RealClock)).await;
    let told = told(&fault.unwrap_err());
    assert!(told.contains("trying the bucket") && (told.contains("404") || told.contains("403")), "{told}");
}

#[tokio::test]
async fn an_object_that_must_not_be_replaced_is_not_where_the_server_can_say_so() {
    let (proxy, settings) = behind(&Server::swift(), "conditions").await;
    let store = open(S3Settings { refuses_existing: true, ..settings }).await;
    let (own, parts, whole) = landed(&store, (1, "k"), &About::default(), &[MIB]).await;
    seal(&store, &own, "k", &parts).await;
    let (other, parts_of_it, _) = landed(&store, (2, "k"), &About::default(), &[2 * MIB]).await;
    let sealed = store.seal(&other, &key("k"), &parts_of_it).await.unwrap();
    assert!(matches!(sealed, Seal::Blocked(obstacle) if obstacle.name == "k" && !obstacle.is_folder));
    assert_eq!(object(&store, "k").await, whole);
    // A refusal because of our own object, made by a try whose answer was lost, is no refusal.
    let refusal = "HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    proxy.harm("POST uploadId=", [Harm::LoseAnswer, Harm::Answer(refusal)]);
    let (own, parts, whole) = landed(&store, (3, "fresh"), &About::default(), &[MIB]).await;
    seal(&store, &own, "fresh", &parts).await;
    proxy.assert_done();
    assert_eq!(object(&store, "fresh").await, whole);
}

#[tokio::test]
async fn where_no_checksum_is_looked_at_what_was_stored_is_compared() {
    const OTHER: Harm = Harm::Answer(concat!(
        "HTTP/1.1 200 OK\r\netag: \"0123456789abcdef0123456789abcdef\"\r\ncontent-length: 0\r\n",
        "connection: close\r\n\r\n"
    ));
    let (proxy, settings) = behind(&Server::garage(), "md5").await;
    // A part with a wrong checksum is taken, three times: once for each that is tried.
    proxy.harm("PUT partNumber=1&", [OTHER, Harm::None, OTHER, Harm::None, OTHER, Harm::None]);
    let store = open(S3Settings { is_relayed: true, ..settings }).await;
    proxy.assert_done();
    assert!(format!("{store:?}").contains("check: Md5"), "{store:?}");

    proxy.harm("PUT partNumber=1&", [OTHER]);
    let (own, parts, whole) = landed(&store, (1, "k"), &About::default(), &[MIB]).await;
    proxy.assert_done();
    seal(&store, &own, "k", &parts).await;
    assert_eq!(object(&store, "k").await, whole, "it was sent again");

    let own = place(&store, (2, "never"), &About::default()).await;
    proxy.harm("PUT partNumber=1&", [OTHER, OTHER]);
    let mut part = writer(&store, &own, 1).await;
    part.write(Bytes::from_static(b"abc")).await.unwrap();
    let fault = part.land().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Corrupt, "{}", told(&fault));
}
