//! What is uploaded: bytes without a pattern, in a file that has no name any more, so that nothing is left of it whatever
//! happens.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use rustix::fs::{FallocateFlags, fallocate};
use towline_client::source::FileSource;

use crate::clock::random;
use crate::exit::Complaint;
use crate::output::{bytes, printable};

/// The same every time: figures are to be compared.
const SEED: u64 = 4;
const BLOCK_BYTES: usize = 1 << 20;

/// A file of so many bytes.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    pub(super) source: FileSource,
    pub(super) size_bytes: u64,
}

impl Noise {
    /// Waits for the disk.
    pub(crate) fn make(folder: &Path, size_bytes: u64) -> Result<Self, Complaint> {
        let shown = printable(&folder.display().to_string());
        let path = folder.join(format!("towline-bench-{:032x}", u128::from_be_bytes(random())));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot make a file in {shown}"))?;
        let opened = FileSource::open(&path);
        // Its name goes before its bytes come: what has no name ends with the program, however that ends.
        fs::remove_file(&path)
            .with_context(|| format!("cannot remove the file again that was made in {shown}"))?;
        let source = opened.map_err(|trouble| anyhow!("{trouble}"))?;
        match fill(&file, size_bytes) {
            Ok(()) => Ok(Self { source, size_bytes }),
            Err(error) => Err(complain(&error, &shown, size_bytes)),
        }
    }
}

fn complain(error: &io::Error, folder: &str, size_bytes: u64) -> Complaint {
    let size = bytes(size_bytes);
    let is_full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    );
    let what = if is_full {
        format!("{folder} has no room for the {size} that are to be uploaded")
    } else {
        format!("cannot write the {size} that are to be uploaded to {folder}: {error}")
    };
    Complaint::from(anyhow!(what)).hint("say a smaller --size, or name another folder by TMPDIR")
}

fn fill(mut file: &File, size_bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, size_bytes) {
        // Where room cannot be kept, writing shows whether there is some.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error.into()),
    }
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut block = vec![0; BLOCK_BYTES];
    let mut rest = size_bytes;
    while rest > 0 {
        random.fill(&mut block);
        let count = usize::try_from(rest).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        file.write_all(&block[..count])?;
        rest -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn the_file_has_its_bytes_and_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let noise = Noise::make(folder.path(), 2_500_000).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let frames = noise.source.frames(0, noise.size_bytes);
        let read: Vec<_> = frames.stream.try_collect().await.unwrap();
        let read = read.concat();
        assert_eq!(read.len(), 2_500_000);
        assert!(read.chunks(1000).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }

    #[test]
    fn no_room_is_said_with_a_way_out() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let text = complain(&kind.into(), "/tmp", 1 << 30).to_text();
            assert!(text.contains("/tmp has no room for the 1.0 GiB"), "{text}");
            assert!(text.contains("hint: say a smaller --size"), "{text}");
        }
        let folder = Path::new("/proc/nothing/here");
        assert!(Noise::make(folder, 1).unwrap_err().to_text().contains("cannot make a file in"));
    }
}
