//! The digests that a client declares in headers, in all their spellings.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{Dictionary, ListEntry, Parser};
use towline_core::digest::{Algorithm, Digest};

use crate::refused::Refused;

/// What a body is, for the digests that speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The body is the part.
    Raw,
    /// The part is a field of a form: digests of the content are the form's, not the part's.
    Form,
}

/// S3's headers and their algorithms.
pub(crate) const AMZ: [(&str, Algorithm); 5] = [
    ("x-amz-checksum-crc32", Algorithm::Crc32),
    ("x-amz-checksum-crc32c", Algorithm::Crc32c),
    ("x-amz-checksum-crc64nvme", Algorithm::Crc64Nvme),
    ("x-amz-checksum-sha1", Algorithm::Sha1),
    ("x-amz-checksum-sha256", Algorithm::Sha256),
];

/// The registered names of RFC 9530 that we compute; others are ignored, as it says.
const REGISTERED: [(&str, Algorithm); 5] = [
    ("md5", Algorithm::Md5),
    ("sha", Algorithm::Sha1),
    ("sha-256", Algorithm::Sha256),
    ("sha-512", Algorithm::Sha512),
    ("crc32c", Algorithm::Crc32c),
];

/// All digests that the bytes of a part must have.
pub(crate) fn of_part(headers: &HeaderMap, framing: Framing) -> Result<Vec<Digest>, Refused> {
    let mut declared = Vec::new();
    if let Some(value) = headers.get("x-part-hash") {
        let digest = value.to_str().ok().and_then(|text| Digest::from_hex(Algorithm::Md5, text.trim()));
        declared.push(digest.ok_or_else(|| malformed("X-Part-Hash", "32 hexadecimal digits of an MD5"))?);
    }
    for (name, algorithm) in AMZ {
        if let Some(value) = headers.get(name) {
            declared.push(from_base64(value, algorithm).ok_or_else(|| malformed(name, "base64"))?);
        }
    }
    if framing == Framing::Raw {
        if let Some(value) = headers.get("content-md5") {
            let digest = from_base64(value, Algorithm::Md5);
            declared.push(digest.ok_or_else(|| malformed("Content-MD5", "base64 of an MD5"))?);
        }
        structured(headers, "Content-Digest", &mut declared)?;
        structured(headers, "Repr-Digest", &mut declared)?;
    }
    Ok(declared)
}

/// One entry of a `Repr-Digest` header; nothing for algorithms that have no registered name.
pub(crate) fn to_structured(digest: &Digest) -> Option<String> {
    let registered = REGISTERED.into_iter().find(|(_, algorithm)| *algorithm == digest.algorithm());
    registered.map(|(name, _)| format!("{name}=:{}:", to_base64(digest)))
}

pub(crate) fn to_base64(digest: &Digest) -> String {
    STANDARD.encode(digest.bytes())
}

/// The whole-file digest of a JSON body: hexadecimal, with the algorithm's name beside it.
pub(crate) fn of_file(hash: &str, algorithm: Algorithm) -> Result<Digest, Refused> {
    Digest::from_hex(algorithm, hash).ok_or_else(|| {
        let digits = algorithm.size_bytes() * 2;
        Refused::field("file_hash", format!("is not the {digits} hexadecimal digits of {algorithm}"))
    })
}

/// The name of an algorithm as clients write it: `SHA256`, `sha-256`, `CRC64NVME`.
pub(crate) fn algorithm(name: &str) -> Result<Algorithm, Refused> {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | '/'))
        .flat_map(char::to_lowercase)
        .take(16)
        .collect();
    Algorithm::from_name(&plain).ok_or_else(|| {
        let known = Algorithm::ALL.map(|algorithm| algorithm.name().to_uppercase());
        Refused::field("hash_algorithm", format!("is not one of {}", known.join(", ")))
    })
}

fn from_base64(value: &HeaderValue, algorithm: Algorithm) -> Option<Digest> {
    let bytes = STANDARD.decode(value.as_bytes().trim_ascii()).ok()?;
    Digest::new(algorithm, bytes)
}

