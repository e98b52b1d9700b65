//! The real time and ids that nobody can guess. Everything else is handed a [`Clock`] and [`Ids`].

use std::time::{SystemTime, UNIX_EPOCH};

use towline_core::clock::{Clock, Ids, Timestamp};
use towline_core::upload::UploadId;

/// The wall clock of this machine.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else is handed")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Random UUIDs (version 4).
#[derive(Debug)]
pub(crate) struct RandomIds;

impl Ids for RandomIds {
    fn fresh(&self) -> UploadId {
        UploadId::from_u128(as_version_4(u128::from_be_bytes(random())))
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// RFC 9562, section 5.4: version and variant have fixed bits.
fn as_version_4(bits: u128) -> u128 {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    (bits & !VERSION & !VARIANT) | (0x4 << 76) | (0b10 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_are_uuids_of_version_4_and_differ() {
        for bits in [0, u128::MAX] {
            let id = UploadId::from_u128(as_version_4(bits)).to_string();
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
        assert_ne!(RandomIds.fresh(), RandomIds.fresh());
    }

    #[test]
    fn the_clock_is_of_this_century() {
        assert!(SystemClock.now() > Timestamp::from_millis(1_700_000_000_000));
    }
}
