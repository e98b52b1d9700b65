//! `towline keys`: the access keys of the S3 door.

use serde_json::{Value, json};
use towline_core::policy::Operation;

use crate::cli::{self, KeyChange};
use crate::config::FolderFlags;
use crate::exit::{Complaint, Exit};
use crate::keys::{KeyFile, Keys, Pair};
use crate::output;

pub(super) fn run(asked: cli::Keys) -> Result<Exit, Complaint> {
    match asked.change {
        None => {
            let (_, keys) = open(asked.folder)?;
            show(&keys.keys, asked.secrets, asked.json)?;
        }
        Some(KeyChange::New { folder, name, prefix, mut operations, json }) => {
            if operations.is_empty() {
                operations = Operation::ALL.to_vec();
            }
            let (file, mut keys) = open(folder)?;
            let made = Pair::new(&name, operations, &prefix);
            keys.keys.push(made.clone());
            file.write(&keys)?;
            show(&[made], true, json)?;
        }
        Some(KeyChange::Revoke { folder, access_key }) => {
            let (file, mut keys) = open(folder)?;
            let before = keys.keys.len();
            keys.keys.retain(|key| key.access_key != access_key);
            if keys.keys.len() == before {
                return Err(Complaint::usage(format!("there is no access key {access_key:?}"))
                    .hint("`towline keys` shows them; a pair of the settings is taken away there"));
            }
            file.write(&keys)?;
            output::say("It is taken away. A running server knows within a second.\n");
        }
    }
    Ok(Exit::Done)
}

/// Also before the first start: then the first pair is made here. The folder is not: it may be misspelt.
fn open(folder: FolderFlags) -> Result<(KeyFile, Keys), Complaint> {
    let settings = folder.load()?.settings;
    if !settings.data.is_dir() {
        let complaint = anyhow::anyhow!("there is no data folder {}", settings.data.display());
        return Err(Complaint::from(complaint).hint("`towline serve` makes it; say which with --data DIR"));
    }
    let file = KeyFile::of(&settings.data);
    let keys = file.open(&settings)?;
    Ok((file, keys))
}

fn show(keys: &[Pair], with_secrets: bool, as_json: bool) -> Result<(), Complaint> {
    if as_json {
        let list: Vec<Value> = keys.iter().map(|key| to_json(key, with_secrets)).collect();
        return output::data(&format!("{:#}\n", Value::from(list))).map_err(Into::into);
    }
    let mut rows = vec![["ACCESS KEY", "SECRET KEY", "NAME", "MAY", "PREFIX"].map(str::to_owned).to_vec()];
    rows.extend(keys.iter().map(|key| {
        let secret = if with_secrets { key.secret_key.expose() } else { "(--secrets shows it)" };
        vec![
            key.access_key.clone(),
            secret.to_owned(),
            output::printable(&key.name),
            operations(key).join(","),
            output::printable(&key.prefix),
        ]
    }));
    output::data(&output::table(&rows)).map_err(Into::into)
}

fn operations(key: &Pair) -> Vec<&'static str> {
    key.operations.iter().map(|operation| operation.name()).collect()
}

fn to_json(key: &Pair, with_secrets: bool) -> Value {
    let mut shown = json!({
        "name": key.name,
        "access_key": key.access_key,
        "operations": operations(key),
        "prefix": key.prefix,
    });
    if with_secrets {
        shown["secret_key"] = key.secret_key.expose().into();
    }
    shown
}
