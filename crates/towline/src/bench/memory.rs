//! The peak of this program's memory, since it was last asked to forget it.

use std::fs;

/// Forgets the peak so far, and gives the next one.
#[derive(Debug)]
pub(super) struct Peak {
    is_known: bool,
}

impl Peak {
    /// Linux only: proc(5), `clear_refs`.
    pub(super) fn begin() -> Self {
        Self { is_known: fs::write("/proc/self/clear_refs", "5").is_ok() }
    }

    /// Nothing where the system does not say, or would say an older one.
    pub(super) fn bytes(&self) -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok().filter(|_| self.is_known)?;
        peak_bytes(&status)
    }
}

fn peak_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_what_linux_writes() {
        assert_eq!(peak_bytes("VmPeak:\t    9 kB\nVmHWM:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(peak_bytes("VmPeak:\t    9 kB\n"), None);
        assert_eq!(Peak { is_known: false }.bytes(), None);
    }
}
