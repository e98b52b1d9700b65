//! Bodies in chunks: AWS's examples, every way to cut them, and the ways to spoil them.

use bytes::Bytes;
use proptest::prelude::*;
use towline_sigv4::{Chunking, Chunks, Claim, Payload, Request, Spoiled};

use crate::{signer, verify};

type Decoded = (Vec<u8>, Vec<(String, String)>);

/// Gives the body to the decoder in frames of `step` bytes.
fn decode(chunking: Chunking, claim: &Claim, body: &[u8], step: usize) -> Result<Decoded, Spoiled> {
    let mut chunks = Chunks::new(chunking, claim, &signer().key(claim.scope.day));
    let mut payload = Vec::new();
    for piece in body.chunks(step) {
        let mut frame = Bytes::copy_from_slice(piece);
        while let Some(data) = chunks.decode(&mut frame)? {
            payload.extend_from_slice(&data);
        }
    }
    Ok((payload, chunks.finish()?))
}

/// One of AWS's two examples: 66,560 times the letter a, in chunks of 65,536, 1,024 and 0 bytes.
struct Example {
    chunking: Chunking,
    claim: Claim,
    body: Vec<u8>,
}

impl Example {
    fn new(chunking: Chunking, own: [(&str, &str); 2], seed: &str, signatures: [&str; 3]) -> Self {
        let word = Payload::Chunked(chunking).to_string();
        let mut headers = vec![
            ("content-encoding", "aws-chunked"),
            ("x-amz-content-sha256", word.as_str()),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            own[0],
        ];
        let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).chain(["host"]).collect();
        names.sort_unstable();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders={}, Signature={seed}",
            names.join(";")
        );
        headers.push(("authorization", &authorization));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let path = "/examplebucket/chunkObject.txt";
        let request =
            Request { method: "PUT", path, query: "", headers: &headers, hosts: &["s3.amazonaws.com"] };
        let claim = verify(&request);
        assert_eq!(claim.payload(&request), Ok(Payload::Chunked(chunking)));

        let mut body = Vec::new();
        for (bytes, signature) in [65_536, 1024, 0].into_iter().zip(signatures) {
            body.extend_from_slice(format!("{bytes:x};chunk-signature={signature}\r\n").as_bytes());
            body.extend(vec![b'a'; bytes]);
            body.extend_from_slice(if bytes > 0 { b"\r\n" } else { b"" });
        }
        body.extend_from_slice(own[1].1.as_bytes());
        Self { chunking, claim, body }
    }

    fn signed() -> Self {
        let signatures = [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ];
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        Self::new(Chunking::Signed, [("content-length", "66824"), ("", "\r\n")], seed, signatures)
    }

    fn with_trailer() -> Self {
        let signatures = [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ];
        let trailers = concat!(
            "x-amz-checksum-crc32c:sOO8/Q==\r\n",
            "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
        );
        let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
        let own = [("x-amz-trailer", "x-amz-checksum-crc32c"), ("", trailers)];
        Self::new(Chunking::SignedTrailer, own, seed, signatures)
    }

    fn decode(&self, body: &[u8], step: usize) -> Result<Decoded, Spoiled> {
        decode(self.chunking, &self.claim, body, step)
    }
}

/// What is not signed needs no claim of its own.
fn unsigned(body: &[u8], step: usize) -> Result<Decoded, Spoiled> {
    decode(Chunking::UnsignedTrailer, &Example::signed().claim, body, step)
}

#[test]
fn the_published_chunks_are_decoded() {
    let example = Example::signed();
    assert_eq!(example.body.len(), 66_824);
    for step in [1, 7, 1000, 65_536, 66_824] {
        let (payload, trailers) = example.decode(&example.body, step).unwrap();
        assert!(payload == vec![b'a'; 66_560] && trailers.is_empty(), "step {step}");
    }
}

#[test]
fn the_published_chunks_with_a_trailer_are_decoded() {
    let example = Example::with_trailer();
    for step in [1, 7, 1000, 65_536, 70_000] {
        let (payload, trailers) = example.decode(&example.body, step).unwrap();
        assert!(payload == vec![b'a'; 66_560], "step {step}");
        assert_eq!(trailers, [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]);
    }
    let lone_end = &example.body[..example.body.len() - 4];
    assert!(example.decode(lone_end, 1000).is_ok(), "some clients leave out the last line ends");
}

#[test]
fn a_body_that_ends_early_is_noticed_wherever_it_ends() {
    for example in [Example::signed(), Example::with_trailer()] {
        let step = example.body.len();
        let tail = if example.chunking == Chunking::Signed { 4 } else { 5 };
        for end in (0..300).chain([65_536, 65_700, 66_650]).chain(step - 300..step - tail) {
            assert!(example.decode(&example.body[..end], step).is_err(), "{end} bytes of {step}");
        }
    }
}

