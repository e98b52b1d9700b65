//! Garage, the first of the two S3 servers: a single node with one bucket and without CORS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use super::daemon::{Daemon, answers, free_ports};
use super::{BUCKET, Place};
use crate::home::Home;
use crate::process::{run_aside, stdout_of};
use crate::say;

pub(super) const VERSION: &str = "2.5.0";
const ACCESS_KEY: &str = "GK746f776c696e652d74657374";
const SECRET_KEY: &str = "746f776c696e652d746573746265643a206e6f7468696e672069732073656372";
const REGION: &str = "garage";

/// Where the program belongs, and whether it is there.
pub(super) fn find(home: &Home) -> (PathBuf, bool) {
    let program = home.cache.join("tools/bin/garage");
    let is_ours = stdout_of(Command::new(&program).arg("--version")).is_ok_and(|text| text.contains(VERSION));
    (program, is_ours)
}

/// Builds it from the crate: there is no Debian package. Optimised a little, which is fast enough for tests and
/// built in half the time.
pub(super) fn install(home: &Home) -> anyhow::Result<PathBuf> {
    let (program, is_ours) = find(home);
    if is_ours {
        return Ok(program);
    }
    say::note(format_args!("building Garage {VERSION}: about ten minutes on two cores, this once"));
    let build = home.cache.join("garage-build");
    let mut install = home.cargo(["install", "garage", "--locked", "--version", VERSION, "--force"]);
    install.arg("--root").arg(home.cache.join("tools")).arg("--target-dir").arg(&build);
    run_aside(install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"))
        .context("Garage could not be built: it needs a C compiler and pkg-config")?;
    fs::remove_dir_all(&build).with_context(|| format!("removing {}", build.display()))?;
    Ok(program)
}

/// A running node. The order matters: first the server goes, then its folder.
#[derive(Debug)]
pub(super) struct Garage {
    _node: Daemon,
    _folder: TempDir,
    pub(super) place: Place,
}

impl Garage {
    pub(super) fn start(program: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("towline-garage-").context("making a folder for Garage")?;
        let [s3, rpc, admin] = free_ports()?;
        let config = folder.path().join("garage.toml");
        fs::write(&config, settings(folder.path(), [s3, rpc, admin])).context("writing Garage's settings")?;
        let garage = |arguments: &[&str]| {
            let mut command = Command::new(program);
            command.arg("-c").arg(&config).args(arguments).env("RUST_LOG", "garage=warn");
            command
        };
        let mut server = garage(&["server", "--single-node", "--default-bucket"]);
        server
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET);
        let mut node = Daemon::start(&mut server, &folder.path().join("log"))?;
        node.wait_until(|| answers(s3) && answers(rpc))?;
        // The key is made after the ports are open. An owner may also set the bucket's CORS and lifecycle.
        let allow = ["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", ACCESS_KEY];
        node.wait_until(|| stdout_of(&mut garage(&allow)).is_ok())?;
        let place = Place {
            endpoint: format!("http://127.0.0.1:{s3}"),
            region: REGION,
            access_key: ACCESS_KEY,
            secret_key: SECRET_KEY,
        };
        Ok(Self { _node: node, _folder: folder, place })
    }
}

fn settings(folder: &Path, [s3, rpc, admin]: [u16; 3]) -> String {
    let folder = folder.display();
    format!(
        r#"metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "lmdb"
replication_factor = 1
compression_level = "none"
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{SECRET_KEY}"

[s3_api]
s3_region = "{REGION}"
api_bind_addr = "127.0.0.1:{s3}"

[admin]
api_bind_addr = "127.0.0.1:{admin}"
"#
    )
}
