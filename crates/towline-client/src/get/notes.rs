//! What is written beside a file that is on its way: of which content it is, and which of its pieces have come. Text that
//! grows by a line with each mebibyte or so. Nothing in it is trusted before the bytes are digested again, so that it
//! needs no sync.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::remote::{Slot, Stored, slots};

/// How much is asked for at once: enough that a round trip does not count, and little enough to ask for again.
const PIECE_BYTES_MIN: u64 = 8 * 1024 * 1024;
/// Bounds the notes of huge files.
const PIECES_MAX: u64 = 10_000;
const MIB: u64 = 1024 * 1024;

/// Which content is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    key: String,
    pub(super) size_bytes: u64,
    pub(super) piece_bytes: u64,
    tag: Option<String>,
    /// As text: a number of JSON has 53 bits for many who read it.
    crc64: Option<String>,
    digest: Option<String>,
}

impl Header {
    pub(super) fn of(stored: &Stored) -> Self {
        Self {
            key: stored.key.clone(),
            size_bytes: stored.size_bytes,
            piece_bytes: piece_bytes(stored.size_bytes),
            tag: stored.tag.clone(),
            crc64: stored.crc64.map(|crc64| format!("{crc64:016x}")),
            digest: stored.digest.as_ref().map(|digest| format!("{digest:?}")),
        }
    }

    /// In one piece, for who gives files only whole.
    pub(super) fn in_one(stored: &Stored) -> Self {
        Self { piece_bytes: stored.size_bytes.max(1), ..Self::of(stored) }
    }

    /// Whether two contents with the same header are the same: a size alone, or a weak tag, says too little.
    pub(super) fn tells_content(&self) -> bool {
        let has_tag = self.tag.as_ref().is_some_and(|tag| !tag.starts_with("W/"));
        has_tag || self.crc64.is_some() || self.digest.is_some()
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        slots(self.size_bytes, self.piece_bytes)
    }

    /// The first line.
    pub(super) fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("strings and numbers are always JSON");
        line.push('\n');
        line
    }
}

/// So much of a piece has come, from its front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Come {
    pub(super) size_bytes: u64,
    pub(super) crc64: u64,
}

/// By number.
pub(super) type Pieces = BTreeMap<u32, Come>;

/// The line of a piece that has come, or of its front.
pub(super) fn line(number: u32, come: Come) -> String {
    format!("{number} {} {:016x}\n", come.size_bytes, come.crc64)
}

/// Of which content the notes are, and what they claim to have come. A line that was not finished says nothing.
pub(super) fn parse(text: &str) -> Option<(Header, Pieces)> {
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let header = serde_json::from_str(lines.next()?).ok()?;
    let pieces = lines.filter_map(|line| {
        let mut words = line.split(' ');
        let (number, size_bytes, crc64) = (words.next()?, words.next()?, words.next()?);
        let crc64 = (crc64.len() == 16).then(|| u64::from_str_radix(crc64, 16).ok())??;
        words.next().is_none().then_some(())?;
        Some((number.parse().ok()?, Come { size_bytes: size_bytes.parse().ok()?, crc64 }))
    });
    Some((header, pieces.collect()))
}

pub(crate) fn piece_bytes(total_bytes: u64) -> u64 {
    total_bytes.div_ceil(PIECES_MAX).max(PIECE_BYTES_MIN).next_multiple_of(MIB)
}

#[cfg(test)]
mod tests {
    use towline_core::digest::{Algorithm, Digest};

    use super::*;

    fn stored() -> Stored {
        Stored {
            key: "a b/ü\n.mp4".into(),
            size_bytes: u64::MAX,
            tag: Some("\"1\"".into()),
            crc64: Some(u64::MAX),
            digest: Digest::new(Algorithm::Crc32, vec![1, 2, 3, 4]),
            content_type: None,
        }
    }

    #[test]
    fn notes_are_read_back_and_the_later_line_counts() {
        let header = Header::of(&stored());
        let [one, two, all] = [1, 2, u64::MAX].map(|value| Come { size_bytes: value, crc64: value });
        let text = header.to_line() + &line(7, one) + &line(1, all) + &line(7, two);
        assert_eq!(parse(&text), Some((header, BTreeMap::from([(1, all), (7, two)]))));
    }

    #[test]
    fn what_was_torn_says_nothing() {
        let header = Header::of(&stored());
        let come = |value| Come { size_bytes: value, crc64: value };
        let text = header.to_line() + &line(1, come(1)) + &line(2, come(2));
        for end in 0..text.len() {
            let Some((parsed, pieces)) = text.get(..end).and_then(parse) else {
                assert!(end < header.to_line().len() || !text.is_char_boundary(end));
                continue;
            };
            assert_eq!(parsed, header);
            assert!(pieces.iter().all(|(number, found)| *found == come(u64::from(*number))), "{pieces:?}");
        }
        for bad in ["", "\n", "{}\n", "1 1 0000000000000001\n"] {
            assert_eq!(parse(bad), None);
        }
        let (_, pieces) =
            parse(&(header.to_line() + "x y z\n1 1 zz\n1 1 0000000000000001 1\n\n1 1\n")).unwrap();
        assert!(pieces.is_empty());
    }

    #[test]
    fn a_size_or_a_weak_tag_does_not_tell_a_content() {
        let bare = Stored { tag: None, crc64: None, digest: None, ..stored() };
        assert!(!Header::of(&bare).tells_content());
        assert!(!Header::of(&Stored { tag: Some("W/\"1\"".into()), ..bare.clone() }).tells_content());
        assert!(Header::of(&Stored { tag: Some("\"1\"".into()), ..bare.clone() }).tells_content());
        assert!(Header::of(&Stored { crc64: Some(0), ..bare }).tells_content());
    }

    #[test]
    fn pieces_cover_a_file_of_any_size_and_stay_few() {
        for total_bytes in [0, 1, PIECE_BYTES_MIN, PIECE_BYTES_MIN + 1, 100 << 30, 5 << 40, 1 << 50] {
            let mut end = 0;
            let mut count = 0;
            for slot in slots(total_bytes, piece_bytes(total_bytes)) {
                assert_eq!(slot.offset_bytes, end);
                end += slot.size_bytes;
                count += 1;
            }
            assert_eq!(end, total_bytes);
            assert!(count <= PIECES_MAX);
        }
    }
}
