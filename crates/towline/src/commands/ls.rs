//! `towline ls`: the unfinished uploads of a server or a bucket, or all those of a data folder, read beside the server
//! that owns it.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;
use towline_backends::sqlite::SqliteCatalog;
use towline_client::remote::Line;
use towline_core::catalog::{Catalog as _, Filter};
use towline_core::clock::{Clock as _, Timestamp};
use towline_core::upload::{Phase, Upload};
use towline_doors::rfc3339;

use super::{block_on, existing_catalog, threaded};
use crate::client::{Means, Spot};
use crate::clock::SystemClock;
use crate::exit::{Complaint, Exit};
use crate::output::{age, bytes, printable, table};
use crate::{cli, output};

/// How many uploads are asked for at a time.
const PAGE: usize = 1000;

pub(super) fn run(asked: cli::Ls) -> Result<Exit, Complaint> {
    let names_data = asked.folder.names_data();
    let settings = asked.folder.load()?.settings;
    if asked.place.is_some() && names_data {
        return Err(
            Complaint::usage("a place and a data folder are two things to look at").hint("name one of them")
        );
    }
    if asked.place.is_some() || settings.server.is_some() && !names_data {
        if !asked.status.is_empty() {
            return Err(Complaint::usage(
                "--status is for data folders: elsewhere only unfinished uploads are listed",
            )
            .hint("name the folder with --data DIR"));
        }
        let means = Means::new(settings, asked.reach)?;
        let spot = means.spot(asked.place.as_deref())?;
        return afar(&means, &spot, (asked.limit, asked.json));
    }
    let path = existing_catalog(&settings)?;
    let filter = Filter { phases: asked.status, ..Filter::default() };
    let uploads = block_on(newest(path, filter, asked.limit))?;
    output::data(&if asked.json {
        uploads.iter().map(to_json).collect()
    } else {
        to_table(&uploads, SystemClock.now())
    })?;
    Ok(Exit::Done)
}

/// What is unfinished at a server or in a bucket.
fn afar(means: &Means, spot: &Spot, (limit, is_json): (usize, bool)) -> Result<Exit, Complaint> {
    let lines = threaded(async {
        let link = means.connect(&spot.place)?;
        link.remote.unfinished(&spot.key, limit).await.map_err(|trouble| link.complain(&trouble))
    })?;
    output::data(&if is_json { lines.iter().map(line_to_json).collect() } else { lines_to_table(&lines) })?;
    Ok(Exit::Done)
}

fn lines_to_table(lines: &[Line]) -> String {
    let head = ["ID", "STATUS", "PARTS", "SIZE", "BEGUN", "KEY"].map(String::from);
    let count = |count: Option<u32>| count.map_or("?".to_owned(), |count| count.to_string());
    let rows = lines.iter().map(|line| {
        vec![
            printable(&line.ticket.id),
            printable(&line.status),
            format!("{}/{}", count(line.landed_parts), count(line.total_parts)),
            line.total_bytes.map_or("?".into(), bytes),
            printable(&line.begun_at),
            printable(&line.ticket.key),
        ]
    });
    table(&std::iter::once(head.to_vec()).chain(rows).collect::<Vec<_>>())
}

fn line_to_json(line: &Line) -> String {
    let line = json!({
        "id": line.ticket.id,
        "status": line.status,
        "key": line.ticket.key,
        "size_bytes": line.total_bytes,
        "landed_parts": line.landed_parts,
        "total_parts": line.total_parts,
        "created_at": line.begun_at,
    });
    format!("{line}\n")
}

async fn newest(path: PathBuf, filter: Filter, limit: usize) -> Result<Vec<Upload>, Complaint> {
    let catalog = SqliteCatalog::open_read_only(path).context("cannot read the uploads")?;
    let mut uploads = Vec::new();
    let mut after = None;
    while uploads.len() < limit {
        let page = catalog.list(&filter, after, PAGE.min(limit - uploads.len())).await;
        let page = page.context("cannot read the uploads")?;
        uploads.extend(page.uploads);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(uploads)
}

fn to_table(uploads: &[Upload], now: Timestamp) -> String {
    let head = ["ID", "STATUS", "PARTS", "LANDED", "SIZE", "AGE", "KEY"].map(String::from);
    let rows = uploads.iter().map(|upload| {
        let total = upload.plan.total_parts().map_or("?".into(), |parts| parts.to_string());
        vec![
            upload.id.to_string(),
            upload.phase.name().name().to_owned(),
            format!("{}/{total}", upload.progress.landed_count),
            bytes(upload.progress.landed_bytes),
            size_bytes(upload).map_or("?".into(), bytes),
            age(now.since(upload.created_at)),
            printable(upload.key.as_str()),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(rows).collect();
    table(&rows)
}

fn to_json(upload: &Upload) -> String {
    let line = json!({
        "id": upload.id.to_string(),
        "status": upload.phase.name().name(),
        "key": upload.key.as_str(),
        "owner": upload.owner,
        "size_bytes": size_bytes(upload),
        "landed_bytes": upload.progress.landed_bytes,
        "landed_parts": upload.progress.landed_count,
        "total_parts": upload.plan.total_parts(),
        "created_at": rfc3339(upload.created_at),
        "expires_at": rfc3339(upload.expires_at),
    });
    format!("{line}\n")
}

fn size_bytes(upload: &Upload) -> Option<u64> {
    match &upload.phase {
        Phase::Sealed(receipt) => Some(receipt.size_bytes),
        Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => upload.plan.total_bytes(),
    }
}
