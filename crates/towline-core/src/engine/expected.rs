//! Finishing with a word on what the file has to be: compared by what is known of its parts, without reading them.

use super::Room;
use super::finish::join;
use super::listed::Claimed;
use crate::digest::Digest;
use crate::error::{Error, Refusal};
use crate::upload::{Phase, Upload};

/// The whole as the one who sent it has read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub size_bytes: Option<u64>,
    /// Its CRC-64/NVME. Where parts are known without theirs, as of those that went past us, there is nothing to compare it
    /// with.
    pub crc64: Option<u64>,
}

/// What the one who finishes an upload asks of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// Ascending by number: a free plan is made of those and of no other.
    pub(super) listed: Option<Vec<Claimed>>,
    pub(super) expected: Expected,
}

impl Expected {
    fn check(self, (size_bytes, crc64): (u64, Option<u64>)) -> Result<(), Refusal> {
        if let (Some(declared), Some(actual)) = (self.crc64, crc64)
            && declared != actual
        {
            let [declared, actual] = [declared, actual].map(Digest::of_crc64);
            return Err(Refusal::WholeDigest { declared, actual });
        }
        match self.size_bytes {
            Some(got_bytes) if got_bytes != size_bytes => {
                Err(Refusal::TotalConflict { declared_bytes: size_bytes, got_bytes })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whoever asks for a file that is sealed already gets it if it is theirs.
    pub(super) fn check_sealed(self, upload: Upload) -> Result<Upload, Error> {
        if let Phase::Sealed(receipt) = &upload.phase {
            self.check((receipt.size_bytes, receipt.crc64))?;
        }
        Ok(upload)
    }
}

impl Room {
    /// Of an upload that takes no more parts.
    pub(super) async fn check_expected(&self, upload: &Upload, expected: Expected) -> Result<(), Error> {
        if expected == Expected::default() {
            return Ok(());
        }
        let parts = self.recorded_parts(upload.id).await?;
        let size_bytes = parts.iter().map(|part| part.size_bytes).sum();
        Ok(expected.check((size_bytes, join(&parts)))?)
    }
}
