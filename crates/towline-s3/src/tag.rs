//! What an `ETag` says: sometimes the digest of what it names.

use http::HeaderMap;
use towline_core::digest::{Algorithm, Digest, Digester};

/// The `ETag` of no bytes: their MD5.
pub const EMPTY_TAG: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// What an `ETag` is on the wire has quotes; here it has none.
pub fn bare(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/").trim_matches('"')
}

/// The digest in an `ETag` that is the MD5 of a part.
pub fn md5_of(tag: &str) -> Option<[u8; 16]> {
    let digest = Digest::from_hex(Algorithm::Md5, tag)?;
    digest.bytes().try_into().ok()
}

/// The same of an answer, unless the bytes are encrypted: then the `ETag` only looks like a digest.
pub fn md5_in(headers: &HeaderMap, tag: &str) -> Option<[u8; 16]> {
    let is_hidden = headers
        .get("x-amz-server-side-encryption")
        .is_some_and(|encryption| encryption.as_bytes().starts_with(b"aws:kms"))
        || headers.contains_key("x-amz-server-side-encryption-customer-algorithm");
    md5_of(tag).filter(|_| !is_hidden)
}

/// The `ETag` of a completed multipart upload: the MD5 of its parts' MD5s, and their number. Nothing where a part's
/// `ETag` is not its MD5.
pub fn whole_tag<'a>(tags: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut digester = Digester::new([Algorithm::Md5]);
    let mut count = 0_u32;
    for tag in tags {
        digester.update(&md5_of(tag)?);
        count += 1;
    }
    let md5 = digester.finish().get(Algorithm::Md5).expect("it was asked for");
    Some(format!("{}-{count}", md5.to_hex()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_whole_is_known_from_those_of_its_parts() {
        let tags = ["d41d8cd98f00b204e9800998ecf8427e", "25f9e794323b453885f5181f1b624d0b"];
        assert_eq!(whole_tag(tags.into_iter()).as_deref(), Some("e315988ca1b4d15042c0900db58bea98-2"));
        assert_eq!(whole_tag(["abc-2"].into_iter()), None);
        assert_eq!(bare("\"abc\""), "abc");
    }
}
