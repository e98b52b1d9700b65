//! A Garage node of a test's own, with one bucket and without any rules.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BUCKET: &str = "towline";
const ACCESS_KEY: &str = "GK746f776c696e652d74657374";
pub(crate) const SECRET_KEY: &str = "746f776c696e652d746573746265643a206e6f7468696e672069732073656372";
const START_WAIT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Garage {
    child: Child,
    program: PathBuf,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Garage {
    fn drop(&mut self) {
        // It holds nothing that anybody wants to keep.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Garage {
    #[expect(clippy::disallowed_methods, reason = "the test command says by the environment where Garage is")]
    pub(crate) fn start() -> Self {
        let program = std::env::var_os("TOWLINE_TEST_GARAGE_BIN").map(PathBuf::from);
        let program =
            program.expect("TOWLINE_TEST_GARAGE_BIN is not set: run this test with `cargo xtask test`");
        let folder = tempfile::tempdir().unwrap();
        let held: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<SocketAddr> = held.iter().map(|held| held.local_addr().unwrap()).collect();
        drop(held);
        fs::write(folder.path().join("garage.toml"), config(folder.path(), &addresses)).unwrap();
        let child = command(&program, folder.path(), &["server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET)
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let garage = Self { child, program, address: addresses[0], folder };
        // Only an owner may set the rules of a bucket; the command works once the node does.
        let end = Instant::now() + START_WAIT;
        while garage
            .ask(&["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", ACCESS_KEY])
            .is_none()
        {
            assert!(Instant::now() < end, "Garage is not ready after a minute");
        }
        garage
    }

    /// What the command says, when all is well.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let output = command(&self.program, self.folder.path(), arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A folder that lives as long as the node.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the bucket the store of a command; flags may still say otherwise.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("TOWLINE_STORE", "s3")
            .env("TOWLINE_S3_BUCKET", BUCKET)
            .env("TOWLINE_S3_ENDPOINT", format!("http://{}", self.address))
            .env("TOWLINE_S3_REGION", "garage")
            .env("TOWLINE_S3_ACCESS_KEY", ACCESS_KEY)
            .env("TOWLINE_S3_SECRET_KEY", SECRET_KEY);
    }

    /// How many objects the bucket has, by Garage's own count.
    pub(crate) fn objects(&self) -> usize {
        let told = self.ask(&["bucket", "info", BUCKET]).unwrap();
        let count = told.lines().find_map(|line| line.strip_prefix("Objects:")?.trim().parse().ok());
        count.unwrap_or_else(|| panic!("no count in {told}"))
    }
}

fn command(program: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("garage.toml")).args(arguments);
    command.env("RUST_LOG", "garage=warn").stdin(Stdio::null());
    command
}

fn config(folder: &Path, addresses: &[SocketAddr]) -> String {
    let [s3, rpc, admin] = addresses else { panic!("three addresses") };
    let folder = folder.display();
    format!(
        "metadata_dir = \"{folder}/meta\"\ndata_dir = \"{folder}/data\"\ndb_engine = \"lmdb\"\n\
         replication_factor = 1\nrpc_bind_addr = \"{rpc}\"\nrpc_public_addr = \"{rpc}\"\n\
         rpc_secret = \"{SECRET_KEY}\"\n[s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"{s3}\"\n\
         [admin]\napi_bind_addr = \"{admin}\"\n"
    )
}
