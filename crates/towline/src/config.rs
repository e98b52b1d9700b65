//! The settings: each is defined once, in the table below. Flags, environment, file, `towline config` and
//! `docs/configuration.md` all come from it. How texts become values is in `value`, who wins over whom in `load`.

mod flags;
mod load;
mod show;
mod token;
mod value;

use std::path::PathBuf;

use towline_core::policy::{Existing, Transfer};
use towline_doors::DoorKind;

use crate::exit::Complaint;

pub(crate) use flags::{ClientFlags, FolderFlags, ServerFlags, WHERE};
pub(crate) use load::surroundings;
pub(crate) use show::{to_json, to_markdown, to_toml};
pub(crate) use token::{Token, sha256};
pub(crate) use value::{
    Address, BaseUrl, Bucket, CacheControl, Count, LogFormat, LogLevel, Origins, Secret, Size, Span, Sse,
    StoreKind, Tags, Wait, Word,
};

use value::{Shown, Value};

/// The group of what only those commands read that talk to a server.
const CLIENT_GROUP: &str = "Client";

/// One setting, as the table defines it.
#[derive(Debug)]
pub(crate) struct Setting {
    /// In the file; flags and environment variables are made from it.
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    about: &'static str,
    /// As one would write it; empty means that there is nothing.
    default: &'static str,
    placeholder: &'static str,
    allowed: fn() -> String,
    read: fn(&mut Settings, &toml::Value) -> Result<(), String>,
    show: fn(&Settings) -> Shown,
}

impl Setting {
    fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    fn variable(&self) -> String {
        format!("{}{}", load::PREFIX, self.name.to_uppercase())
    }

    /// The lines of its doc comment as one text.
    fn about(&self) -> String {
        let lines: Vec<&str> = self.about.lines().map(str::trim).collect();
        lines.join(" ")
    }
}

