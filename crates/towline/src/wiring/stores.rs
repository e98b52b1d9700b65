//! The store that the settings ask for, and the data folder that lies beside it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use towline_backends::disk::{DataFolder, DiskSettings, DiskStore};
use towline_backends::s3::{Encryption, S3Credentials, S3Settings, S3Store};
use towline_core::policy::{Existing, Transfer};
use towline_core::store::Store;
use towline_sigv4::{Credentials, Secret};

use crate::clock::SystemClock;
use crate::config::{Settings, Sse, StoreKind, surroundings};

/// Says whose uploads the catalog of a data folder knows.
const STORE_FILE: &str = "store";

/// What holds the data folder.
#[derive(Debug)]
pub(super) enum Stores {
    Disk(DiskStore),
    S3(DataFolder),
}

impl Stores {
    pub(super) async fn open(settings: &Settings) -> anyhow::Result<(Self, Arc<dyn Store>)> {
        match settings.store {
            StoreKind::Disk => {
                let asked = DiskSettings { data: settings.data.clone(), sync: settings.disk_sync };
                let store = DiskStore::open(&asked).context("cannot open the data folder")?;
                if is_new(store.data(), "disk")? {
                    remember(store.data(), "disk")?;
                }
                Ok((Self::Disk(store.clone()), Arc::new(store)))
            }
            StoreKind::S3 => {
                let folder = DataFolder::take(&settings.data).context("cannot open the data folder")?;
                let asked = s3(settings, folder.path())?;
                let name = name_of(&asked);
                let is_new = is_new(folder.path(), &name)?;
                let store = Box::pin(S3Store::open(asked, Arc::new(SystemClock))).await;
                let store = store.context("cannot use the bucket (`towline doctor` looks closer)")?;
                // Not before it was reached: a bucket that was misspelt is not remembered.
                if is_new {
                    remember(folder.path(), &name)?;
                }
                Ok((Self::S3(folder), Arc::new(store)))
            }
        }
    }

    /// The data folder as an absolute path.
    pub(super) fn data(&self) -> &Path {
        match self {
            Self::Disk(store) => store.data(),
            Self::S3(folder) => folder.path(),
        }
    }

    /// What the start-up line says.
    pub(super) fn describe(&self, settings: &Settings) -> String {
        match self {
            Self::Disk(_) if settings.disk_sync => "disk, durable".to_owned(),
            Self::Disk(_) => "disk, not durable".to_owned(),
            Self::S3(_) => {
                let bucket = settings.s3_bucket.as_ref().map_or("", |bucket| &bucket.0);
                let way = match settings.s3_transfer {
                    Transfer::Direct => "direct",
                    Transfer::Relayed => "relayed",
                };
                format!("s3 bucket {bucket}, {way}")
            }
        }
    }
}

/// What a bucket is called, whatever it is reached by.
fn name_of(asked: &S3Settings) -> String {
    format!("s3 {}/{}", asked.bucket, asked.prefix)
}

/// Whether the data folder is nobody's yet. A catalog knows its uploads by where they lie: with another store it would
/// look for them in vain.
fn is_new(data: &Path, name: &str) -> anyhow::Result<bool> {
    let path = data.join(STORE_FILE);
    match fs::read_to_string(&path) {
        Ok(known) if known.trim() == name => Ok(false),
        // A crash may have left it empty.
        Ok(known) if known.trim().is_empty() => Ok(true),
        Ok(known) => bail!(
            "the data folder {} belongs to the store \"{}\", not to \"{name}\": give this one a folder of its own",
            data.display(),
            known.trim()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn remember(data: &Path, name: &str) -> anyhow::Result<()> {
    let path = data.join(STORE_FILE);
    fs::write(&path, format!("{name}\n")).with_context(|| format!("cannot write {}", path.display()))
}

/// The settings of the bucket.
pub(crate) fn s3(settings: &Settings, data: &Path) -> anyhow::Result<S3Settings> {
    let bucket = settings.s3_bucket.as_ref().context("there is no bucket")?;
    let text = |word: &Option<crate::config::Word>| word.as_ref().map(|word| word.0.clone());
    let credentials = match (&settings.s3_access_key, &settings.s3_secret_key) {
        (Some(access_key), Some(secret_key)) => S3Credentials::Fixed(Credentials {
            access_key: access_key.0.clone(),
            secret_key: Secret::new(secret_key.expose()),
            session_token: settings.s3_session_token.as_ref().map(|token| Secret::new(token.expose())),
        }),
        _ => S3Credentials::Chain(surroundings()),
    };
    let kms_key = text(&settings.s3_sse_kms_key);
    Ok(S3Settings {
        endpoint: settings.s3_endpoint.as_ref().map(|url| url.0.clone()),
        path_style: settings.s3_path_style.unwrap_or(settings.s3_endpoint.is_some()),
        credentials,
        prefix: text(&settings.s3_prefix).unwrap_or_default(),
        storage_class: text(&settings.s3_storage_class),
        encryption: settings.s3_sse.map(|how| match how {
            Sse::Aes256 => Encryption::Aes256,
            Sse::Kms => Encryption::Kms { key_id: kms_key },
        }),
        acl: text(&settings.s3_acl),
        tags: settings.s3_tags.0.clone(),
        relay_slots: settings.s3_relay_slots.0,
        spill_folder: settings.spill_dir.clone().unwrap_or_else(|| data.to_owned()),
        spill_memory_bytes: settings.spill_memory.0,
        refuses_existing: settings.existing == Existing::Refuse,
        owns_bucket: settings.s3_owns_bucket,
        is_relayed: settings.s3_transfer == Transfer::Relayed,
        ..S3Settings::new(&bucket.0, &settings.s3_region.0)
    })
}
