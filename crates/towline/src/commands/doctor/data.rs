//! The data folder, the catalog in it and what the process may open. A folder that a server owns is only looked at.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, fstatvfs, ioctl_ficlone, statfs};
use rustix::process::{Resource, getrlimit};
use towline_backends::sqlite::SqliteCatalog;
use towline_core::catalog::{Catalog as _, Filter};
use towline_core::clock::{Clock as _, Timestamp};
use towline_core::error::chain;

use super::finding::{Finding, State};
use crate::clock::SystemClock;
use crate::config::{Settings, StoreKind};
use crate::listen::files_wanted;
use crate::output::{age, bytes};
use crate::wiring;

const MIB: u64 = 1024 * 1024;
/// Below this a server that takes large files is soon full.
const FREE_BYTES_ODD: u64 = 1024 * MIB;

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    let data = std::path::absolute(&settings.data).unwrap_or_else(|_| settings.data.clone());
    let mut findings = of_folder(&data, settings);
    if wiring::catalog_path(&data).is_file() {
        findings.extend(of_catalog(&data).await);
    }
    findings.push(of_open_files(settings.max_connections.0));
    findings
}

fn of_folder(data: &Path, settings: &Settings) -> Vec<Finding> {
    if !data.is_dir() {
        return vec![of_absence(data)];
    }
    let owner = owner(data);
    let is_owned = matches!(owner, Ok(Some(_)));
    let mut findings = vec![match owner {
        Ok(None) => Finding::new("owner", State::Ok, "no server runs on it"),
        Ok(Some(owner)) => {
            let what = format!("a server runs on it (process {owner}): the folder is only looked at");
            Finding::new("owner", State::Ok, what)
        }
        Err(error) => Finding::new("owner", State::Wrong, format!("its lock file cannot be opened: {error}"))
            .why("The server must be able to read and write all that is in its folder: check whose it is."),
    }];
    if is_owned {
        findings.push(of_access(data));
    } else {
        findings.push(of_trial(data));
    }
    findings.extend(of_file_system(data));
    findings.extend(of_free_space(data));
    if settings.store == StoreKind::Disk {
        findings.extend(of_halves(data));
    }
    findings
}

/// The first start makes it, if it may.
fn of_absence(data: &Path) -> Finding {
    let parent =
        data.ancestors().find(|path| path.exists()).map_or_else(|| PathBuf::from("/"), Path::to_owned);
    if !parent.is_dir() {
        return Finding::new("folder", State::Wrong, format!("{} is no folder", parent.display()));
    }
    match access(&parent, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::new("folder", State::Ok, "not there yet: the first start makes it"),
        Err(error) => {
            let what = format!("not there, and it cannot be made in {}: {error}", parent.display());
            Finding::new("folder", State::Wrong, what)
                .why("Choose another with --data, or make it for the server's user.")
        }
    }
}

