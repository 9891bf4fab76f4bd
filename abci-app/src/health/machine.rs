//! What the machine says of the process and its disk.

use std::{fs, path::Path};

use crate::files::read_limited;

/// Most bytes of a file of the kernel's that are read.
const KERNEL_FILE_BYTES_MAX: u64 = 64 << 10;

/// Sizes of a disk.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// All of it, bytes.
    pub bytes: u64,
    /// Bytes that a process of this user may still use.
    pub free: u64,
}

/// The disk that a file or folder is on.
pub fn disk_of(path: &Path) -> Option<Disk> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
    })
}

/// The size of a file.
pub fn file_bytes(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|file| file.len())
}

/// Memory that this process has in RAM, bytes.
pub fn resident_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

/// Memory that the machine has, bytes.
pub fn memory_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal:")
}

/// A line of such a file: the name, a number and its unit, which always is 1 024 bytes.
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = read_limited(Path::new(path), KERNEL_FILE_BYTES_MAX).ok()?;
    let text = String::from_utf8(text).ok()?;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name))?;
    let number: u64 = value.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_smaller_than_its_machine_and_the_disk_has_room_on_it() {
        let (own, all) = (resident_bytes().unwrap(), memory_bytes().unwrap());
        assert!((1 << 20..all).contains(&own), "{own} of {all}");
        let disk = disk_of(Path::new("/")).unwrap();
        assert!(disk.free <= disk.bytes && disk.bytes > 0, "{disk:?}");
        assert!(disk_of(Path::new("/nowhere")).is_none());
    }
}
