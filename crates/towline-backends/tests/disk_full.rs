//! A full disk is said as such, and the upload goes on when there is room again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use towline_backends::disk::{DiskSettings, DiskStore};
use towline_core::error::{Fault, FaultKind};
use towline_core::key::Key;
use towline_core::lease::{Leases, Seat};
use towline_core::plan::{Room, Slot};
use towline_core::store::{Mark, Opened, PartPlace, Place, Seal, Spot, Store as _};
use towline_core::testing::store_contract::{content, part_of};
use towline_core::upload::{About, UploadId};

const MIB: usize = 1024 * 1024;

/// A file system of its own, in memory, gone with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mounted(size_bytes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={size_bytes}");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "towline-test"])
            .arg(folder.path())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "this test mounts a small disk: run it as root, for example by `sudo unshare --mount cargo test`"
        );
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

async fn land(store: &DiskStore, place: &Place, number: u32, bytes: &Bytes) -> Result<Mark, Fault> {
    let offset_bytes = Some(u64::from(number - 1) * bytes.len() as u64);
    let slot = Slot { number, offset_bytes, room: Room::Exactly(bytes.len() as u64) };
    let id = UploadId::parse(&place.0).expect("places are named by uploads");
    let lease =
        Leases::default().take(id, Seat::Slot(number), Duration::from_secs(5)).await.expect("nobody has it");
    let at = PartPlace { place, slot, size_bytes: Some(bytes.len() as u64), is_begun: false, lease };
    let mut writer = store.write_part(at, Spot::Own).await?;
    for start in (0..bytes.len()).step_by(MIB / 8) {
        writer.write(bytes.slice(start..bytes.len().min(start + MIB / 8))).await?;
    }
    writer.land().await
}

fn fill_up(ballast: &PathBuf) {
    let full = std::fs::write(ballast, vec![1; 16 * MIB]).expect_err("the disk is small");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn a_full_disk_is_a_fault_of_that_kind_and_the_upload_goes_on_when_there_is_room() {
    let disk = SmallDisk::mounted(8 * MIB);
    let data = disk.path().join("data");
    let store = DiskStore::open(&DiskSettings { data, sync: true }).unwrap();
    let key = Key::parse("films/a.bin").unwrap();
    let Opened::At(place) = store.open(UploadId::from_u128(1), &key, &About::default()).await.unwrap() else {
        panic!("nothing is in the way");
    };
    let whole = content(1, 4 * MIB);
    let first = land(&store, &place, 1, &whole.slice(..2 * MIB)).await.unwrap();
    let ballast = disk.path().join("ballast");
    fill_up(&ballast);

    let fault = land(&store, &place, 2, &whole.slice(2 * MIB..)).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Full, "{fault:?}");
    assert_eq!(store.check().await.unwrap_err().kind(), FaultKind::Full);

    std::fs::remove_file(ballast).unwrap();
    store.check().await.unwrap();
    let second = land(&store, &place, 2, &whole.slice(2 * MIB..)).await.unwrap();
    let parts = [part_of(1, &whole.slice(..2 * MIB), first), part_of(2, &whole.slice(2 * MIB..), second)];
    assert!(matches!(store.seal(&place, &key, &parts).await.unwrap(), Seal::Sealed(_)));
    let object = store.read(&key).await.unwrap().unwrap();
    let frames: Vec<Bytes> = object.reader.read(0..object.size_bytes).try_collect().await.unwrap();
    assert!(frames.concat() == whole);
}