/// The process that owns the folder. A shared lock that is given back at once tells, and hinders nobody who has it.
fn owner(data: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(data.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| None),
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Who it is only helps the reader.
            (&mut file).take(20).read_to_string(&mut owner).ok();
            Ok(Some(owner.trim().to_owned()).filter(|owner| !owner.is_empty()).or(Some("unknown".to_owned())))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn of_access(data: &Path) -> Finding {
    match access(data, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::new("writing", State::Ok, "allowed"),
        Err(error) => Finding::new("writing", State::Wrong, format!("not allowed to us: {error}")),
    }
}

/// What a file of our own can do there; it is gone afterwards.
fn of_trial(data: &Path) -> Finding {
    let path = data.join(format!(".doctor-{:016x}", u64::from_be_bytes(crate::clock::random())));
    let copy = path.with_extension("copy");
    let tried = try_files(&path, &copy);
    for path in [path, copy] {
        // What was never made cannot be removed.
        fs::remove_file(path).ok();
    }
    match tried {
        Ok(Trial { is_sparse, can_share }) => {
            let holes = if is_sparse { "files have holes" } else { "files have no holes" };
            let sharing =
                if can_share { "copies share their bytes (reflink)" } else { "copies are real copies" };
            Finding::new("writing", State::Ok, format!("written and synced; {holes}, {sharing}"))
        }
        Err(error) => Finding::new("writing", State::Wrong, format!("a file cannot be written: {error}"))
            .why(
                "The server must be able to write to its folder: check whose it is, and whether it is full.",
            ),
    }
}

struct Trial {
    is_sparse: bool,
    can_share: bool,
}

fn try_files(path: &Path, copy: &Path) -> io::Result<Trial> {
    let options = || {
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        options
    };
    let mut file = options().open(path)?;
    file.write_all(b"towline doctor")?;
    file.set_len(MIB)?;
    file.sync_all()?;
    // `blocks` counts 512 bytes each, whatever the file system's are.
    let is_sparse = file.metadata()?.blocks() * 512 < MIB;
    let can_share = options().open(copy).is_ok_and(|copy| ioctl_ficlone(&copy, &file).is_ok());
    Ok(Trial { is_sparse, can_share })
}

/// Names of the file systems that matter here, by what `statfs(2)` says, and what to know of them.
const FILE_SYSTEMS: [(u32, &str, Option<&str>); 13] = [
    (0xEF53, "ext4", None),
    (0x5846_5342, "xfs", None),
    (0x9123_683E, "btrfs", None),
    (0x2FC1_2FC1, "zfs", None),
    (0xF2F5_2010, "f2fs", None),
    (0xCA45_1A4E, "bcachefs", None),
    (0x0102_1994, "tmpfs", Some("It is memory: nothing survives a restart of the machine.")),
    (
        0x794C_7630,
        "overlayfs",
        Some("It is a container's own layer, gone with the container: mount a volume for --data."),
    ),
    (0x6969, "nfs", Some(NETWORK)),
    (0xFF53_4D42, "cifs", Some(NETWORK)),
    (0xFE53_4D42, "smb", Some(NETWORK)),
    (0x0102_1997, "9p", Some(NETWORK)),
    (
        0x6573_5546,
        "fuse",
        Some("Behind FUSE may be anything: locks, syncing and renaming must work as on a local disk."),
    ),
];
const NETWORK: &str = "A network's file system keeps its own promises about locks and syncing, and SQLite may break on it. Use a \
                       local disk, or the S3 store.";

fn of_file_system(data: &Path) -> Option<Finding> {
    let found = statfs(data).ok()?;
    // Sign and width of the field differ from machine to machine; the numbers have 32 bits.
    let magic = u32::try_from(i128::from(found.f_type) & 0xFFFF_FFFF).ok()?;
    let known = FILE_SYSTEMS.iter().find(|(known, _, _)| *known == magic);
    Some(match known {
        Some((_, name, None)) => Finding::new("file system", State::Ok, *name),
        Some((_, name, Some(why))) => Finding::new("file system", State::Odd, *name).why(*why),
        None => Finding::new("file system", State::Unknown, format!("its number is {magic:#x}")),
    })
}

fn of_free_space(data: &Path) -> Option<Finding> {
    let found = fstatvfs(File::open(data).ok()?).ok()?;
    let (free, all) =
        (found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize));
    let what = format!("{} of {}", bytes(free), bytes(all));
    let why =
        "A full disk refuses parts (507) until there is space again; nothing that was acknowledged is lost.";
    Some(match free {
        0..MIB => Finding::new("free space", State::Wrong, what).why(why),
        MIB..FREE_BYTES_ODD => Finding::new("free space", State::Odd, what).why(why),
        _ => Finding::new("free space", State::Ok, what),
    })
}

/// Finishing a file is a rename: that works within one file system only.
fn of_halves(data: &Path) -> Option<Finding> {
    let of = |name: &str| fs::metadata(data.join(name)).ok().map(|found| found.dev());
    let (staging, completed) = (of("staging")?, of("completed")?);
    (staging != completed).then(|| {
        let what = "staging/ and completed/ lie on two file systems";
        Finding::new("file system", State::Wrong, what)
            .why("No file can be finished: mount one file system for the whole data folder.")
    })
}

