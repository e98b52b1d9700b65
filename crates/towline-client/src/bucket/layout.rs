//! How a file is cut into parts for S3, and how it was cut when parts of it are found. Pure.

use crate::trouble::Trouble;

const MIB: u64 = 1024 * 1024;
/// What parts have where nobody wishes otherwise. A file that is no larger is no file of parts.
pub(super) const PART_BYTES: u64 = 5 * MIB;
/// The same of a stream: with S3's ten thousand parts it may have 156 GiB. Each part that is under way waits in memory.
pub(super) const STREAM_PART_BYTES: u64 = 16 * MIB;
const PART_BYTES_MIN: u64 = 5 * MIB;
const PART_BYTES_MAX: u64 = 5 * 1024 * MIB;
pub(super) const PARTS_MAX: u32 = 10_000;

/// The size of parts that comes next to the wish: all parts but the last have it, so that those that are found can be
/// compared.
pub(super) fn part_bytes(total_bytes: Option<u64>, wish: Option<u64>) -> Result<u64, Trouble> {
    let usual = if total_bytes.is_some() { PART_BYTES } else { STREAM_PART_BYTES };
    let least = total_bytes.unwrap_or_default().div_ceil(u64::from(PARTS_MAX));
    let least = least.checked_next_multiple_of(MIB).unwrap_or(u64::MAX).max(PART_BYTES_MIN);
    if least > PART_BYTES_MAX {
        return Err(Trouble::refused("S3 takes no file of more than 10,000 parts of 5 GiB"));
    }
    Ok(wish.unwrap_or(usual).clamp(least, PART_BYTES_MAX))
}

/// The size of the parts of which these are some, by number; nothing when they are of no even plan, or of no file of this
/// size.
pub(super) fn found(parts: &[(u32, u64)], total_bytes: Option<u64>) -> Option<u64> {
    let (&(number, size_bytes), others) = parts.split_last()?;
    if size_bytes == 0 || !(1..=PARTS_MAX).contains(&number) {
        return None;
    }
    if let Some((_, part_bytes)) = others.first() {
        let is_even = others.iter().all(|(_, size)| size == part_bytes) && size_bytes <= *part_bytes;
        return Some(*part_bytes)
            .filter(|part_bytes| is_even && fits(*part_bytes, (number, size_bytes), total_bytes));
    }
    // One part alone may be the last one, which is shorter than those that are not there. What is usual is tried first.
    let others = u64::from(number - 1);
    let before = total_bytes.and_then(|total| total.checked_sub(size_bytes)).filter(|_| others > 0);
    let as_last = before.filter(|before| before.is_multiple_of(others)).map(|before| before / others);
    let usual = total_bytes.map(|_| PART_BYTES);
    [usual, Some(size_bytes), as_last]
        .into_iter()
        .flatten()
        .filter(|part_bytes| (PART_BYTES_MIN..=PART_BYTES_MAX).contains(part_bytes))
        .find(|part_bytes| size_bytes <= *part_bytes && fits(*part_bytes, (number, size_bytes), total_bytes))
}

/// Whether a file of this size, cut like this, has such a part.
fn fits(part_bytes: u64, (number, size_bytes): (u32, u64), total_bytes: Option<u64>) -> bool {
    let Some(total_bytes) = total_bytes else { return true };
    let begins = u64::from(number - 1).saturating_mul(part_bytes);
    let expected = total_bytes.checked_sub(begins).map(|rest| rest.min(part_bytes));
    let is_taken = part_bytes >= PART_BYTES_MIN.min(total_bytes);
    expected == Some(size_bytes) && is_taken && total_bytes.div_ceil(part_bytes) <= u64::from(PARTS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_until_ten_thousand_are_enough() {
        let gib = 1024 * MIB;
        for (total_bytes, wish, expected) in [
            (Some(100 * MIB), None, 5 * MIB),
            (Some(100 * MIB), Some(1), 5 * MIB),
            (Some(100 * MIB), Some(64 * MIB + 1), 64 * MIB + 1),
            (Some(50_000 * MIB), None, 5 * MIB),
            (Some(50_000 * MIB + 1), None, 6 * MIB),
            (Some(5 * 1024 * gib), Some(8 * MIB), 525 * MIB),
            (Some(u64::from(PARTS_MAX) * 5 * gib), None, 5 * gib),
            (None, None, 16 * MIB),
            (None, Some(64 * MIB), 64 * MIB),
            (None, Some(64 * gib), 5 * gib),
        ] {
            assert_eq!(part_bytes(total_bytes, wish), Ok(expected), "{total_bytes:?} {wish:?}");
        }
        assert!(part_bytes(Some(u64::from(PARTS_MAX) * 5 * gib + 1), None).is_err());
        assert!(part_bytes(Some(u64::MAX), None).is_err());
    }

    #[test]
    fn a_plan_is_known_from_some_of_its_parts() {
        let (eight, four) = (8 * MIB, 4 * MIB);
        let total = Some(20 * MIB);
        for (parts, total_bytes, expected) in [
            (&[][..], total, None),
            (&[(1, eight)], total, Some(eight)),
            (&[(2, eight)], total, Some(eight)),
            (&[(3, four)], total, Some(eight)),
            (&[(3, 2 * MIB)], Some(12 * MIB), Some(5 * MIB)),
            (&[(3, 6 * MIB)], Some(22 * MIB), Some(6 * MIB)),
            (&[(2, 6 * MIB)], Some(22 * MIB), Some(6 * MIB)),
            (&[(3, 6 * MIB)], Some(30 * MIB), Some(6 * MIB)),
            (&[(3, four)], Some(24 * MIB), Some(10 * MIB)),
            (&[(2, four)], None, None),
            (&[(1, eight), (3, four)], total, Some(eight)),
            (&[(1, eight), (2, eight), (3, four)], total, Some(eight)),
            (&[(1, eight), (2, eight), (3, four)], None, Some(eight)),
            (&[(1, eight), (2, four)], None, Some(eight)),
            (&[(1, 20 * MIB)], total, Some(20 * MIB)),
            // Parts of another file, of no even plan, or of nothing.
            (&[(1, eight), (2, four)], total, None),
            (&[(4, eight)], total, None),
            (&[(1, four)], total, None),
            (&[(1, four)], Some(four), Some(5 * MIB)),
            (&[(1, four), (2, eight)], total, None),
            (&[(1, eight), (2, four), (3, eight)], None, None),
            (&[(1, eight), (2, eight), (3, eight)], total, None),
            (&[(1, 8 * MIB)], Some(80_001 * MIB), None),
            (&[(1, 0)], None, None),
        ] {
            assert_eq!(found(parts, total_bytes), expected, "{parts:?} {total_bytes:?}");
        }
    }
}
