//! Programs from the registries at pinned versions, kept in the cache folder, fetched when they are missing.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::home::Home;
use crate::process::{run, stdout_of};
use crate::say;

const CARGO_DENY: &str = "0.20.2";
const REQUIREMENTS: &str = "xtask/requirements/clients.txt";
/// The oldest Python that the pinned requirements run on.
const PYTHON_OLDEST: &str = "(3, 10)";

/// `cargo deny`, at our version, in the root of the work tree.
pub(crate) fn cargo_deny(home: &Home) -> anyhow::Result<Command> {
    let root = home.cache.join("tools");
    let program = root.join("bin/cargo-deny");
    let is_ours =
        stdout_of(Command::new(&program).arg("--version")).is_ok_and(|text| text.contains(CARGO_DENY));
    if !is_ours {
        let mut install =
            home.cargo(["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--force"]);
        run(install.arg("--root").arg(&root)).context("cargo-deny could not be installed")?;
    }
    let mut command = Command::new(program);
    command.current_dir(&home.root);
    Ok(command)
}

/// The Python of a virtual environment that holds the clients the tests use. A second run finds it ready.
pub(crate) fn python(home: &Home) -> anyhow::Result<PathBuf> {
    let requirements = home.root.join(REQUIREMENTS);
    let pins = fs::read(&requirements).with_context(|| format!("reading {REQUIREMENTS}"))?;
    let system = system_python()?;
    let version = stdout_of(Command::new(&system).arg("--version"))?;
    let key = Sha256::new().chain_update(&pins).chain_update(version.trim()).finalize();
    let short = u64::from_be_bytes(*key.first_chunk().expect("a SHA-256 has more than eight bytes"));
    let folder = home.cache.join(format!("python-{short:016x}"));

    fs::create_dir_all(&home.cache).with_context(|| format!("creating {}", home.cache.display()))?;
    // Two work trees may share the cache and test at once: the second waits for the first one's work.
    let lock =
        File::create(home.cache.join("python.lock")).context("creating the lock of the Python cache")?;
    lock.lock().context("locking the Python cache")?;
    // The mark comes last: an environment without it was cut short.
    let mark = folder.join("ready");
    if !mark.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        create_environment(&system, &folder)?;
        let mut install = Command::new(folder.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        run(install.arg("--requirement").arg(&requirements))
            .context("the Python clients could not be installed")?;
        File::create(&mark).context("marking the virtual environment as ready")?;
    }
    Ok(folder.join("bin/python"))
}

fn system_python() -> anyhow::Result<PathBuf> {
    if let Some(python) = fitting_python() {
        return Ok(python);
    }
    apt_install(&["python3", "python3-venv"])?;
    fitting_python().with_context(|| {
        format!("no python3 of at least version {PYTHON_OLDEST} is on PATH, and apt-get brought none")
    })
}

fn fitting_python() -> Option<PathBuf> {
    let test =
        format!("import sys; assert sys.version_info >= {PYTHON_OLDEST}; print(sys.executable, end='')");
    let path = stdout_of(Command::new("python3").args(["-c", &test])).ok()?;
    Some(PathBuf::from(path))
}

/// Debian ships Python without the part that makes virtual environments.
fn create_environment(python: &Path, folder: &Path) -> anyhow::Result<()> {
    let create =
        || run(Command::new(python).args([OsStr::new("-m"), OsStr::new("venv"), folder.as_os_str()]));
    if create().is_ok() {
        return Ok(());
    }
    apt_install(&["python3-venv"])?;
    create().context("`python3 -m venv` does not work: install the package python3-venv")
}

fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    let names = packages.join(" ");
    say::note(format_args!("missing: {names}; trying apt-get"));
    let as_root = stdout_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let apt_get = || {
        let mut command = if as_root { Command::new("apt-get") } else { Command::new("sudo") };
        if !as_root {
            command.args(["-n", "apt-get"]);
        }
        command
    };
    let result = run(apt_get().args(["update", "-q"])).and_then(|()| {
        run(apt_get().args(["install", "-q", "-y", "--no-install-recommends"]).args(packages))
    });
    if let Err(error) = result {
        bail!("please install {names} and run this again; apt-get did not: {error:#}");
    }
    Ok(())
}
