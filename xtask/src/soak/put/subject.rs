//! The file that is sent, and what it has been.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fastrand::Rng;
use sha2::{Digest as _, Sha256};

use super::plan::Change;

pub(super) type Sha256Sum = [u8; 32];

#[derive(Debug)]
pub(super) struct Subject {
    pub path: PathBuf,
    rng: Rng,
    /// What the whole file was, oldest first; the last one is what it is.
    versions: Vec<Sha256Sum>,
}

impl Subject {
    pub(super) fn create(path: PathBuf, seed: u64, size_bytes: usize) -> anyhow::Result<Self> {
        let mut rng = Rng::with_seed(seed);
        fs::write(&path, noise(&mut rng, size_bytes)).context("writing the file")?;
        let mut subject = Self { path, rng, versions: Vec::new() };
        subject.note()?;
        Ok(subject)
    }

    /// Each change is one write or one cut, so that there are no versions between these.
    pub(super) fn change(&mut self, change: Change) -> anyhow::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path).context("opening the file")?;
        let size_bytes = file.metadata().context("asking for the file's size")?.len();
        self.write(&file, size_bytes, change).context("changing the file")?;
        self.note()
    }

    fn write(&mut self, file: &File, size_bytes: u64, change: Change) -> std::io::Result<()> {
        match change {
            Change::Byte if size_bytes > 0 => {
                let mut byte = [0];
                let at = self.rng.u64(..size_bytes);
                File::open(&self.path)?.read_exact_at(&mut byte, at)?;
                file.write_all_at(&[!byte[0]], at)
            }
            Change::Shorter => file.set_len(size_bytes / 2),
            Change::Byte | Change::Longer => {
                let more = self.rng.usize(1..1_000_000);
                file.write_all_at(&noise(&mut self.rng, more), size_bytes)
            }
            Change::Everything => {
                let bytes = usize::try_from(size_bytes).expect("it was in memory before");
                file.write_all_at(&noise(&mut self.rng, bytes), 0)
            }
        }
    }

    fn note(&mut self) -> anyhow::Result<()> {
        let bytes = fs::read(&self.path).context("reading the file")?;
        self.versions.push(Sha256::digest(bytes).into());
        Ok(())
    }

    /// How many versions there were before the one of now.
    pub(super) fn age(&self) -> usize {
        self.versions.len() - 1
    }

    /// What it has been since it was so old.
    pub(super) fn since(&self, age: usize) -> &[Sha256Sum] {
        &self.versions[age..]
    }
}

/// Nothing when nothing is there.
pub(super) fn sha256_of(path: &Path) -> anyhow::Result<Option<Sha256Sum>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Sha256::digest(bytes).into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn noise(rng: &mut Rng, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    rng.fill(&mut noise);
    noise
}
