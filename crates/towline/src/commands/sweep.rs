//! `towline sweep`: the janitor's work while no server runs.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use towline_backends::disk::OpenError;
use towline_core::engine::Swept;
use towline_core::error::chain;

use super::{block_on, existing_catalog};
use crate::exit::{Complaint, Exit};
use crate::wiring::House;
use crate::{cli, output};

pub(super) fn run(asked: cli::Sweep) -> Result<Exit, Complaint> {
    let settings = asked.folder.load()?.settings;
    existing_catalog(&settings)?;
    settings.check_pairs()?;
    let (swept, ignored) = block_on(async {
        let house = Box::pin(House::open(&settings)).await.map_err(explain)?;
        // The folder is ours alone: nothing is under way that could be too young to judge.
        let swept = house.engine.sweep(Duration::ZERO).await.context("the sweep broke off")?;
        house.close().await;
        Ok((swept, house.engine.tally().take_ignored()))
    })?;
    output::data(&if asked.json { to_json(swept) } else { to_table(swept) })?;
    for fault in &ignored {
        output::say(&format!("warning: {}\n", chain(fault)));
    }
    Ok(if ignored.is_empty() { Exit::Done } else { Exit::Failed })
}

fn explain(error: anyhow::Error) -> Complaint {
    let is_in_use = matches!(error.downcast_ref(), Some(OpenError::InUse { .. }));
    let complaint = Complaint::from(error);
    if is_in_use { complaint.hint("a running server sweeps its folder by itself") } else { complaint }
}

fn rows(swept: Swept) -> [(&'static str, u64, &'static str); 5] {
    let Swept { expired, healed, cleared, forgotten, orphans } = swept;
    [
        ("expired", expired, "unfinished uploads given up"),
        ("healed", healed, "seals finished that were begun"),
        ("cleared", cleared, "places of ended uploads emptied"),
        ("forgotten", forgotten, "ended uploads struck from the list"),
        ("orphans", orphans, "places without an upload removed"),
    ]
}

fn to_table(swept: Swept) -> String {
    let rows = rows(swept).map(|(name, count, about)| vec![name.into(), count.to_string(), about.into()]);
    output::table(&rows)
}

fn to_json(swept: Swept) -> String {
    let counts: serde_json::Map<String, serde_json::Value> =
        rows(swept).into_iter().map(|(name, count, _)| (name.to_owned(), json!(count))).collect();
    format!("{}\n", serde_json::Value::Object(counts))
}
