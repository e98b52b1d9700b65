//! Where a part lies in its upload's staging folder, and how that is written into a mark.
//!
//! The files of a staging folder: `object` holds the parts of an even plan, each where it will be in the end;
//! `grid-<bytes>` holds parts of a free plan as if all had that size; `part-…` holds one part that was not to
//! go into either. What sealing adds is `joining`, `joined-…` and `sealed-…`.

use towline_core::error::{Fault, FaultKind};
use towline_core::store::Mark;

/// The file of an even plan.
pub(super) const OBJECT: &str = "object";
/// A joined file that is not finished.
pub(super) const JOINING: &str = "joining";

/// The file of parts that all have one size.
pub(super) fn grid(part_bytes: u64) -> String {
    format!("grid-{part_bytes}")
}

/// A file for one attempt at one part. `started` and `count` make it a name that never was before.
pub(super) fn own(number: u32, started: u128, count: u64) -> String {
    format!("part-{number}-{started:x}-{count:x}")
}

/// The finished file of parts that had to be joined, named by its content.
pub(super) fn joined(crc64: u64, total_bytes: u64) -> String {
    format!("joined-{crc64:016x}-{total_bytes}")
}

/// The name that a finished file keeps when it is moved to its key.
pub(super) fn sealed(file: &str) -> String {
    format!("sealed-{file}")
}

/// Where the first byte of a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) file: String,
    pub(super) offset_bytes: u64,
}

impl Position {
    /// Whether the file belongs to this part alone.
    pub(super) fn is_own(&self) -> bool {
        self.file.starts_with("part-")
    }

    /// The room between this part and the next, in a file of equal parts of a free plan.
    pub(super) fn grid_bytes(&self) -> Option<u64> {
        self.file.strip_prefix("grid-")?.parse().ok()
    }

    /// Short, since a catalog keeps one for every part: most are `@<offset>`, in `object`.
    pub(super) fn to_mark(&self) -> Mark {
        let file = if self.file == OBJECT { "" } else { &self.file };
        Mark(format!("{file}@{}", self.offset_bytes))
    }

    pub(super) fn from_mark(mark: &Mark) -> Result<Self, Fault> {
        Self::parse(mark).ok_or_else(|| {
            let what = format!("{:?} is no mark of this store", mark.0);
            Fault::new(FaultKind::Corrupt, "finding a part on the disk", what)
        })
    }

    /// Nothing when no part can bear this mark.
    pub(super) fn parse(mark: &Mark) -> Option<Self> {
        let (file, offset) = mark.0.split_once('@')?;
        let is_ours = |file: &str| {
            (file.starts_with("part-") || file.starts_with("grid-"))
                && file.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let file = match file {
            "" => OBJECT,
            file if is_ours(file) => file,
            _ => return None,
        };
        Some(Self { file: file.to_owned(), offset_bytes: offset.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_from_its_mark() {
        let cases = [
            (OBJECT.to_owned(), 0, "@0"),
            (OBJECT.to_owned(), 10_485_760, "@10485760"),
            (grid(5), 15, "grid-5@15"),
            (own(3, 0x17f, 10), 0, "part-3-17f-a@0"),
        ];
        for (file, offset_bytes, text) in cases {
            let position = Position { file, offset_bytes };
            assert_eq!(position.to_mark(), Mark(text.to_owned()));
            assert_eq!(Position::from_mark(&position.to_mark()).unwrap(), position);
        }
        let longest = Position { file: own(u32::MAX, u128::MAX, u64::MAX), offset_bytes: u64::MAX };
        assert!(longest.to_mark().0.len() <= 128);
    }

    #[test]
    fn a_mark_never_leads_out_of_its_folder() {
        for text in
            ["", "@", "@x", "@-1", "object@0", "../lock@0", "part-/../../lock@0", "joining@0", "part-1"]
        {
            let fault = Position::from_mark(&Mark(text.to_owned())).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Corrupt, "{text:?}");
        }
    }
}
