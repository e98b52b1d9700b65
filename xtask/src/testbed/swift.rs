//! `OpenStack` Swift with its S3 face, the second of the two S3 servers: four Python processes and one device.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use super::daemon::{Daemon, answers, free_ports};
use super::{BUCKET, Place};
use crate::process::stdout_of;

/// Where a copy of the runner is taken from: the keeper may outlive the work tree's present state.
const RUNNER: &str = include_str!("../../testbed/swift_server.py");
const SECRET_KEY: &str = "towlinesecret";
const REGION: &str = "us-east-1";

/// The servers that keep things; the proxy in front of them speaks S3.
const KEEPERS: [&str; 3] = ["account", "container", "object"];

/// Running servers. The order matters: first the servers go, then their folder.
#[derive(Debug)]
pub(super) struct Swift {
    _servers: Vec<Daemon>,
    _folder: TempDir,
    pub(super) place: Place,
}

impl Swift {
    pub(super) fn start(python: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("towline-swift-").context("making a folder for Swift")?;
        let script = folder.path().join("swift_server.py");
        fs::write(&script, RUNNER).context("writing Swift's runner")?;
        let swift = Runner { python: python.to_owned(), script, folder: folder.path().to_owned() };
        let [proxy, account, container, object] = free_ports()?;
        let ports = [account, container, object];
        swift.write_settings(proxy, ports)?;
        stdout_of(swift.command("rings").args(ports.map(|port| port.to_string())))?;

        let mut servers = Vec::new();
        for kind in ["account", "container", "object", "proxy"] {
            let log = folder.path().join(format!("{kind}.log"));
            servers.push(Daemon::start(&mut swift.command(kind), &log)?);
        }
        for (server, port) in servers.iter_mut().zip([account, container, object, proxy]) {
            server.wait_until(|| answers(port))?;
        }
        stdout_of(swift.command("bucket").arg(BUCKET)).context("making Swift's bucket")?;
        let place = Place {
            endpoint: format!("http://127.0.0.1:{proxy}"),
            region: REGION,
            access_key: "towline:admin",
            secret_key: SECRET_KEY,
        };
        Ok(Self { _servers: servers, _folder: folder, place })
    }
}

#[derive(Debug)]
struct Runner {
    python: PathBuf,
    script: PathBuf,
    folder: PathBuf,
}

impl Runner {
    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).arg(what).arg(&self.folder).current_dir(&self.folder);
        command
    }

    fn write_settings(&self, proxy: u16, ports: [u16; 3]) -> anyhow::Result<()> {
        let user = stdout_of(Command::new("id").arg("-un"))?;
        let folder = self.folder.display();
        let common = |port: u16| {
            format!(
                "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = {}\nswift_dir = {folder}\n\
                 log_level = WARNING\ndevices = {folder}/devices\nmount_check = false\n\
                 disable_fallocate = true\n",
                user.trim()
            )
        };
        let mut files = vec![("swift.conf".to_owned(), CLUSTER.to_owned())];
        for (kind, port) in KEEPERS.into_iter().zip(ports) {
            let app = format!(
                "[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n"
            );
            files.push((format!("{kind}.conf"), common(port) + &app));
        }
        let secret = format!("user_towline_admin = {SECRET_KEY} .admin\n");
        let faces = format!("[pipeline:main]\npipeline = {PIPELINE}\n{FILTERS}{secret}{PROXY}");
        files.push(("proxy.conf".to_owned(), common(proxy) + &faces));
        // The way in for the one who makes the bucket: without keys, without a port.
        let inside =
            format!("[pipeline:main]\npipeline = catch_errors proxy-server\n{FILTERS}{secret}{PROXY}");
        files.push(("inside.conf".to_owned(), common(proxy) + &inside));
        fs::create_dir_all(self.folder.join("devices/disk")).context("making Swift's device")?;
        for (name, text) in files {
            fs::write(self.folder.join(&name), text).with_context(|| format!("writing Swift's {name}"))?;
        }
        Ok(())
    }
}

const CLUSTER: &str = "[swift-hash]
swift_hash_path_suffix = towline
swift_hash_path_prefix = towline
[storage-policy:0]
name = default
default = yes
";

const PIPELINE: &str = "catch_errors gatekeeper healthcheck listing_formats s3api tempauth bulk slo dlo \
                        versioned_writes symlink proxy-server";

const PROXY: &str = "[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
";

/// Tempauth is the last one: the user is appended.
const FILTERS: &str = "[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
max_upload_part_num = 10000
max_parts_listing = 1000
min_segment_size = 5242880
cors_preflight_allow_origin = *
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
max_manifest_size = 16777216
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
[filter:tempauth]
use = egg:swift#tempauth
";
