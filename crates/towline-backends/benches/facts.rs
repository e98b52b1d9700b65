//! How many durable facts a second the SQLite catalog takes, and whether it slows down as an upload grows. Prints
//! one table of tab-separated lines: what, how many a second, milliseconds each.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use towline_backends::sqlite::{SqliteCatalog, SqliteSettings};
use towline_core::catalog::{Catalog as _, Entry, Fact, Filter, Recorded};
use towline_core::clock::Timestamp;
use towline_core::key::Key;
use towline_core::plan::Plan;
use towline_core::receipt::Voucher;
use towline_core::store::{Mark, Place};
use towline_core::upload::{About, Epoch, Part, Phase, Progress, Upload, UploadId};

const PART_BYTES: u64 = 8 * 1024 * 1024;
const WRITERS: u32 = 64;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let folder = tempfile::tempdir()?;
    let catalog = Arc::new(SqliteCatalog::open(SqliteSettings::at(folder.path().join("catalog.db")))?);
    line("what", "a second", "ms each")?;
    disk(folder.path())?;
    one_by_one(&catalog).await?;
    for uploads in [1, WRITERS] {
        together(&catalog, uploads).await?;
    }
    let id = growing(&catalog).await?;
    reads(&catalog, id).await?;
    catalog.close().await;
    Ok(())
}

/// The floor under all that follows: what the disk takes to make one page durable.
fn disk(folder: &Path) -> Outcome {
    let mut file = std::fs::File::create(folder.join("floor"))?;
    let count = 200;
    let started = Instant::now();
    for _ in 0..count {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
    }
    report("the disk alone, a page and a sync", count, started.elapsed())
}

async fn one_by_one(catalog: &Arc<SqliteCatalog>) -> Outcome {
    let id = insert(catalog, 1).await?;
    let count = 1000;
    let started = Instant::now();
    for number in 1..=count {
        land(catalog, id, number).await?;
    }
    report("facts, one by one", count, started.elapsed())
}

/// `WRITERS` at once, each with its own numbers, into so many uploads.
async fn together(catalog: &Arc<SqliteCatalog>, uploads: u32) -> Outcome {
    let mut ids = Vec::new();
    for upload in 0..uploads {
        ids.push(insert(catalog, u128::from(1000 * uploads + upload)).await?);
    }
    let each = 2000;
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (catalog, id) = (Arc::clone(catalog), ids[(writer % uploads) as usize]);
        writers.spawn(async move {
            for turn in 0..each {
                let number = if uploads == 1 { turn * WRITERS + writer + 1 } else { turn + 1 };
                land(&catalog, id, number).await.expect("a fact is recorded");
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done?;
    }
    let what = format!("facts, {WRITERS} writers, uploads: {uploads}");
    report(&what, WRITERS * each, started.elapsed())
}

/// 10,000 parts of one upload; each thousand by 64 writers.
async fn growing(catalog: &Arc<SqliteCatalog>) -> Result<UploadId, Box<dyn std::error::Error>> {
    let id = insert(catalog, 2).await?;
    for thousand in 0..10 {
        let started = Instant::now();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let catalog = Arc::clone(catalog);
            writers.spawn(async move {
                for number in (writer + 1..=1000).step_by(WRITERS as usize) {
                    land(&catalog, id, thousand * 1000 + number).await.expect("a fact is recorded");
                }
            });
        }
        while let Some(done) = writers.join_next().await {
            done?;
        }
        report(&format!("parts, thousand {}", thousand + 1), 1000, started.elapsed())?;
    }
    Ok(id)
}

async fn reads(catalog: &Arc<SqliteCatalog>, id: UploadId) -> Outcome {
    let count = 10_000;
    let started = Instant::now();
    for number in 1..=count {
        catalog.fetch(id, Some(number)).await?.ok_or("the upload is there")?;
    }
    report("fetch of a head and a part", count, started.elapsed())?;

    let started = Instant::now();
    for _ in 0..10 {
        let parts = catalog.parts(id, 0, 10_000).await?;
        assert_eq!(parts.len(), 10_000);
    }
    report("parts, a page of 10,000", 10, started.elapsed())?;

    let started = Instant::now();
    for _ in 0..100 {
        catalog.list(&Filter::default(), None, 50).await?;
    }
    report("list, a page of 50", 100, started.elapsed())
}

async fn land(catalog: &SqliteCatalog, id: UploadId, number: u32) -> Outcome {
    let fact = Fact::PartLanded(Part {
        number,
        size_bytes: PART_BYTES,
        crc64: Some(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        digests: Vec::new(),
        mark: Mark(String::new()),
        voucher: Voucher::Towline,
        landed_at: Timestamp::from_millis(i64::from(number)),
    });
    let expires_at = Timestamp::from_millis(1_795_219_200_000 + i64::from(number));
    match catalog.record(Entry { id, epoch: Epoch(0), fact, expires_at }).await? {
        Recorded::Done { .. } => Ok(()),
        other @ (Recorded::Repeat { .. } | Recorded::Stale) => {
            Err(format!("part {number}: {other:?}").into())
        }
    }
}

async fn insert(catalog: &SqliteCatalog, id: u128) -> Result<UploadId, Box<dyn std::error::Error>> {
    let upload = Upload {
        id: UploadId::from_u128(id),
        key: Key::parse(&format!("films/{id}.mov"))?,
        plan: Plan::Even { part_bytes: PART_BYTES, total_bytes: Some(10_000 * PART_BYTES) },
        place: Place(format!("staging/{id}")),
        about: About { filename: format!("{id}.mov"), ..About::default() },
        owner: "anonymous".to_owned(),
        phase: Phase::Open,
        epoch: Epoch(0),
        progress: Progress::default(),
        tail: None,
        created_at: Timestamp::from_millis(1_795_219_200_000),
        expires_at: Timestamp::from_millis(1_795_219_200_000),
    };
    catalog.insert(&upload).await?;
    Ok(upload.id)
}

fn report(what: &str, count: u32, took: Duration) -> Outcome {
    let seconds = took.as_secs_f64();
    let count = f64::from(count);
    line(what, format!("{:.0}", count / seconds), format!("{:.4}", seconds * 1000.0 / count))
}

fn line(what: &str, a_second: impl Display, ms_each: impl Display) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{what}\t{a_second}\t{ms_each}")?)
}
