//! How an upload is cut. Numbers are 1-based, as S3 and all client protocols count.

use crate::error::Refusal;
use crate::store::Limits;

/// S3's highest part number; a free plan knows no other end.
pub const FREE_NUMBER_MAX: u32 = 10_000;

/// The least that S3 takes for every part of a free plan but the last.
pub const FREE_PART_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// How one file is cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// All parts are equal but the last, so that each part's place is known before it arrives.
    Even { part_bytes: u64, total_bytes: Option<u64> },
    /// S3's rule: numbers 1..=10,000 of any size, ordered by number; whatever has landed is the whole.
    Free { total_bytes: Option<u64> },
}

/// How many bytes belong into a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Room {
    Exactly(u64),
    UpTo(u64),
}

impl Room {
    pub fn max_bytes(self) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::UpTo(bytes) => bytes,
        }
    }
}

/// A part's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub number: u32,
    /// Where the part starts in the whole; not known in a free plan.
    pub offset_bytes: Option<u64>,
    pub room: Room,
}

impl Plan {
    /// An even plan that keeps as close to the wish as the store's limits allow. Parts grow when there would be
    /// too many of them; they are never made smaller than wished for.
    pub fn even(total_bytes: Option<u64>, wish_bytes: u64, limits: &Limits) -> Result<Self, Refusal> {
        if wish_bytes == 0 {
            return Err(Refusal::PartBytes { wish_bytes, why: "a part has at least 1 byte".into() });
        }
        let mut part_bytes = wish_bytes.clamp(limits.part_bytes_min, limits.part_bytes_max);
        if let Some(total) = total_bytes {
            limits.check_total(total)?;
            let needed = total.div_ceil(u64::from(limits.parts_max));
            if needed > part_bytes {
                const MIB: u64 = 1024 * 1024;
                part_bytes = needed.div_ceil(MIB) * MIB;
            }
            if part_bytes > limits.part_bytes_max {
                return Err(Refusal::TooLarge {
                    got_bytes: total,
                    allowed_bytes: limits.part_bytes_max.saturating_mul(u64::from(limits.parts_max)),
                });
            }
        }
        Ok(Self::Even { part_bytes, total_bytes })
    }

    pub fn total_bytes(&self) -> Option<u64> {
        match self {
            Self::Even { total_bytes, .. } | Self::Free { total_bytes } => *total_bytes,
        }
    }

    /// The same plan once the total is known.
    #[must_use]
    pub fn with_total(self, total_bytes: u64) -> Self {
        match self {
            Self::Even { part_bytes, .. } => Self::Even { part_bytes, total_bytes: Some(total_bytes) },
            Self::Free { .. } => Self::Free { total_bytes: Some(total_bytes) },
        }
    }

    /// How many parts make the whole, where the plan decides that.
    pub fn total_parts(&self) -> Option<u32> {
        match self {
            Self::Even { part_bytes, total_bytes: Some(total) } => {
                Some(u32::try_from(total.div_ceil(*part_bytes)).unwrap_or(u32::MAX))
            }
            Self::Even { total_bytes: None, .. } | Self::Free { .. } => None,
        }
    }

    /// The highest number that may be used.
    pub fn last_number(&self, limits: &Limits) -> u32 {
        match self {
            Self::Even { .. } => self.total_parts().unwrap_or(limits.parts_max),
            Self::Free { .. } => FREE_NUMBER_MAX.min(limits.parts_max),
        }
    }

    /// The slot of a number. `number` is wide so that no caller has to narrow what a client sent.
    pub fn slot(&self, number: u64, limits: &Limits) -> Result<Slot, Refusal> {
        let last = self.last_number(limits);
        let Some(number) = u32::try_from(number).ok().filter(|n| (1..=last).contains(n)) else {
            return Err(Refusal::PartOutOfRange { number, last });
        };
        Ok(match *self {
            Self::Even { part_bytes, total_bytes } => {
                let offset = u64::from(number - 1) * part_bytes;
                // While the total is unknown nobody can say which part is the last: all are full.
                let left = total_bytes.map_or(part_bytes, |total| total - offset);
                Slot { number, offset_bytes: Some(offset), room: Room::Exactly(part_bytes.min(left)) }
            }
            Self::Free { .. } => Slot { number, offset_bytes: None, room: Room::UpTo(limits.part_bytes_max) },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn limits() -> Limits {
        Limits {
            part_bytes_min: 1,
            part_bytes_max: 5 * 1024 * MIB,
            parts_max: 10_000,
            total_bytes_max: 50 * 1024 * 1024 * MIB,
            segment_bytes_max: Some(255),
        }
    }

    #[test]
    fn a_wish_is_kept_where_it_fits_and_grows_where_it_does_not() {
        let cases = [
            // total, wish, minimum of the store, what holds
            (100 * MIB, 5 * MIB, 1, 5 * MIB),
            (100 * MIB, 2 * MIB, 5 * MIB, 5 * MIB),
            (50_000 * MIB, 5 * MIB, 1, 5 * MIB),
            (50_001 * MIB, 5 * MIB, 1, 6 * MIB),
            (0, 5 * MIB, 1, 5 * MIB),
            (3, 1, 1, 1),
        ];
        for (total, wish, part_bytes_min, part_bytes) in cases {
            let limits = Limits { part_bytes_min, ..limits() };
            assert_eq!(
                Plan::even(Some(total), wish, &limits),
                Ok(Plan::Even { part_bytes, total_bytes: Some(total) })
            );
        }
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let zero = Plan::even(Some(1), 0, &limits());
        assert!(matches!(zero, Err(Refusal::PartBytes { wish_bytes: 0, .. })));
        let huge = Plan::even(Some(u64::MAX), MIB, &limits());
        assert!(matches!(huge, Err(Refusal::TooLarge { .. })));
    }

    #[test]
    fn a_number_outside_is_named_with_the_last_one() {
        let plan = Plan::even(Some(10), 4, &limits()).unwrap();
        for number in [0, 4, u64::MAX] {
            assert_eq!(plan.slot(number, &limits()), Err(Refusal::PartOutOfRange { number, last: 3 }));
        }
        let free = Plan::Free { total_bytes: None };
        assert!(free.slot(10_000, &limits()).is_ok());
        assert_eq!(
            free.slot(10_001, &limits()),
            Err(Refusal::PartOutOfRange { number: 10_001, last: 10_000 })
        );
    }

    proptest! {
        #[test]
        fn slots_cover_every_size_without_gap_or_overlap(total in 0_u64..5_000, wish in 1_u64..700) {
            let limits = Limits { parts_max: 50, ..limits() };
            let plan = Plan::even(Some(total), wish, &limits).unwrap();
            let count = plan.total_parts().unwrap();
            prop_assert!(count <= limits.parts_max);
            let mut next = 0;
            for number in 1..=u64::from(count) {
                let slot = plan.slot(number, &limits).unwrap();
                prop_assert_eq!(slot.offset_bytes, Some(next));
                prop_assert!(slot.room.max_bytes() > 0);
                next += slot.room.max_bytes();
            }
            prop_assert_eq!(next, total);
            prop_assert!(plan.slot(u64::from(count) + 1, &limits).is_err());
        }
    }
}
