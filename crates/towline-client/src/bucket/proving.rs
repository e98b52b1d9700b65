//! By what a bucket's server shows that it has the bytes that were sent. Servers differ, and say so in their answers.

use http::StatusCode;
use towline_core::digest::{Algorithm, Computed};
use towline_s3::multipart::crc64_of;
use towline_s3::tag::md5_in;
use towline_s3::{Problem, Reply};

use crate::remote::Proof;
use crate::trouble::Trouble;

/// The checksum of a part, of an object, and of an upload in parts.
pub(super) const CRC64: &str = "x-amz-checksum-crc64nvme";
pub(super) const WHOLE: (&str, &str) = ("x-amz-checksum-type", "FULL_OBJECT");
/// Said when an upload begins.
pub(super) const OF_UPLOAD: [(&str, &str); 2] = [("x-amz-checksum-algorithm", "CRC64NVME"), WHOLE];

/// Whether the server does not take checksums. Not every one has a good word for what it does not know.
pub(super) fn is_about_checksums(problem: &Problem) -> bool {
    const CODES: [&str; 4] = ["NotImplemented", "InvalidRequest", "InvalidArgument", "InvalidHeader"];
    let is_unknown = problem.status() == Some(StatusCode::NOT_IMPLEMENTED);
    is_unknown || (problem.status() == Some(StatusCode::BAD_REQUEST) && CODES.contains(&problem.code()))
}

/// A server that knows of checksums repeats what it was told when an upload begins.
pub(super) fn of_begun(reply: &Reply) -> Proof {
    match reply.header("x-amz-checksum-algorithm") {
        Some(algorithm) if algorithm.eq_ignore_ascii_case("CRC64NVME") => Proof::Crc64,
        Some(_) | None => Proof::Md5,
    }
}

/// The digest of an object or a part, as an answer tells it.
pub(super) fn crc64_in(reply: &Reply) -> Option<u64> {
    reply.header(CRC64).and_then(crc64_of)
}

/// Compares what the server says it has with what has passed.
pub(super) fn compare(reply: &Reply, tag: &str, computed: &Computed) -> Result<(), Trouble> {
    let differs = || Trouble::passing("S3 has other bytes than those that were sent");
    if let Some(crc64) = crc64_in(reply) {
        return if crc64 == computed.crc64 { Ok(()) } else { Err(differs()) };
    }
    let sent = computed.get(Algorithm::Md5);
    match md5_in(&reply.headers, tag).zip(sent) {
        Some((stored, sent)) if sent.bytes() != stored => Err(differs()),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use towline_core::digest::Digester;

    use super::*;

    fn reply(headers: &[(&'static str, &'static str)]) -> Reply {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Reply { headers: headers.collect(), body: Bytes::new(), stream: None }
    }

    #[test]
    fn what_is_stored_is_compared_by_what_the_server_tells() {
        let mut digester = Digester::new([Algorithm::Md5]);
        digester.update(b"123456789");
        let computed = digester.finish();
        let (right, wrong) = ("25f9e794323b453885f5181f1b624d0b", "35f9e794323b453885f5181f1b624d0b");
        let kms = ("x-amz-server-side-encryption", "aws:kms");
        for (headers, tag, is_same) in [
            (&[][..], right, true),
            (&[], wrong, false),
            (&[], "no-md5", true),
            (&[kms], wrong, true),
            (&[(CRC64, "rosUhgp5mIg=")], wrong, true),
            (&[(CRC64, "sosUhgp5mIg=")], right, false),
            (&[(CRC64, "rosUhgp5mIg=-2")], wrong, false),
        ] {
            assert_eq!(compare(&reply(headers), tag, &computed).is_ok(), is_same, "{headers:?} {tag}");
        }
    }

    #[test]
    fn a_server_that_knows_checksums_says_so() {
        assert_eq!(of_begun(&reply(&[("x-amz-checksum-algorithm", "CRC64NVME")])), Proof::Crc64);
        assert_eq!(of_begun(&reply(&[("x-amz-checksum-algorithm", "CRC32")])), Proof::Md5);
        assert_eq!(of_begun(&reply(&[])), Proof::Md5);
    }
}
