//! The packages of npm's in the work tree: every folder with a lock file gets what that file names, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::home::Home;
use crate::process::{run_aside, stdout_of};

const LOCK: &str = "package-lock.json";

/// Answers the folders, each ready to run.
pub(super) fn install(home: &Home, npm: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folders = folders(home)?;
    for folder in &folders {
        let mark = folder.join("node_modules/.towline-ready");
        let stamp = stamp(folder)?;
        if fs::read_to_string(&mark).is_ok_and(|text| text == stamp) {
            continue;
        }
        let mut install = Command::new(npm);
        // Packages run no scripts: some would download browsers.
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
        run_aside(&mut install)
            .with_context(|| format!("the packages of {} are missing", folder.display()))?;
        // A package without dependencies has no such folder yet.
        fs::create_dir_all(folder.join("node_modules")).context("creating node_modules")?;
        fs::write(&mark, stamp).context("marking the packages as ready")?;
    }
    Ok(folders)
}

/// Asked of git, like the rules of the house: a copy in `node_modules` or in a build folder is nobody's.
fn folders(home: &Home) -> anyhow::Result<Vec<PathBuf>> {
    let mut list = Command::new("git");
    list.current_dir(&home.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let text = stdout_of(list.args(["--", LOCK, &format!("**/{LOCK}")]))?;
    let locks = text.split_terminator('\0').map(|path| home.root.join(path));
    Ok(locks.filter(|lock| lock.is_file()).filter_map(|lock| lock.parent().map(Path::to_owned)).collect())
}

/// Changes with what `npm ci` reads.
fn stamp(folder: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for name in [LOCK, "package.json"] {
        let path = folder.join(name);
        hash.update(fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    Ok(hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}