#[test]
fn payload_is_a_slice_of_the_frame() {
    let example = Example::signed();
    let mut chunks = Chunks::new(example.chunking, &example.claim, &signer().key(example.claim.scope.day));
    let mut frame = Bytes::from(example.body.clone());
    let from = frame.as_ptr() as usize;
    let data = chunks.decode(&mut frame).unwrap().unwrap();
    assert_eq!((data.len(), data.as_ptr() as usize - from), (65_536, 88));
}

#[test]
fn unsigned_chunks_are_decoded_however_they_are_cut() {
    let trailer = |value: &str| vec![("x-amz-checksum-crc32".to_owned(), value.to_owned())];
    for (body, payload, trailers) in [
        ("5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n", "hello!", trailer("AA==")),
        ("5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: AA==\r\n", "hello", trailer("AA==")),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AA==", "hello", trailer("AA==")),
        ("5\nhello\n0\nx-amz-checksum-crc32:AA==\n\n", "hello", trailer("AA==")),
        ("2;x=y\r\n\r\n\r\n0\r\n\r\n", "\r\n", vec![]),
        ("0\r\n\r\n", "", vec![]),
    ] {
        for step in 1..=body.len() {
            let (found, found_trailers) = unsigned(body.as_bytes(), step).unwrap();
            assert_eq!((&*found, &found_trailers), (payload.as_bytes(), &trailers), "{body:?}");
        }
    }
}

#[test]
fn what_is_no_body_in_chunks_is_refused() {
    let many = format!("0\r\n{}", "a:b\r\n".repeat(17));
    let empty = format!("0\r\n{}", "\r\n".repeat(17));
    for body in [
        "x\r\n",
        "\r\n",
        "-1\r\n",
        "+1\r\n",
        "10000000000000000\r\n",
        "1\r\nab\r\n",
        "0\r\nab\r\n",
        "0\r\n\u{fffd}",
    ]
    .into_iter()
    .chain([many.as_str(), &empty])
    {
        let found = unsigned(body.as_bytes(), body.len()).unwrap_err();
        assert!(matches!(found, Spoiled::Malformed(_)), "{body:?}: {found:?}");
    }
    for body in ["", "5", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0"] {
        assert_eq!(unsigned(body.as_bytes(), 1), Err(Spoiled::EndedEarly), "{body:?}");
    }
}

#[test]
fn no_line_is_gathered_beyond_its_bound() {
    for (before, after) in [("5;x=", "\r\n"), ("0\r\na:", "\r\n"), ("5\r\nhello", "")] {
        for step in [1, 100, 5000] {
            let body = format!("{before}{}{after}", "x".repeat(1025));
            let found = unsigned(body.as_bytes(), step);
            assert_eq!(found, Err(Spoiled::Malformed("a line that is too long")), "{before:?}, {step}");
        }
    }
}

#[test]
fn chunks_that_must_be_signed_are_not_taken_unsigned() {
    for example in [Example::signed(), Example::with_trailer()] {
        let found = example.decode(b"5\r\nhello\r\n0\r\n\r\n", 100);
        assert!(matches!(found, Err(Spoiled::Malformed(_))), "{found:?}");
    }
    let signed = Example::signed();
    let with_more = [&signed.body[..], b"x-amz-checksum-crc32c:sOO8/Q==\r\n"].concat();
    assert!(signed.decode(&with_more, 1000).is_err());
    let trailer = Example::with_trailer();
    let with_more = [&trailer.body[..], b"x-amz-checksum-crc32:AAAA\r\n"].concat();
    assert!(trailer.decode(&with_more, 1000).is_err());
}

proptest! {
    #[test]
    fn a_changed_byte_is_noticed(place in 0_usize..500, change in 1_u8.., which: bool) {
        let example = if which { Example::signed() } else { Example::with_trailer() };
        // The letters in the middle are all alike: the places around the heads and the trailers are not.
        let at = if place < 200 { place } else { example.body.len() - (place - 199) };
        let mut body = example.body.clone();
        body[at] ^= change;
        if let Ok((payload, trailers)) = example.decode(&body, 70_000) {
            let (same, same_trailers) = example.decode(&example.body, 70_000).unwrap();
            prop_assert!(payload == same && trailers == same_trailers, "at {at}");
            let is_harmless = body[at].is_ascii_whitespace() || body[at].is_ascii_hexdigit();
            prop_assert!(is_harmless, "a space, an end of line or the case of a digit: {}", body[at]);
        }
    }

    #[test]
    fn nothing_makes_the_decoder_panic(body: Vec<u8>, step in 1_usize..40, signed: bool) {
        let claim = Example::signed().claim;
        let chunking = if signed { Chunking::SignedTrailer } else { Chunking::UnsignedTrailer };
        let _found = decode(chunking, &claim, &body, step);
        let _found = decode(chunking, &claim, &[b"3\r\nabc\r\n0\r\n", &*body].concat(), step);
    }
}
