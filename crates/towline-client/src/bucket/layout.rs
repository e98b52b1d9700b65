//! How a file is cut into parts for S3, and how it was cut when parts of it are found. Pure.

use crate::trouble::Trouble;

const MIB: u64 = 1024 * 1024;
/// What parts have where nobody wishes otherwise. A file that is no larger is no file of parts.
pub(super) const PART_BYTES: u64 = 8 * MIB;
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
    let (last, others) = parts.split_last()?;
    let part_bytes = match others.first() {
        Some((_, part_bytes)) => {
            let is_even = others.iter().all(|(_, size)| size == part_bytes) && last.1 <= *part_bytes;
            is_even.then_some(*part_bytes)
        }
        None => Some(of_one(*last, total_bytes)),
    }?;
    let fits = |total: u64| {
        let begins = u64::from(last.0.saturating_sub(1)).saturating_mul(part_bytes);
        let expected = total.checked_sub(begins).map(|rest| rest.min(part_bytes));
        expected == Some(last.1) && total.div_ceil(part_bytes) <= u64::from(PARTS_MAX)
    };
    let is_whole = last.1 > 0 && (1..=PARTS_MAX).contains(&last.0);
    (is_whole && total_bytes.is_none_or(fits)).then_some(part_bytes)
}

/// One part alone may be the last one, which is shorter than the others.
fn of_one((number, size_bytes): (u32, u64), total_bytes: Option<u64>) -> u64 {
    let before = total_bytes.and_then(|total| total.checked_sub(size_bytes));
    let others = before.zip(Some(u64::from(number.saturating_sub(1)))).filter(|(_, count)| *count > 0);
    let as_last =
        others.filter(|(before, count)| before.is_multiple_of(*count)).map(|(before, count)| before / count);
    as_last.filter(|other| *other >= size_bytes && other.is_multiple_of(MIB)).unwrap_or(size_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_until_ten_thousand_are_enough() {
        let gib = 1024 * MIB;
        for (total_bytes, wish, expected) in [
            (Some(100 * MIB), None, 8 * MIB),
            (Some(100 * MIB), Some(1), 5 * MIB),
            (Some(100 * MIB), Some(64 * MIB + 1), 64 * MIB + 1),
            (Some(80_000 * MIB), None, 8 * MIB),
            (Some(80_000 * MIB + 1), None, 9 * MIB),
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
            (&[(1, eight), (3, four)], total, Some(eight)),
            (&[(1, eight), (2, eight), (3, four)], total, Some(eight)),
            (&[(1, eight), (2, eight), (3, four)], None, Some(eight)),
            (&[(1, eight), (2, four)], None, Some(eight)),
            (&[(1, 20 * MIB)], total, Some(20 * MIB)),
            // Parts of another file, of no even plan, or of nothing.
            (&[(1, eight), (2, four)], total, None),
            (&[(4, eight)], total, None),
            (&[(1, four)], total, Some(four)),
            (&[(1, four), (2, eight)], total, None),
            (&[(1, eight), (2, four), (3, eight)], None, None),
            (&[(1, eight), (2, eight), (3, eight)], total, None),
            (&[(1, 1)], Some(20_001), None),
            (&[(1, 0)], None, None),
        ] {
            assert_eq!(found(parts, total_bytes), expected, "{parts:?} {total_bytes:?}");
        }
    }
}
