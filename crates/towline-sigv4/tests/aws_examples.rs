//! The examples that AWS publishes, signed and verified.

use std::time::Duration;

use towline_sigv4::{
    Chunking, Chunks, Claim, Credentials, Means, Moment, Origin, Payload, Request, Rules, Secret, Signer,
    Target,
};

const HOST: &str = "examplebucket.s3.amazonaws.com";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const WELCOME: &str = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";

fn signer() -> Signer {
    let credentials = Credentials {
        access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        session_token: None,
    };
    Signer::new(credentials, "us-east-1")
}

fn moment() -> Moment {
    Moment::parse("20130524T000000Z").expect("a moment")
}

fn rules() -> Rules<'static> {
    Rules { region: "us-east-1", now: moment(), skew: Duration::from_mins(15), key_days: 0 }
}

fn verify(request: &Request<'_>) -> Claim {
    let claim = Claim::find(request).expect("a claim").expect("the request is signed");
    claim.verify(&rules(), &signer().key(claim.scope.day), request).expect("what AWS signed is believed");
    claim
}

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

/// 66,560 times the letter a, in chunks of 65,536, 1,024 and 0 bytes.
fn body(signatures: [&str; 3], rest: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (bytes, signature) in [65_536, 1024, 0].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{bytes:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(vec![b'a'; bytes]);
        if bytes > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(rest.as_bytes());
    body
}

fn chunked(headers: &[(&str, &str)], chunking: Chunking, body: &[u8]) -> Vec<(String, String)> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let path = "/examplebucket/chunkObject.txt";
    let request = Request { method: "PUT", path, query: "", headers: &headers, hosts: &["s3.amazonaws.com"] };
    let claim = verify(&request);
    assert_eq!(claim.payload(&request), Ok(Payload::Chunked(chunking)));
    let mut chunks = Chunks::new(chunking, &claim, &signer().key(claim.scope.day));
    let mut payload = Vec::new();
    for piece in body.chunks(1000) {
        let mut frame = bytes::Bytes::copy_from_slice(piece);
        while let Some(data) = chunks.decode(&mut frame).expect("chunks") {
            payload.extend_from_slice(&data);
        }
    }
    assert!(payload == vec![b'a'; 66_560], "{} bytes", payload.len());
    chunks.finish().expect("the end")
}

#[test]
fn a_body_in_signed_chunks() {
    let authorization = concat!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,",
        "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;",
        "x-amz-decoded-content-length;x-amz-storage-class,",
        "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    );
    let headers = [
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("authorization", authorization),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("content-length", "66824"),
    ];
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let body = body(signatures, "\r\n");
    assert_eq!(body.len(), 66_824);
    assert_eq!(chunked(&headers, Chunking::Signed, &body), []);
}

#[test]
fn a_body_in_signed_chunks_with_a_signed_trailer() {
    let authorization = concat!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,",
        "SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;",
        "x-amz-storage-class;x-amz-trailer,",
        "Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    );
    let headers = [
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("authorization", authorization),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
    ];
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let trailers = concat!(
        "x-amz-checksum-crc32c:sOO8/Q==\r\n",
        "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    );
    assert_eq!(
        chunked(&headers, Chunking::SignedTrailer, &body(signatures, trailers)),
        [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]
    );
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
