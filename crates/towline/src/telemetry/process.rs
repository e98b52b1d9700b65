//! What the operating system knows of this process.

use std::fs;

/// The unit of the times in `/proc/self/stat`, the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// Nothing where the system does not say.
#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) resident_bytes: Option<u64>,
    pub(super) cpu_s: Option<f64>,
    pub(super) open_files: Option<u64>,
}

pub(super) fn usage() -> Usage {
    Usage {
        resident_bytes: fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| resident_bytes(&status)),
        cpu_s: fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_s(&stat)),
        open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// User and system time; the program's name before them may hold anything.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_what_linux_writes() {
        assert_eq!(resident_bytes("VmPeak:\t 1 kB\nVmRSS:\t    5120 kB\n"), Some(5 << 20));
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(resident_bytes(""), None);
        assert_eq!(cpu_s(""), None);
    }
}