async fn of_catalog(data: &Path) -> Vec<Finding> {
    use towline_backends::sqlite::OpenError;
    let catalog = match SqliteCatalog::open_read_only(wiring::catalog_path(data)) {
        Ok(catalog) => catalog,
        Err(error @ OpenError::Older { .. }) => {
            let what = "of an older Towline; the next start brings it up to date";
            return vec![Finding::new("catalog", State::Ok, what).why(error.to_string())];
        }
        Err(error) => return vec![Finding::new("catalog", State::Wrong, chain(&error))],
    };
    match catalog.list(&Filter::default(), None, 1).await {
        Err(fault) => vec![Finding::new("catalog", State::Wrong, chain(&fault))],
        Ok(page) => {
            let newest = page.uploads.first().map(|upload| upload.created_at);
            let mut findings = vec![Finding::new("catalog", State::Ok, "opened and read")];
            findings.extend(of_clock(newest, SystemClock.now()));
            findings
        }
    }
}

/// An upload of tomorrow says that somebody's clock is wrong: that of then, or that of now.
fn of_clock(newest: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
    let ahead = newest?.since(now);
    (ahead.as_secs() > 60).then(|| {
        let what = format!("the newest upload in the catalog was begun {} from now", age(ahead));
        Finding::new("clock", State::Wrong, what).why(
            "Uploads expire and signed URLs end by the clock. Let this machine follow a time server (NTP).",
        )
    })
}

fn of_open_files(connections_max: usize) -> Finding {
    let wanted = files_wanted(connections_max);
    // The server raises the first limit to what the second allows.
    match getrlimit(Resource::Nofile).maximum {
        Some(maximum) if maximum < wanted => {
            let what =
                format!("{maximum} may be open, max_connections = {connections_max} may need {wanted}");
            Finding::new("open files", State::Odd, what)
                .why(format!("Raise the limit (LimitNOFILE={wanted} for systemd), or lower max_connections."))
        }
        Some(maximum) => {
            Finding::new("open files", State::Ok, format!("{maximum} may be open, {wanted} are enough"))
        }
        None => Finding::new("open files", State::Ok, "as many as wanted may be open"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::commands::block_on;

    fn states(findings: &[Finding]) -> Vec<(&'static str, State)> {
        findings.iter().map(|finding| (finding.topic, finding.state)).collect()
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data: folder.path().join("a/b"), ..Settings::default() };
        let findings = block_on(async { Ok(look(&settings).await) }).unwrap();
        assert_eq!(findings[0].what, "not there yet: the first start makes it");
        assert!(!settings.data.exists() && !folder.path().join("a").exists());
        fs::write(folder.path().join("a"), "").unwrap();
        let blocked = block_on(async { Ok(look(&settings).await) }).unwrap();
        assert_eq!((blocked[0].topic, blocked[0].state), ("folder", State::Wrong));
    }

    #[test]
    fn a_trial_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let finding = of_trial(folder.path());
        assert_eq!(finding.state, State::Ok, "{finding:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_owned_is_only_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let _owner = towline_backends::disk::DataFolder::take(folder.path()).unwrap();
        let settings = Settings { data: folder.path().to_owned(), ..Settings::default() };
        let findings = of_folder(folder.path(), &settings);
        assert_eq!(
            findings[0].what,
            format!("a server runs on it (process {}): the folder is only looked at", std::process::id())
        );
        assert_eq!(states(&findings)[1], ("writing", State::Ok));
        assert_eq!(findings[1].what, "allowed");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn uploads_of_tomorrow_tell_of_a_wrong_clock() {
        let now = Timestamp::from_millis(1_000_000);
        assert_eq!(of_clock(Some(now), now), None);
        assert_eq!(of_clock(None, now), None);
        assert_eq!(of_clock(Some(now + Duration::from_hours(2)), now).unwrap().state, State::Wrong);
    }
}
