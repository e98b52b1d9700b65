//! Puts the house together: settings become a store, a catalog, an engine and a router.

mod stores;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use towline_backends::sqlite::{SqliteCatalog, SqliteSettings};
use towline_core::engine::Parts;
use towline_core::policy::{Operation, Policy, Principal};
use towline_core::{Engine, Refusal};
use towline_doors::{Authenticator, DoorSettings, Keyring, Refused, S3DoorSettings, Token};
use towline_sigv4::{Credentials, Secret};

use crate::clock::{RandomIds, SystemClock};
use crate::config::{Settings, sha256};
use crate::keys::KeyFile;
use crate::output::printable;
use crate::telemetry::{Meter, observe, to_prometheus};

use stores::Stores;

pub(crate) use stores::s3 as s3_settings;

/// Where a data folder keeps its catalog.
pub(crate) fn catalog_path(data: &Path) -> PathBuf {
    data.join("catalog.sqlite")
}

/// An engine over the store and catalog of the settings. The data folder is its own.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) engine: Engine,
    catalog: Arc<SqliteCatalog>,
    stores: Stores,
    keyring: Arc<Keyring>,
}

impl House {
    /// Opens the data folder, makes it if need be, and brings its catalog up to date.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let (stores, store) = Box::pin(Stores::open(settings)).await?;
        let catalog = SqliteCatalog::open(SqliteSettings::at(catalog_path(stores.data())));
        let catalog = Arc::new(catalog.context("cannot open the catalog")?);
        let keyring = KeyFile::of(stores.data()).keyring(settings)?;
        let engine = Engine::new(Parts {
            store,
            catalog: Arc::<SqliteCatalog>::clone(&catalog),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            policy: policy(settings),
        });
        Ok(Self { engine, catalog, stores, keyring: Arc::new(keyring) })
    }

    /// What the start-up line says.
    pub(crate) fn describe(&self, settings: &Settings, address: SocketAddr) -> String {
        let access = if settings.needs_token() { "with tokens" } else { "anonymous" };
        format!(
            "towline {} serves http://{address} (data {}, sqlite + {}, {access})",
            env!("CARGO_PKG_VERSION"),
            printable(&self.stores.data().to_string_lossy()),
            self.stores.describe(settings),
        )
    }

    /// All doors, and the metrics.
    pub(crate) fn router(&self, settings: &Settings, meter: &Arc<Meter>) -> Router {
        let authenticator = authenticator(settings);
        let doors = DoorSettings {
            doors: settings.doors.clone(),
            authenticator: authenticator.clone(),
            cors_origins: settings.cors_origins.patterns.clone(),
            download_cache: settings.download_cache_control.0.clone(),
            public_url: settings.public_url.as_ref().map(|url| url.0.clone()),
            trusts_forwarded: settings.trust_forwarded,
            s3: S3DoorSettings {
                bucket: settings.s3_door_bucket.0.clone(),
                region: settings.s3_door_region.0.clone(),
                keyring: Arc::clone(&self.keyring),
                url_lifetime: settings.url_lifetime.0,
            },
            restricted_key: restricted_key(settings),
            ..DoorSettings::default()
        };
        let metrics = Metrics { engine: self.engine.clone(), meter: Arc::clone(meter), authenticator };
        let own = Router::new().route("/metrics", get(show_metrics)).with_state(metrics);
        towline_doors::router(self.engine.clone(), doors, own)
            .layer(from_fn_with_state(Arc::clone(meter), observe))
    }

    /// Keeps the access keys as the data folder's file has them, until the stop.
    pub(crate) async fn follow_keys(&self, settings: &Settings, stop: CancellationToken) {
        KeyFile::of(self.stores.data()).follow(settings, &self.keyring, stop).await;
    }

    /// Ends what outlives requests. Nothing that was answered depends on it.
    pub(crate) async fn close(&self) {
        self.engine.drain().await;
        self.catalog.close().await;
    }
}

fn policy(settings: &Settings) -> Policy {
    Policy {
        part_bytes_default: settings.part_size.0,
        total_bytes_max: settings.max_file_size.map(|size| size.0),
        keep_unfinished: settings.keep_unfinished.0,
        keep_ended: settings.keep_ended.0,
        frame_wait: settings.body_idle_timeout.0,
        body_bytes_per_s_min: settings.min_body_rate.0,
        bodies_max: settings.max_bodies.0,
        existing: settings.existing,
        transfer: settings.s3_transfer,
        free_part_bytes_min: settings.min_part_size.0,
        ..Policy::default()
    }
}

/// What the `signing_key` door may hand out where clients reach the store themselves.
fn restricted_key(settings: &Settings) -> Option<Credentials> {
    let (access_key, secret_key) =
        settings.signing_key_access_key.as_ref().zip(settings.signing_key_secret_key.as_ref())?;
    let secret_key = Secret::new(secret_key.expose());
    Some(Credentials { access_key: access_key.0.clone(), secret_key, session_token: None })
}

fn authenticator(settings: &Settings) -> Authenticator {
    if !settings.needs_token() {
        return Authenticator::Anonymous;
    }
    let single = settings.token.iter().map(|secret| Token {
        sha256: sha256(secret.expose()),
        principal: Principal { owner: "default".to_owned(), ..Principal::anonymous() },
    });
    let listed = settings.tokens.iter().map(|token| Token {
        sha256: token.sha256,
        principal: Principal {
            owner: token.name.clone(),
            operations: token.operations.clone(),
            key_prefix: token.prefix.clone(),
        },
    });
    Authenticator::Tokens(single.chain(listed).collect())
}

#[derive(Clone)]
struct Metrics {
    engine: Engine,
    meter: Arc<Meter>,
    authenticator: Authenticator,
}

/// Metrics tell of everybody's uploads: where there are tokens, one that may manage is needed.
async fn show_metrics(State(metrics): State<Metrics>, headers: HeaderMap) -> Result<Response, Refused> {
    let who = metrics.authenticator.authenticate(&headers)?;
    if !who.may(Operation::Manage) {
        return Err(Refusal::Forbidden(Operation::Manage).into());
    }
    let text = to_prometheus(&metrics.meter, metrics.engine.tally());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
