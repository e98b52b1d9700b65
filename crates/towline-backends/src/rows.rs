//! How values of the core are written into a catalog's columns, alike in every SQL database. Which columns there
//! are, and how they are asked for, is each database's own affair.

use towline_core::digest::{Algorithm, Digest};
use towline_core::plan::Plan;
use towline_core::receipt::{Receipt, Voucher};
use towline_core::upload::{Ending, Phase, PhaseName};

/// One byte names the algorithm, then come its bytes. No digest is no byte.
pub(crate) fn digests_to_bytes(digests: &[Digest]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(digests.iter().map(|digest| 1 + digest.bytes().len()).sum());
    for digest in digests {
        bytes.push(algorithm_code(digest.algorithm()));
        bytes.extend_from_slice(digest.bytes());
    }
    bytes
}

pub(crate) fn digests_from_bytes(mut bytes: &[u8]) -> Option<Vec<Digest>> {
    let mut digests = Vec::new();
    while let Some((code, rest)) = bytes.split_first() {
        let algorithm = Algorithm::ALL.into_iter().find(|known| algorithm_code(*known) == *code)?;
        let (value, rest) = rest.split_at_checked(algorithm.size_bytes())?;
        digests.push(Digest::new(algorithm, value.to_vec())?);
        bytes = rest;
    }
    Some(digests)
}

/// Written into databases: a number once given stays.
fn algorithm_code(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Crc64Nvme => 1,
        Algorithm::Crc32 => 2,
        Algorithm::Crc32c => 3,
        Algorithm::Md5 => 4,
        Algorithm::Sha1 => 5,
        Algorithm::Sha256 => 6,
        Algorithm::Sha512 => 7,
    }
}

/// Each text after its length in four bytes, little-endian; names and values by turns.
pub(crate) fn metadata_to_bytes(metadata: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in metadata.iter().flat_map(|(name, value)| [name, value]) {
        let length = u32::try_from(text.len()).expect("the engine bounds metadata far below 4 GiB");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

pub(crate) fn metadata_from_bytes(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut metadata = Vec::new();
    while !bytes.is_empty() {
        metadata.push((take_text(&mut bytes)?, take_text(&mut bytes)?));
    }
    Some(metadata)
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

/// Nothing when a sealed upload has no receipt or the word is none of ours.
pub(crate) fn phase(name: &str, receipt: Option<Receipt>) -> Option<Phase> {
    Some(match PhaseName::from_name(name)? {
        PhaseName::Open => Phase::Open,
        PhaseName::Disputed => Phase::Disputed,
        PhaseName::Sealing => Phase::Sealing,
        PhaseName::Sealed => Phase::Sealed(receipt?),
        PhaseName::Cancelled => Phase::Abandoned(Ending::Cancelled),
        PhaseName::Expired => Phase::Abandoned(Ending::Expired),
    })
}

/// What a plan's part size is in its column: a free plan has none.
pub(crate) fn part_bytes(plan: &Plan) -> Option<u64> {
    match plan {
        Plan::Even { part_bytes, .. } => Some(*part_bytes),
        Plan::Free { .. } => None,
    }
}

pub(crate) fn plan(part_bytes: Option<u64>, total_bytes: Option<u64>) -> Plan {
    match part_bytes {
        Some(part_bytes) => Plan::Even { part_bytes, total_bytes },
        None => Plan::Free { total_bytes },
    }
}

pub(crate) fn voucher_name(voucher: Voucher) -> &'static str {
    match voucher {
        Voucher::Towline => "towline",
        Voucher::Store => "store",
    }
}

pub(crate) fn voucher(name: &str) -> Option<Voucher> {
    [Voucher::Towline, Voucher::Store].into_iter().find(|voucher| voucher_name(*voucher) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_every_algorithm_are_read_back() {
        let all: Vec<Digest> = Algorithm::ALL
            .into_iter()
            .map(|algorithm| Digest::new(algorithm, vec![7; algorithm.size_bytes()]).unwrap())
            .collect();
        for digests in [&all[..], &all[3..4], &[]] {
            assert_eq!(digests_from_bytes(&digests_to_bytes(digests)).as_deref(), Some(digests));
        }
    }

    #[test]
    fn metadata_of_any_text_is_read_back() {
        let metadata = [
            ("name".to_owned(), "🎬\0 \n".to_owned()),
            (String::new(), String::new()),
            ("name".to_owned(), "again".to_owned()),
        ];
        for metadata in [&metadata[..], &[]] {
            assert_eq!(metadata_from_bytes(&metadata_to_bytes(metadata)).as_deref(), Some(metadata));
        }
    }

    #[test]
    fn what_nobody_wrote_is_not_read() {
        for bad in [&[0][..], &[99, 1], &[4, 1, 2, 3]] {
            assert_eq!(digests_from_bytes(bad), None, "{bad:?}");
        }
        for bad in [&[1, 0, 0][..], &[9, 0, 0, 0, b'a'], &[0, 0, 0, 0], &[1, 0, 0, 0, 255, 0, 0, 0, 0]] {
            assert_eq!(metadata_from_bytes(bad), None, "{bad:?}");
        }
        assert_eq!(phase("sealed", None), None);
        assert_eq!(phase("finished", None), None);
        assert_eq!(voucher("nobody"), None);
    }

    #[test]
    fn phases_plans_and_vouchers_are_read_back() {
        for name in PhaseName::ALL.into_iter().filter(|name| *name != PhaseName::Sealed) {
            assert_eq!(phase(name.name(), None).map(|phase| phase.name()), Some(name));
        }
        for some in [Plan::Even { part_bytes: 5, total_bytes: None }, Plan::Free { total_bytes: Some(9) }] {
            assert_eq!(plan(part_bytes(&some), some.total_bytes()), some);
        }
        for one in [Voucher::Towline, Voucher::Store] {
            assert_eq!(voucher(voucher_name(one)), Some(one));
        }
    }
}