macro_rules! settings {
    ($( $group:literal { $( $(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:literal; )+ } )+) => {
        /// What holds, whoever said it.
        #[derive(Clone, Debug)]
        pub(crate) struct Settings {
            $( $( $(#[doc = $doc])+ pub(crate) $name: $kind, )+ )+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $( $( $name: value::default($default), )+ )+ }
            }
        }

        pub(crate) const SETTINGS: &[Setting] = &[
            $( $( Setting {
                name: stringify!($name),
                group: $group,
                about: concat!($($doc, "\n"),+),
                default: $default,
                placeholder: <$kind as Value>::PLACEHOLDER,
                allowed: <$kind as Value>::allowed,
                read: |settings, raw| {
                    settings.$name = Value::read(raw)?;
                    Ok(())
                },
                show: |settings| Value::show(&settings.$name),
            }, )+ )+
        ];
    };
}

settings! {
    "Basics" {
        /// Where the server listens. Port 0 takes a free one. Anything but loopback needs a token or `allow_anonymous`.
        listen: Address = "127.0.0.1:8000";
        /// The folder of this server. Finished files appear in its `completed/`; unfinished ones and the catalog lie beside.
        data: PathBuf = "./towline-data";
        /// One token that every request must carry (`Authorization: Bearer …`); it may do everything. The flag is seen by
        /// everybody on the machine: prefer the environment, or `tokens`.
        token: Option<Secret> = "";
        /// Lets anybody do everything, also from other machines.
        allow_anonymous: bool = "false";
        /// How large parts are when a client has no wish.
        part_size: Size = "5MiB";
        /// Where finished files live: in the data folder, or in a bucket of S3 (or of a store that speaks S3).
        store: StoreKind = "disk";
        /// How logs are written.
        log_format: LogFormat = "text";
    }
    "Access" {
        /// Who may do what: tables with `name` (uploads belong to it), `sha256` (of the token, in hexadecimal), `operations`
        /// (all by default) and `prefix` (keys must start with it). `towline token new` makes one.
        tokens: Vec<Token> = "";
        /// Pages of these origins may use the server from a browser. `*` as port means any, a single `*` every origin.
        cors_origins: Origins = "http://localhost:*,http://127.0.0.1:*";
        /// Under which URL clients reach the server, where that differs from what they ask for.
        public_url: Option<BaseUrl> = "";
        /// `Cache-Control` of downloads. A cache in front that may keep them for others (`public`) asks nobody for a token.
        download_cache_control: CacheControl = "private, no-cache";
        /// Which protocols are spoken.
        doors: Vec<DoorKind> = "session,downloads,s3,presign,multipart,simple,signing_key,companion";
        /// How long signed URLs hold when nobody wishes otherwise.
        url_lifetime: Wait = "15m";
        /// With what this server signs its own URLs: the same for all nodes. Without it, a random one is kept in the data
        /// folder.
        signing_secret: Option<Secret> = "";
        /// Whether `X-Forwarded-Host` and `X-Forwarded-Proto` are believed: only behind a proxy that sets them.
        trust_forwarded: bool = "false";
    }
    "S3 store" {
        /// The bucket that files go to.
        s3_bucket: Option<Word> = "";
        /// The store's address; AWS's own of the region when there is none.
        s3_endpoint: Option<BaseUrl> = "";
        /// The bucket's region.
        s3_region: Word = "us-east-1";
        /// Whether the bucket is named in the path instead of the host. Without it: in the path where there is an endpoint.
        s3_path_style: Option<bool> = "";
        /// Which way bytes go: `direct` by signed URLs straight to the store, or `relayed` through this server.
        s3_transfer: Transfer = "direct";
        /// The access key. Without it, the chain that AWS's tools use: environment, profiles, web identity, SSO, ECS, EC2.
        s3_access_key: Option<Word> = "";
        /// The secret key that belongs to it.
        s3_secret_key: Option<Secret> = "";
        /// The session token, for temporary keys.
        s3_session_token: Option<Secret> = "";
        /// Stands before every key in the bucket, such as `uploads/`.
        s3_prefix: Option<Word> = "";
        /// The storage class of new objects.
        s3_storage_class: Option<Word> = "";
        /// How new objects are encrypted.
        s3_sse: Option<Sse> = "";
        /// The key of KMS that they are encrypted with.
        s3_sse_kms_key: Option<Word> = "";
        /// The canned ACL of new objects.
        s3_acl: Option<Word> = "";
        /// The tags of new objects.
        s3_tags: Tags = "";
        /// How many parts are sent to the store at once when they pass through here.
        s3_relay_slots: Count = "16";
        /// How much of parts that wait for the store is kept in memory, all together; the rest spills into a file.
        spill_memory: Size = "64MiB";
        /// Where that file is. Without it, the data folder.
        spill_dir: Option<PathBuf> = "";
        /// Whether the bucket (or its prefix) is this server's alone: only then are unfinished uploads cleared away that it
        /// does not know.
        s3_owns_bucket: bool = "false";
        /// The access key that the `signing_key` door hands out when bytes go straight to S3: of a user that may only create
        /// objects in this bucket. Without it that door is closed there.
        signing_key_access_key: Option<Word> = "";
        /// The secret key that belongs to it; what is handed out is derived from it and holds for seven days.
        signing_key_secret_key: Option<Secret> = "";
    }
    "S3 door" {
        /// The name under which the S3 door offers the files of this server.
        s3_door_bucket: Bucket = "towline";
        /// The region that clients of the S3 door sign for.
        s3_door_region: Word = "us-east-1";
        /// An access key of the S3 door that may do everything. Without it, a random pair is made and kept in the data
        /// folder: `towline keys` shows it.
        s3_door_access_key: Option<Word> = "";
        /// The secret key that belongs to it.
        s3_door_secret_key: Option<Secret> = "";
    }
    "Limits" {
        /// The largest file taken. Without it, what the store can hold.
        max_file_size: Option<Size> = "";
        /// How long the head of a request may take, and how long a connection may stay open without a request.
        header_timeout: Wait = "30s";
        /// How long a body may be silent, and how long a reply may wait for its reader.
        body_idle_timeout: Wait = "1m";
        /// The slowest body taken, in bytes per second on average.
        min_body_rate: Size = "1KiB";
        /// How many bodies may be under way at once; more wait for a short while and are then asked to come again.
        max_bodies: Count = "1024";
        /// How many connections may be open at once; more wait.
        max_connections: Count = "4096";
        /// What happens when a finished upload names a file that is already there.
        existing: Existing = "replace";
        /// The least that every part but the last has where clients cut as they like (S3's rule).
        min_part_size: Size = "5MiB";
    }
    "Keeping" {
        /// How long an unfinished upload is kept after its last sign of life.
        keep_unfinished: Span = "7d";
        /// How long a cancelled or expired upload stays listed.
        keep_ended: Span = "1d";
        /// How often the server looks for what has to be given up or cleared away.
        sweep_every: Span = "10m";
    }
    "Running" {
        /// Whether a part is acknowledged only once it would survive a power loss. `false` is faster and may lose
        /// acknowledged parts when the machine (not just the server) goes down.
        disk_sync: bool = "true";
        /// What is logged: a level, or a list of levels by module.
        log_level: LogLevel = "info";
        /// How long a stop waits for what is under way.
        stop_wait: Span = "30s";
        /// How many threads serve connections. Without it, one for each core and at least two.
        workers: Option<Count> = "";
    }
    "Client" {
        /// The server that `put`, `get` and their kin talk to when they are not told another one. They send `token` to it.
        server: Option<BaseUrl> = "";
    }
}

impl Settings {
    /// What no single setting can know.
    pub(crate) fn check_exposure(&self) -> Result<(), Complaint> {
        if self.listen.is_loopback() || self.allow_anonymous || self.needs_token() {
            return Ok(());
        }
        Err(Complaint::usage(format!(
            "{} can be reached from other machines, and no token is asked for",
            self.listen
        ))
        .hint(
            "make a token with `towline token new`, or say --allow-anonymous if anybody may upload and download",
        ))
    }

    /// What must be said together.
    pub(crate) fn check_pairs(&self) -> Result<(), Complaint> {
        let pairs = [
            ("s3_access_key", self.s3_access_key.is_some(), "s3_secret_key", self.s3_secret_key.is_some()),
            (
                "s3_door_access_key",
                self.s3_door_access_key.is_some(),
                "s3_door_secret_key",
                self.s3_door_secret_key.is_some(),
            ),
            (
                "signing_key_access_key",
                self.signing_key_access_key.is_some(),
                "signing_key_secret_key",
                self.signing_key_secret_key.is_some(),
            ),
        ];
        for (one, has_one, other, has_other) in pairs {
            if has_one != has_other {
                let (said, missing) = if has_one { (one, other) } else { (other, one) };
                return Err(Complaint::usage(format!("{said} is set, and {missing} is not")).hint(format!(
                    "give both, or neither: {}{}",
                    load::PREFIX,
                    missing.to_uppercase()
                )));
            }
        }
        if self.store == StoreKind::S3 && self.s3_bucket.is_none() {
            return Err(Complaint::usage("the store is s3, and there is no bucket")
                .hint("say which with --s3-bucket NAME or TOWLINE_S3_BUCKET"));
        }
        Ok(())
    }

    /// Whether requests need a token.
    pub(crate) fn needs_token(&self) -> bool {
        self.token.is_some() || !self.tokens.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_setting_has_one_name_a_text_and_a_default_that_is_read_back() {
        let mut names = HashSet::new();
        let mut settings = Settings::default();
        for setting in SETTINGS {
            assert!(names.insert(setting.name), "{} is there twice", setting.name);
            assert!(setting.about().ends_with('.'), "{}", setting.name);
            if let Shown::Is(shown) = (setting.show)(&settings) {
                (setting.read)(&mut settings, &shown).unwrap();
                assert_eq!((setting.show)(&settings), Shown::Is(shown), "{}", setting.name);
            }
        }
    }

    #[test]
    fn only_loopback_is_open_by_default() {
        let mut settings = Settings::default();
        assert!(settings.check_exposure().is_ok());
        for open in ["0.0.0.0:8000", "[::]:8000", "192.168.1.2:80"] {
            settings.listen = value::default(open);
            let complaint = settings.check_exposure().unwrap_err();
            assert!(complaint.to_text().contains("--allow-anonymous"), "{open}");
        }
        settings.token = value::default("secret");
        assert!(settings.check_exposure().is_ok());
        settings.token = None;
        settings.allow_anonymous = true;
        assert!(settings.check_exposure().is_ok());
    }
}
