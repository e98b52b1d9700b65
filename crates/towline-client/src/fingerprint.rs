//! By what an unfinished upload of a file is found again from any machine. It only finds candidates: whether the parts
//! there are those of the file is seen by their digests.

use sha2::{Digest as _, Sha256};
use towline_core::digest::hex;

use crate::source::FileSource;
use crate::trouble::Trouble;

/// How much is read at each place.
const SAMPLE_BYTES: u64 = 64 * 1024;
/// At how many places: the front, the end, and evenly between.
const SAMPLES: u64 = 16;

/// The same for files with this key, size and sampled content, whatever they are called and whenever they were written.
pub async fn fingerprint(file: &FileSource, key: &str) -> Result<String, Trouble> {
    let size_bytes = file.size_bytes();
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_be_bytes());
    hash.update(key);
    hash.update(size_bytes.to_be_bytes());
    for (offset_bytes, sample_bytes) in samples(size_bytes) {
        hash.update(file.read(offset_bytes, sample_bytes).await?);
    }
    Ok(format!("t1-{}", hex(&hash.finalize())))
}

/// Where is read, and how much. All of a file that is not larger than its samples.
fn samples(size_bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let is_small = size_bytes <= SAMPLES * SAMPLE_BYTES;
    let count = if is_small { size_bytes.div_ceil(SAMPLE_BYTES) } else { SAMPLES };
    (0..count).map(move |number| {
        let offset_bytes = if is_small {
            number * SAMPLE_BYTES
        } else {
            // In 128 bits: the product of a file's size and a number may not fit into 64.
            let last = u128::from(size_bytes - SAMPLE_BYTES);
            let offset_bytes = last * u128::from(number) / u128::from(SAMPLES - 1);
            u64::try_from(offset_bytes).unwrap_or(u64::MAX)
        };
        (offset_bytes, SAMPLE_BYTES.min(size_bytes - offset_bytes))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn of(bytes: &[u8], key: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any name");
        fs::write(&path, bytes).unwrap();
        fingerprint(&FileSource::open(&path).unwrap(), key).await.unwrap()
    }

    #[test]
    fn samples_stay_within_the_file_and_touch_both_ends() {
        for size_bytes in
            [0, 1, SAMPLE_BYTES, SAMPLE_BYTES + 1, 16 * SAMPLE_BYTES, 16 * SAMPLE_BYTES + 1, u64::MAX]
        {
            let samples: Vec<_> = samples(size_bytes).collect();
            assert!(samples.len() <= 16);
            let Some((first, last)) = samples.first().zip(samples.last()) else {
                assert_eq!(size_bytes, 0);
                continue;
            };
            assert_eq!((first.0, last.0 + last.1), (0, size_bytes));
            if size_bytes <= 16 * SAMPLE_BYTES {
                assert_eq!(samples.iter().map(|sample| sample.1).sum::<u64>(), size_bytes);
            }
        }
    }

    #[tokio::test]
    async fn key_size_and_content_make_it_and_nothing_else_does() {
        let bytes = vec![7; 3 * 1024 * 1024];
        let same = of(&bytes, "a").await;
        assert_eq!(same, of(&bytes, "a").await);
        assert_eq!((same.len(), &same[..3]), (67, "t1-"));
        let mut front = bytes.clone();
        front[0] = 8;
        let mut end = bytes.clone();
        *end.last_mut().unwrap() = 8;
        for (bytes, key) in
            [(&bytes, "b"), (&front, "a"), (&end, "a"), (&bytes[1..].to_vec(), "a"), (&vec![], "a")]
        {
            assert_ne!(same, of(bytes, key).await);
        }
    }

    /// Uploads of today must be found by the client of tomorrow.
    #[tokio::test]
    async fn it_stays_the_same_over_the_years() {
        assert_eq!(
            of(b"123456789", "video.mp4").await,
            "t1-0192227fab853f2ecadf606c801cec9df9b491691f91fe0e31762834abf0dbf7"
        );
    }
}
