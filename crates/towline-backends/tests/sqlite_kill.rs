//! What the SQLite catalog acknowledged survives SIGKILL: a child process records facts and says which were
//! answered, its parent kills it at some moment and looks.
#![expect(clippy::unwrap_used, reason = "where a helper of these tests fails, the test fails")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::task::JoinSet;
use towline_backends::sqlite::{SqliteCatalog, SqliteSettings};
use towline_core::catalog::{Catalog, Entry, Fact, Recorded};
use towline_core::clock::Timestamp;
use towline_core::receipt::Voucher;
use towline_core::store::Mark;
use towline_core::testing::catalog_contract;
use towline_core::upload::{Epoch, Part};

const CHILD: &str = "a_child_records_until_it_is_killed";
const ACKNOWLEDGED: &str = "acknowledged ";

fn part(number: u32) -> Part {
    Part {
        number,
        size_bytes: u64::from(number),
        crc64: Some(u64::from(number) << 32),
        digests: Vec::new(),
        mark: Mark(format!("mark {number}")),
        voucher: Voucher::Towline,
        landed_at: Timestamp::from_millis(1),
    }
}

fn open(folder: &Path) -> SqliteCatalog {
    SqliteCatalog::open(SqliteSettings::at(folder.join("catalog.db"))).unwrap()
}

#[tokio::test]
async fn acknowledged_facts_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=10_u32 {
        let acknowledged = record_until_killed(folder.path(), round, usize::try_from(round * 37).unwrap());
        let catalog = open(folder.path());
        let id = catalog_contract::upload(round, "ada").id;
        let parts = catalog.parts(id, 0, usize::MAX).await.unwrap();
        for number in &acknowledged {
            assert!(
                parts.contains(&part(*number)),
                "round {round}: part {number} was acknowledged and is gone"
            );
        }
        let progress = catalog.fetch(id, None).await.unwrap().unwrap().upload.progress;
        assert_eq!(progress.landed_count as usize, parts.len());
        assert_eq!(progress.landed_bytes, parts.iter().map(|part| part.size_bytes).sum::<u64>());
        let prefix = (1..).zip(&parts).take_while(|(number, part)| *number == part.number).count();
        assert_eq!(progress.prefix_count as usize, prefix);
    }
}

/// Kills the child after it has acknowledged `enough` facts; says which it acknowledged up to its death.
fn record_until_killed(folder: &Path, round: u32, enough: usize) -> BTreeSet<u32> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_ref().unwrap(), "{round}\n{}", folder.display()).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = BTreeSet::new();
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        // The last line may be cut in the middle of a number.
        let whole = line.strip_suffix('\n').and_then(|line| line.strip_prefix(ACKNOWLEDGED));
        acknowledged.extend(whole.map(|number| number.parse::<u32>().unwrap()));
        line.clear();
        if acknowledged.len() == enough {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= enough, "the child ended on its own");
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of the test above, which tells it where to write"]
async fn a_child_records_until_it_is_killed() {
    let mut lines = std::io::stdin().lines();
    let mut told = || lines.next().expect("a line on stdin").unwrap();
    let (round, folder) = (told().parse().unwrap(), told());
    let catalog = Arc::new(open(Path::new(&folder)));
    let upload = catalog_contract::upload(round, "ada");
    catalog.insert(&upload).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (catalog, id) = (Arc::clone(&catalog), upload.id);
        writers.spawn(async move {
            for number in (writer + 1..).step_by(8) {
                let fact = Fact::PartLanded(part(number));
                let expires_at = Timestamp::from_millis(i64::from(number));
                let recorded = catalog.record(Entry { id, epoch: Epoch(0), fact, expires_at }).await.unwrap();
                assert!(matches!(recorded, Recorded::Done { .. }));
                println!("{ACKNOWLEDGED}{number}");
            }
        });
    }
    writers.join_all().await;
}
