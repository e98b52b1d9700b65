//! Bodies in chunks, with digests before and behind them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use towline_core::digest::hex;
use towline_sigv4::{Chunking, Payload};

use super::{Ask, S3, ali, ask, between, code};

fn unsigned_chunks(trailer: &str) -> String {
    format!("4\r\n0123\r\n6\r\n456789\r\n0\r\n{trailer}\r\n\r\n")
}

const TRAILER: [(&str, &str); 3] = [
    ("content-encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "10"),
    ("x-amz-trailer", "x-amz-checksum-crc32"),
];

fn trailing(body: &str) -> Ask<'_> {
    let payload = Payload::Chunked(Chunking::UnsignedTrailer);
    ask("PUT", "/towline/a").headers(&TRAILER).body(body).payload(payload)
}

#[tokio::test]
async fn chunks_with_a_checksum_behind_them_are_taken_as_boto3_sends_them() {
    let s3 = S3::default();
    let body = unsigned_chunks("x-amz-checksum-crc32:poTHxg==");
    let reply = s3.say(trailing(&body)).await;
    assert_eq!(code(&reply), "200", "{reply}");
    assert_eq!(between(&reply, "x-amz-checksum-crc32: ", "\n"), "poTHxg==");
    assert_eq!(between(&reply, "etag: ", "\n"), "\"781e5e245d69b566979b86e28d23f2c7\"");
    assert_eq!(s3.talk.house.store.object("a").unwrap(), "0123456789");
}

#[tokio::test]
async fn what_stands_behind_the_chunks_must_be_true() {
    let s3 = S3::default();
    for (trailer, refusal) in [
        ("x-amz-checksum-crc32:AAAAAA==", "400 BadDigest"),
        ("x-amz-checksum-crc32:nonsense", "400 MalformedTrailerError"),
        ("x-amz-checksum-sha1:AAAA", "400 MalformedTrailerError"),
    ] {
        let body = unsigned_chunks(trailer);
        assert_eq!(s3.code(trailing(&body)).await, refusal, "{trailer}");
    }
    for (body, refusal) in [
        ("4\r\n0123\r\n0\r\nx-amz-checksum-crc32:poTHxg==\r\n\r\n", "400 IncompleteBody"),
        ("b\r\n0123456789a\r\n0\r\n\r\n", "400 IncompleteBody"),
        ("4\r\n0123\r\n", "400 IncompleteBody"),
        ("4\r\n01234\r\n0\r\n\r\n", "400 InvalidRequest"),
        ("four\r\n0123\r\n", "400 InvalidRequest"),
    ] {
        assert_eq!(s3.code(trailing(body)).await, refusal, "{body}");
    }
    assert_eq!(s3.talk.house.store.object("a"), None);
    assert_eq!(s3.talk.house.store.staged_count(), 0, "nothing is kept of what was refused");
}

/// Signs chunks as clients do, each over the one before.
fn signed_chunks(s3: &S3, first: &str, chunks: &[&str]) -> String {
    let now = s3.now();
    let key = hex_bytes(&ali().key(now.day()).to_hex());
    let nothing = hex(&Sha256::digest(b""));
    let mut last = first.to_owned();
    let mut body = String::new();
    for chunk in chunks.iter().chain(&[""]) {
        let scope = format!("{}/us-east-1/s3/aws4_request", now.day());
        let data = hex(&Sha256::digest(chunk.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{now}\n{scope}\n{last}\n{nothing}\n{data}");
        let signature =
            Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of every length").chain_update(text);
        last = hex(&signature.finalize().into_bytes());
        let size = chunk.len();
        body.extend([&format!("{size:x};chunk-signature={last}\r\n"), *chunk, "\r\n"]);
    }
    body
}

fn hex_bytes(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

#[tokio::test]
async fn signed_chunks_are_verified_one_by_one() {
    let s3 = S3::default();
    let headers = [("x-amz-decoded-content-length", "10")];
    let put = ask("PUT", "/towline/a").headers(&headers).payload(Payload::Chunked(Chunking::Signed));
    let head = String::from_utf8(put.signed(&ali(), s3.now())).unwrap();
    let first = between(&head, "Signature=", "\n");
    let body = signed_chunks(&s3, first, &["0123", "456789"]);
    let changed = body.replacen("456789", "456780", 1);
    assert_eq!(code(&s3.talk.say(format!("{head}{changed}")).await), "403 SignatureDoesNotMatch");
    assert_eq!(s3.talk.house.store.object("a"), None);
    let swapped = signed_chunks(&s3, &"0".repeat(64), &["0123", "456789"]);
    assert_eq!(code(&s3.talk.say(format!("{head}{swapped}")).await), "403 SignatureDoesNotMatch");
    assert_eq!(code(&s3.talk.say(format!("{head}{body}")).await), "200");
    assert_eq!(s3.talk.house.store.object("a").unwrap(), "0123456789");
}

#[tokio::test]
async fn declared_digests_are_compared_and_told_again() {
    let s3 = S3::default();
    let put = async |name: &str, value: &str| {
        s3.say(ask("PUT", "/towline/a").headers(&[(name, value)]).body("0123456789")).await
    };
    assert_eq!(code(&put("content-md5", "eB5eJF1ptWaXm4bijSPyxw==").await), "200");
    let reply = put("x-amz-checksum-crc64nvme", "Ffmx7kz9nB0=").await;
    assert_eq!(between(&reply, "x-amz-checksum-crc64nvme: ", "\n"), "Ffmx7kz9nB0=");
    for (name, wrong) in [
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-crc32c", "AAAAAA=="),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ] {
        assert_eq!(code(&put(name, wrong).await), "400 BadDigest", "{name}");
        assert_eq!(code(&put(name, "AA==").await), "400 InvalidDigest", "{name}");
    }
}

#[tokio::test]
async fn a_body_needs_a_length() {
    let s3 = S3::default();
    let id = s3.begin("a").await;
    let part = [("partNumber", "1"), ("uploadId", id.as_str())];
    for query in [&[][..], &part] {
        let put = ask("PUT", "/towline/a").query(query);
        assert_eq!(s3.code(put).await, "411 MissingContentLength");
        let chunked = put.payload(Payload::Chunked(Chunking::UnsignedTrailer));
        assert_eq!(s3.code(chunked).await, "411 MissingContentLength");
    }
    let empty = [("content-length", "0")];
    assert_eq!(s3.code(ask("PUT", "/towline/empty").headers(&empty)).await, "200");
    assert_eq!(s3.talk.house.store.object("empty").unwrap(), "");
}

#[tokio::test]
async fn what_would_mean_other_bytes_is_refused() {
    let s3 = S3::default();
    let gzip = [("content-encoding", "aws-chunked,gzip")];
    let put = ask("PUT", "/towline/a").headers(&gzip).body("0123");
    assert_eq!(s3.code(put).await, "501 NotImplemented");
}
