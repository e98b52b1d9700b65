//! How the landed parts become one file: which file is taken as it is, and what is copied into it. Pure.

use std::collections::BTreeMap;

use towline_core::crc64::Joined;
use towline_core::error::{Fault, FaultKind};
use towline_core::upload::Part;

use super::position::{self, OBJECT, Position};

/// The file that becomes the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// A file whose parts all lie where they will be in the end; at least `size_bytes` of it must be there.
    InPlace { file: String, size_bytes: u64 },
    /// A new file: no other could be changed without overwriting a part that is needed.
    Joined { file: String },
}

impl Base {
    pub(super) fn file(&self) -> &str {
        match self {
            Self::InPlace { file, .. } | Self::Joined { file } => file,
        }
    }
}

/// One part that is copied to its final offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) source: Position,
    pub(super) offset_bytes: u64,
    pub(super) size_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assembly {
    pub(super) base: Base,
    pub(super) pieces: Vec<Piece>,
    pub(super) total_bytes: u64,
}

/// What one shared file contributes.
struct Share {
    is_in_place: bool,
    part_bytes: u64,
    end_bytes: u64,
}

impl Assembly {
    /// `parts` are all parts, ascending.
    pub(super) fn of(parts: &[Part]) -> Result<Self, Fault> {
        let mut pieces = Vec::new();
        let mut whole = Joined::default();
        let mut total_bytes = 0_u64;
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        for part in parts.iter().filter(|part| part.size_bytes > 0) {
            let source = Position::from_mark(&part.mark)?;
            if !source.is_own() {
                let end_bytes = source.offset_bytes.saturating_add(part.size_bytes);
                let share = shares.entry(source.file.clone()).or_insert(Share {
                    is_in_place: true,
                    part_bytes: 0,
                    end_bytes: 0,
                });
                share.is_in_place &= source.offset_bytes == total_bytes;
                share.part_bytes += part.size_bytes;
                share.end_bytes = share.end_bytes.max(end_bytes);
            }
            pieces.push(Piece { source, offset_bytes: total_bytes, size_bytes: part.size_bytes });
            whole.push(part.crc64.unwrap_or_default(), part.size_bytes);
            total_bytes = total_bytes.checked_add(part.size_bytes).ok_or_else(|| {
                Fault::new(FaultKind::Corrupt, "adding up the parts", "their sizes exceed 64 bits")
            })?;
        }
        let best =
            shares.iter().filter(|(_, share)| share.is_in_place).max_by_key(|(_, share)| share.part_bytes);
        let base = match best {
            Some((file, share)) => Base::InPlace { file: file.clone(), size_bytes: share.end_bytes },
            None if shares.is_empty() => Base::InPlace { file: OBJECT.to_owned(), size_bytes: 0 },
            None => Base::Joined { file: position::joined(whole.crc64(), total_bytes) },
        };
        if let Base::InPlace { file, .. } = &base {
            pieces.retain(|piece| piece.source.file != *file);
        }
        Ok(Self { base, pieces, total_bytes })
    }
}

#[cfg(test)]
mod tests {
    use towline_core::clock::Timestamp;
    use towline_core::receipt::Voucher;
    use towline_core::store::Mark;

    use super::*;

    fn parts(of: &[(&str, u64)]) -> Vec<Part> {
        of.iter()
            .zip(1..)
            .map(|((mark, size_bytes), number)| Part {
                number,
                size_bytes: *size_bytes,
                crc64: Some(u64::from(number)),
                digests: Vec::new(),
                mark: Mark((*mark).to_owned()),
                voucher: Voucher::Towline,
                landed_at: Timestamp::from_millis(0),
            })
            .collect()
    }

    /// Marks and sizes of the parts, the base, and where the others are copied to.
    type Case = (&'static [(&'static str, u64)], Base, &'static [u64]);

    fn in_place(file: &str, size_bytes: u64) -> Base {
        Base::InPlace { file: file.to_owned(), size_bytes }
    }

    #[test]
    fn the_file_that_holds_most_parts_at_their_final_offsets_is_taken() {
        let cases: [Case; 9] = [
            // No parts: an empty file.
            (&[], in_place("object", 0), &[]),
            (&[("grid-1@4", 0)], in_place("object", 0), &[]),
            // An even plan, and one with parts that were sent again.
            (&[("@0", 4), ("@4", 4), ("@8", 1)], in_place("object", 9), &[]),
            (&[("@0", 4), ("part-2-1-0@0", 4), ("@8", 1)], in_place("object", 9), &[4]),
            (&[("part-1-1-0@0", 4), ("part-2-1-0@0", 1)], in_place("object", 0), &[0, 4]),
            // A free plan whose guess was right, and one that began with its short last part.
            (&[("grid-4@0", 4), ("grid-4@4", 2)], in_place("grid-4", 6), &[]),
            (&[("grid-4@0", 4), ("grid-4@4", 4), ("grid-2@4", 2)], in_place("grid-4", 8), &[8]),
            (&[("grid-4@0", 4), ("grid-8@8", 8)], in_place("grid-4", 4), &[4]),
            (&[("grid-4@0", 3), ("part-2-1-0@0", 4)], in_place("grid-4", 3), &[3]),
        ];
        for (of, base, copied_to) in cases {
            let assembly = Assembly::of(&parts(of)).unwrap();
            assert_eq!(assembly.base, base, "{of:?}");
            let offsets: Vec<u64> = assembly.pieces.iter().map(|piece| piece.offset_bytes).collect();
            assert_eq!(offsets, copied_to, "{of:?}");
            assert_eq!(assembly.total_bytes, of.iter().map(|(_, size)| size).sum::<u64>());
        }
    }

    #[test]
    fn a_guess_that_was_wrong_is_joined_into_a_new_file_named_by_its_content() {
        let of = [("grid-4@0", 3), ("grid-4@4", 4)];
        let assembly = Assembly::of(&parts(&of)).unwrap();
        assert_eq!(assembly.pieces.len(), 2);
        assert_eq!(Assembly::of(&parts(&of)).unwrap(), assembly);
        let other = Assembly::of(&parts(&[("grid-4@0", 3), ("grid-4@4", 3)])).unwrap();
        assert_ne!(other.base, assembly.base);
        assert!(matches!(assembly.base, Base::Joined { .. }));
    }
}
