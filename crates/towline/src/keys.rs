//! The access keys of the S3 door and the secret that signs this server's own URLs: a file in the data folder that only
//! its owner may read. A running server follows what `towline keys` writes there.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;
use towline_core::digest::hex;
use towline_core::policy::{Operation, Principal};
use towline_doors::{AccessKey, Keyring};
use towline_sigv4::Secret;

use crate::clock::random;
use crate::config::Settings;

const FILE: &str = "keys.toml";
const HEAD: &str =
    "# The secrets of this server. `towline keys` shows and changes the access keys of its S3 door.\n\n";
/// How soon a running server knows of a change.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// A file of more than this is not ours.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// An access key with its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Files that are uploaded with it belong to this name.
    pub(crate) name: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: Secret,
    pub(crate) operations: Vec<Operation>,
    pub(crate) prefix: String,
}

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    signing_secret: Secret,
    pub(crate) keys: Vec<Pair>,
}

/// Where the keys of a data folder are.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile(PathBuf);

impl Pair {
    /// A random pair.
    pub(crate) fn new(name: &str, operations: Vec<Operation>, prefix: &str) -> Self {
        Self {
            name: name.to_owned(),
            access_key: format!("TLK{}", hex(&random::<9>()).to_uppercase()),
            secret_key: Secret::new(hex(&random::<20>())),
            operations,
            prefix: prefix.to_owned(),
        }
    }

    fn to_toml(&self) -> toml::Table {
        let mut table = toml::Table::new();
        table.insert("name".into(), self.name.clone().into());
        table.insert("access_key".into(), self.access_key.clone().into());
        table.insert("secret_key".into(), self.secret_key.expose().into());
        let operations: Vec<&str> = self.operations.iter().map(|operation| operation.name()).collect();
        table.insert("operations".into(), operations.into());
        table.insert("prefix".into(), self.prefix.clone().into());
        table
    }

    fn from_toml(table: &toml::Table) -> Option<Self> {
        let text = |field: &str| table.get(field)?.as_str().map(str::to_owned);
        let operations = table.get("operations")?.as_array()?;
        Some(Self {
            name: text("name")?,
            access_key: text("access_key")?,
            secret_key: Secret::new(text("secret_key")?),
            operations: operations
                .iter()
                .map(|one| Operation::from_name(one.as_str()?))
                .collect::<Option<_>>()?,
            prefix: text("prefix")?,
        })
    }

    fn to_access_key(&self) -> AccessKey {
        AccessKey {
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            principal: Principal {
                owner: self.name.clone(),
                operations: self.operations.clone(),
                key_prefix: self.prefix.clone(),
            },
        }
    }
}

impl Keys {
    /// A secret of its own and one pair that may do everything.
    fn new() -> Self {
        let first = Pair::new("default", Operation::ALL.to_vec(), "");
        Self { signing_secret: Secret::new(hex(&random::<32>())), keys: vec![first] }
    }

    fn to_toml(&self) -> String {
        let mut table = toml::Table::new();
        table.insert("signing_secret".into(), self.signing_secret.expose().into());
        let keys: Vec<toml::Table> = self.keys.iter().map(Pair::to_toml).collect();
        table.insert("keys".into(), keys.into());
        format!("{HEAD}{table}")
    }

    fn from_toml(text: &str) -> Option<Self> {
        let table: toml::Table = text.parse().ok()?;
        let keys = table.get("keys").map_or(Some(&[][..]), |keys| keys.as_array().map(Vec::as_slice))?;
        Some(Self {
            signing_secret: Secret::new(table.get("signing_secret")?.as_str()?),
            keys: keys.iter().map(|key| Pair::from_toml(key.as_table()?)).collect::<Option<_>>()?,
        })
    }

    /// Those that hold: of the file, and the pair of the settings.
    fn access_keys(&self, settings: &Settings) -> Vec<AccessKey> {
        let mut keys: Vec<AccessKey> = self.keys.iter().map(Pair::to_access_key).collect();
        if let (Some(access_key), Some(secret_key)) =
            (&settings.s3_door_access_key, &settings.s3_door_secret_key)
        {
            keys.push(AccessKey {
                access_key: access_key.0.clone(),
                secret_key: Secret::new(secret_key.expose()),
                principal: Principal { owner: "default".to_owned(), ..Principal::anonymous() },
            });
        }
        keys
    }
}