/// A dictionary of RFC 9530, over all lines of the header.
fn structured(headers: &HeaderMap, name: &'static str, declared: &mut Vec<Digest>) -> Result<(), Refused> {
    let lines: Option<Vec<&str>> = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    let bad = || malformed(name, "a dictionary of byte sequences (RFC 9530)");
    let text = lines.ok_or_else(bad)?.join(", ");
    let dictionary: Dictionary = Parser::new(&text).parse().map_err(|_| bad())?;
    for (known, algorithm) in REGISTERED {
        let Some(entry) = dictionary.get(known) else {
            continue;
        };
        let digest = match entry {
            ListEntry::Item(item) => {
                item.bare_item.as_byte_sequence().and_then(|bytes| Digest::new(algorithm, bytes.to_vec()))
            }
            ListEntry::InnerList(_) => None,
        };
        declared.push(digest.ok_or_else(bad)?);
    }
    Ok(())
}

fn malformed(header: &'static str, wanted: &str) -> Refused {
    Refused::field(header, format!("is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Result<Vec<String>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        of_part(&headers, Framing::Raw)
            .map(|digests| digests.iter().map(|digest| format!("{digest:?}")).collect())
            .map_err(|refused| refused.to_string())
    }

    #[test]
    fn every_spelling_is_read() {
        let md5 = "md5:25f9e794323b453885f5181f1b624d0b";
        assert_eq!(read(&[("x-part-hash", "25F9E794323B453885F5181F1B624D0B")]).unwrap(), [md5]);
        assert_eq!(read(&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")]).unwrap(), [md5]);
        assert_eq!(
            read(&[("content-digest", "md5=:JfnnlDI7RTiF9RgfG2JNCw==:, id-sha-256=:AA==:")]).unwrap(),
            [md5]
        );
        assert_eq!(
            read(&[("repr-digest", "unixsum=7"), ("repr-digest", "crc32c=:4waSgw==:;a=1")]).unwrap(),
            ["crc32c:e3069283"]
        );
        assert_eq!(
            read(&[("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")]).unwrap(),
            ["crc64nvme:ae8b14860a799888"]
        );
        assert_eq!(read(&[("x-amz-checksum-crc32", "y/Q5Jg==")]).unwrap(), ["crc32:cbf43926"]);
        assert_eq!(read(&[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_malformed_digest_is_refused_by_the_name_of_its_header() {
        for (name, value) in [
            ("x-part-hash", "25f9"),
            ("x-part-hash", "zzf9e794323b453885f5181f1b624d0b"),
            ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw"),
            ("content-md5", "AA=="),
            ("content-digest", "md5=7"),
            ("content-digest", "md5=:AA==:"),
            ("content-digest", "md5"),
            ("repr-digest", "sha-256=(:AA==:)"),
            ("repr-digest", "sha-256=:AA"),
            ("x-amz-checksum-sha256", ""),
        ] {
            let problem = read(&[(name, value)]).unwrap_err();
            assert!(problem.to_lowercase().starts_with(name), "{name}: {value}: {problem}");
        }
    }

    #[test]
    fn digests_of_the_content_are_the_forms_when_there_is_one() {
        let mut headers = HeaderMap::new();
        headers.insert("content-md5", "of the whole form".parse().unwrap());
        headers.insert("x-amz-checksum-crc32", "y/Q5Jg==".parse().unwrap());
        assert_eq!(of_part(&headers, Framing::Form).unwrap().len(), 1);
    }

    #[test]
    fn algorithms_are_known_by_all_their_names() {
        for name in ["SHA256", "sha-256", "Sha_256"] {
            assert_eq!(algorithm(name).unwrap(), Algorithm::Sha256);
        }
        assert_eq!(algorithm("CRC-64/NVME").unwrap(), Algorithm::Crc64Nvme);
        assert!(algorithm("md4").is_err() && algorithm("").is_err());
    }

    proptest! {
        #[test]
        fn no_header_panics(value in "[ -~]{0,80}") {
            for name in ["x-part-hash", "content-md5", "content-digest", "x-amz-checksum-crc32c"] {
                read(&[(name, value.trim())]).ok();
            }
        }

        #[test]
        fn what_is_printed_is_read_back(bytes in prop::collection::vec(any::<u8>(), 64)) {
            for (_, algorithm) in REGISTERED {
                let digest = Digest::new(algorithm, bytes[..algorithm.size_bytes()].to_vec()).unwrap();
                let line = to_structured(&digest).unwrap();
                prop_assert_eq!(read(&[("repr-digest", &line)]).unwrap(), [format!("{digest:?}")]);
            }
        }
    }
}
