//! The examples that AWS publishes, signed and verified; those of bodies in chunks stand beside the other chunks.

use std::time::Duration;

use towline_sigv4::{Claim, Means, Origin, Payload, Request, Target};

use crate::{moment, rules, signer, verify};

const HOST: &str = "examplebucket.s3.amazonaws.com";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const WELCOME: &str = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";

/// Signs the example, compares the signature, and verifies the request that comes of it.
fn example(target: &Target<'_>, raw: (&str, &str), digest: &str, signature: &str) {
    let headers = signer().sign(target, Payload::parse(digest).expect("a digest"), moment());
    let (name, authorization) = headers.last().expect("headers");
    assert_eq!(*name, "authorization");
    assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");

    let own = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let all: Vec<_> =
        own.chain(target.headers.iter().map(|(name, value)| (*name, value.as_bytes()))).collect();
    let (path, query) = raw;
    let claim = verify(&Request { method: target.method, path, query, headers: &all, hosts: &["x", HOST] });
    assert_eq!((claim.means, claim.access_key.as_str()), (Means::Header, "AKIAIOSFODNN7EXAMPLE"));
}

#[test]
fn requests_signed_by_header() {
    let origin = Origin::parse("https://examplebucket.s3.amazonaws.com").unwrap();
    let get = Target { method: "GET", origin: &origin, path: "/", query: &[], headers: &[] };
    example(
        &Target { path: "/test.txt", headers: &[("range", "bytes=0-9")], ..get },
        ("/test.txt", ""),
        EMPTY,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    let headers = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    example(
        &Target { method: "PUT", path: "/test$file.text", headers: &headers, ..get },
        ("/test$file.text", ""),
        WELCOME,
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    example(
        &Target { query: &[("lifecycle", "")], ..get },
        ("/", "lifecycle"),
        EMPTY,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    example(
        &Target { query: &[("prefix", "J"), ("max-keys", "2")], ..get },
        ("/", "prefix=J&max-keys=2"),
        EMPTY,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
}

#[test]
fn a_signed_url() {
    let origin = Origin::parse("https://examplebucket.s3.amazonaws.com").unwrap();
    let target = Target { method: "GET", origin: &origin, path: "/test.txt", query: &[], headers: &[] };
    let url = signer().presign(&target, moment(), Duration::from_hours(24));
    assert_eq!(
        url,
        concat!(
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request",
            "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host",
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        )
    );
    let (_, query) = url.split_once('?').unwrap();
    let request = Request { method: "GET", path: "/test.txt", query, headers: &[], hosts: &[HOST] };
    let claim = verify(&request);
    assert_eq!((claim.means, claim.expires), (Means::Query, Some(Duration::from_hours(24))));
    assert_eq!(claim.payload(&request), Ok(Payload::Unsigned));
}

#[test]
fn a_posted_form() {
    let policy = concat!(
        "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6",
        "ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFj",
        "bCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tl",
        "dC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5",
        "cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZl",
        "ci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoN",
        "CiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVx",
        "dWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAx",
        "NTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
    );
    let fields = [
        ("key", "user/user1/${filename}"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Date", "20151229T000000Z"),
        ("Policy", policy),
        ("X-Amz-Signature", "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"),
    ];
    let claim = Claim::from_form(&fields).unwrap();
    assert_eq!(claim.means, Means::Form);
    let key = signer().key(claim.scope.day);
    assert_eq!(claim.verify_form(&rules(), &key, policy), Ok(()));
    assert!(claim.verify_form(&rules(), &key, &policy[1..]).is_err());
}