impl KeyFile {
    pub(crate) fn of(data: &Path) -> Self {
        Self(data.join(FILE))
    }

    /// The keys, made when there are none yet. Where the settings bring a pair, none is made beside it.
    pub(crate) fn open(&self, settings: &Settings) -> anyhow::Result<Keys> {
        if let Some(keys) = self.read()? {
            return Ok(keys);
        }
        let mut keys = Keys::new();
        if settings.s3_door_access_key.is_some() {
            keys.keys.clear();
        }
        self.write(&keys)?;
        Ok(keys)
    }

    pub(crate) fn keyring(&self, settings: &Settings) -> anyhow::Result<Keyring> {
        if let Some(reserved) =
            settings.s3_door_access_key.as_ref().filter(|key| Keyring::is_reserved(&key.0))
        {
            bail!("the access key {:?} is kept for keys that the server makes: choose another", reserved.0);
        }
        let keys = self.open(settings)?;
        let signing = settings.signing_secret.as_ref();
        let signing = signing.map_or(keys.signing_secret.clone(), |secret| Secret::new(secret.expose()));
        Ok(Keyring::new(signing, keys.access_keys(settings)))
    }

    /// Puts what the file holds into the keyring whenever it changes.
    pub(crate) async fn follow(&self, settings: &Settings, keyring: &Keyring, stop: CancellationToken) {
        let modified_at = || fs::metadata(&self.0).and_then(|found| found.modified()).ok();
        let mut seen = modified_at();
        let mut ticks = tokio::time::interval(FOLLOW_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = modified_at();
            if now == seen {
                continue;
            }
            seen = now;
            match self.read() {
                Ok(Some(keys)) => {
                    tracing::info!(keys = keys.keys.len(), "access keys changed");
                    keyring.replace(keys.access_keys(settings));
                }
                Ok(None) => tracing::warn!("the file of access keys is gone: the known ones stay"),
                Err(error) => tracing::warn!(error = format!("{error:#}"), "the known access keys stay"),
            }
        }
    }

    pub(crate) fn read(&self) -> anyhow::Result<Option<Keys>> {
        let path = self.0.display();
        let size = match fs::metadata(&self.0) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        };
        if size > FILE_BYTES_MAX {
            bail!("{path} is larger than such a file can be");
        }
        let text = fs::read_to_string(&self.0).with_context(|| format!("cannot read {path}"))?;
        Keys::from_toml(&text).with_context(|| format!("{path} is not as `towline keys` writes it")).map(Some)
    }

    /// In one step, and readable by nobody else at any time.
    #[expect(
        clippy::disallowed_methods,
        reason = "a file of secrets is replaced whole, and no upload is published"
    )]
    pub(crate) fn write(&self, keys: &Keys) -> anyhow::Result<()> {
        let fresh = self.0.with_extension("toml.new");
        let written = || -> std::io::Result<()> {
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(keys.to_toml().as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &self.0)
        };
        written().with_context(|| format!("cannot write {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_kept_for_their_owner_only_and_read_back() {
        let data = tempfile::tempdir().unwrap();
        let file = KeyFile::of(data.path());
        let made = file.open(&Settings::default()).unwrap();
        assert_eq!(file.open(&Settings::default()).unwrap(), made, "once");
        let mode = fs::metadata(data.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut more = made.clone();
        more.keys.push(Pair::new("cam", vec![Operation::Upload], "cam/"));
        file.write(&more).unwrap();
        assert_eq!(file.read().unwrap(), Some(more));
    }

    #[test]
    fn a_pair_of_the_settings_is_the_only_one() {
        let data = tempfile::tempdir().unwrap();
        let settings = Settings {
            s3_door_access_key: Some(crate::config::Word("AK".to_owned())),
            ..Settings::default()
        };
        assert!(KeyFile::of(data.path()).open(&settings).unwrap().keys.is_empty());
    }

    #[test]
    fn a_file_that_nobody_of_ours_wrote_is_refused() {
        let data = tempfile::tempdir().unwrap();
        for text in ["", "keys = 7", "signing_secret = \"x\"\n[[keys]]\nname = \"a\""] {
            fs::write(data.path().join(FILE), text).unwrap();
            assert!(KeyFile::of(data.path()).read().is_err(), "{text:?}");
        }
    }
}
