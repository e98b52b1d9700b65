//! Virtual environments of Python in the cache folder, each keyed by its pins: a second run finds it ready.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::home::Home;
use crate::process::{run_aside, stdout_of};

/// The oldest Python that the pinned requirements run on.
pub(super) const PYTHON_OLDEST: &str = "(3, 10)";

/// A Python on PATH that is new enough and can make virtual environments, which Debian ships apart.
pub(super) fn fitting_python() -> Option<PathBuf> {
    let test = format!(
        "import sys, venv, ensurepip; assert sys.version_info >= {PYTHON_OLDEST}; print(sys.executable, end='')"
    );
    let path = stdout_of(Command::new("python3").args(["-c", &test])).ok()?;
    Some(PathBuf::from(path))
}

/// The Python of an environment that holds what `xtask/requirements/<name>.txt` pins.
pub(super) fn make(home: &Home, python: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let requirements = home.root.join(format!("xtask/requirements/{name}.txt"));
    let pins = fs::read(&requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let version = stdout_of(Command::new(python).arg("--version"))?;
    let key = Sha256::new().chain_update(&pins).chain_update(version.trim()).finalize();
    let short = u64::from_be_bytes(*key.first_chunk().expect("a SHA-256 has more than eight bytes"));
    let folder = home.cache.join(format!("python-{name}-{short:016x}"));
    let program = folder.join("bin/python");

    // The mark comes last: an environment without it was cut short.
    let mark = folder.join("ready");
    if mark.exists() {
        return Ok(program);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    run_aside(Command::new(python).args(["-m", "venv"]).arg(&folder))
        .context("`python3 -m venv` does not work")?;
    let mut install = Command::new(&program);
    install.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    run_aside(install.arg("--requirement").arg(&requirements))
        .with_context(|| format!("the Python packages of `{name}` could not be installed"))?;
    File::create(&mark).context("marking the virtual environment as ready")?;
    Ok(program)
}
