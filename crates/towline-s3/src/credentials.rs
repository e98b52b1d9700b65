//! Who signs: keys from the settings, or AWS's chain of credentials, renewed before they run out.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use reqsign_aws_core::{Credential, DefaultCredentialProvider};
use reqsign_core::{
    CommandExecute, CommandOutput, Context, Error, FileRead, HttpSend, ProvideCredential, StaticEnv,
};
use tokio::sync::Mutex;
use tokio::time::timeout;
use towline_core::clock::Timestamp;
use towline_core::error::{Fault, FaultKind};
use towline_sigv4::{Credentials, Secret, Signer};

use crate::client::ask;
use crate::settings::BucketSettings;
use crate::wire::{Certificates, Line, Wire, connect};

/// Lent credentials are renewed when they hold for less than this: longer than any request takes.
const RENEW: Duration = Duration::from_mins(5);
/// How long one look at one source may take. Where there is no instance that answers, nobody does.
const SOURCE_WAIT: Duration = Duration::from_secs(3);

/// Where credentials come from.
#[derive(Clone, Debug)]
pub enum S3Credentials {
    Fixed(Credentials),
    /// AWS's own order: environment, profile, SSO, web identity, process, container, instance.
    Chain(Surroundings),
}

/// What the chain may look at. Handed in, since this crate does not read the environment.
#[derive(Clone, Default)]
pub struct Surroundings {
    pub variables: HashMap<String, String>,
    pub home: Option<PathBuf>,
}

impl fmt::Debug for Surroundings {
    /// Without values: secrets are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("home", &self.home).finish_non_exhaustive()
    }
}

/// Keeps the credentials of this moment.
pub(crate) struct Purse {
    region: String,
    source: Source,
    current: Mutex<Option<Current>>,
}

enum Source {
    Fixed(Arc<Signer>),
    Chain(Box<(DefaultCredentialProvider, Context)>),
}

struct Current {
    signer: Arc<Signer>,
    expires_at: Option<Timestamp>,
}

impl Current {
    fn holds(&self, until: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > until)
    }
}

impl Purse {
    pub(crate) fn new(settings: &BucketSettings) -> Self {
        let region = settings.region.clone();
        let source = match &settings.credentials {
            S3Credentials::Fixed(credentials) => {
                Source::Fixed(Arc::new(Signer::new(credentials.clone(), region.clone())))
            }
            S3Credentials::Chain(Surroundings { variables, home }) => {
                let context = Context::new()
                    .with_env(StaticEnv { home_dir: home.clone(), envs: variables.clone() })
                    .with_file_read(Files)
                    .with_command_execute(Commands)
                    .with_http_send(Sender::default());
                Source::Chain(Box::new((DefaultCredentialProvider::new(), context)))
            }
        };
        Self { region, source, current: Mutex::new(None) }
    }

    pub(crate) async fn signer(&self, now: Timestamp) -> Result<Arc<Signer>, Fault> {
        let (provider, context) = match &self.source {
            Source::Fixed(signer) => return Ok(Arc::clone(signer)),
            Source::Chain(chain) => (&chain.0, &chain.1),
        };
        // Held while they are fetched: one asks, the others wait for the answer.
        let mut current = self.current.lock().await;
        if let Some(current) = current.as_ref().filter(|current| current.holds(now + RENEW)) {
            return Ok(Arc::clone(&current.signer));
        }
        let problem: Box<dyn std::error::Error + Send + Sync> =
            match Box::pin(provider.provide_credential(context)).await {
                Ok(Some(credential)) => {
                    let fresh = self.current(credential);
                    let signer = Arc::clone(&fresh.signer);
                    *current = Some(fresh);
                    return Ok(signer);
                }
                Ok(None) => "no source of AWS's chain has any: set an access key, or a role".into(),
                Err(error) => error.into(),
            };
        match current.as_ref().filter(|current| current.holds(now)) {
            Some(current) => Ok(Arc::clone(&current.signer)),
            None => Err(Fault::new(FaultKind::Unavailable, "fetching credentials for S3", problem)),
        }
    }

    /// Those of this moment were refused.
    pub(crate) async fn forget(&self) {
        *self.current.lock().await = None;
    }

    fn current(&self, credential: Credential) -> Current {
        let credentials = Credentials {
            access_key: credential.access_key_id,
            secret_key: Secret::new(credential.secret_access_key),
            session_token: credential.session_token.filter(|token| !token.is_empty()).map(Secret::new),
        };
        Current {
            signer: Arc::new(Signer::new(credentials, self.region.clone())),
            expires_at: credential
                .expires_in
                .map(|at| Timestamp::from_millis(at.as_second().saturating_mul(1000))),
        }
    }
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        let path = path.to_owned();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        let failed = || Error::unexpected("reading a file of credentials");
        read.map_err(|error| failed().with_source(error))?.map_err(|error| failed().with_source(error))
    }
}

#[derive(Debug)]
struct Commands;

impl CommandExecute for Commands {
    async fn command_execute<'a>(
        &'a self,
        program: &'a str,
        args: &'a [&'a str],
    ) -> reqsign_core::Result<CommandOutput> {
        const PROCESS_WAIT: Duration = Duration::from_mins(1);
        let failed = || Error::unexpected("running the command that prints credentials");
        let run = tokio::process::Command::new(program).args(args).kill_on_drop(true).output();
        let output = timeout(PROCESS_WAIT, run).await.map_err(|error| failed().with_source(error))?;
        let output = output.map_err(|error| failed().with_source(error))?;
        Ok(CommandOutput {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }
}

/// Most credentials are at hand: connections for the others are made when somebody asks.
#[derive(Default)]
struct Sender(OnceLock<Wire>);

impl Sender {
    fn wire(&self) -> Result<&Wire, Fault> {
        if let Some(wire) = self.0.get() {
            return Ok(wire);
        }
        let line = Line { connect: SOURCE_WAIT, idle_max: 1, certificates: Certificates::Found };
        let wire = connect(line)?;
        Ok(self.0.get_or_init(|| wire))
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl HttpSend for Sender {
    async fn http_send(&self, request: http::Request<Bytes>) -> reqsign_core::Result<http::Response<Bytes>> {
        let failed = || Error::unexpected("asking a server for credentials").set_retryable(true);
        let wire = self.wire().map_err(|error| failed().with_source(error))?;
        let asked = timeout(SOURCE_WAIT, Box::pin(ask(wire, request))).await;
        asked.map_err(|error| failed().with_source(error))?.map_err(|error| failed().with_context(error))
    }
}
