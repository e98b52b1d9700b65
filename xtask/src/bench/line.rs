//! A file over a line on which one connection gets 10 Mbit/s because of its latency (document 004's setting): one worker
//! beside four and beside as many as help; and what goes over the line when it breaks near the end.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use fastrand::Rng;
use tempfile::TempDir;

use super::Programs;
use crate::chaos::Chaos;
use crate::process::stdout_of;
use crate::say;
use crate::server::Server;

/// At most 125,000 bytes are under way, and a round trip takes 100 ms: 10 Mbit/s for each connection.
const LINE: [&str; 3] = ["--latency=50ms", "--window=125000", "--seed=1"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The size of the file, MB
    #[arg(long, default_value_t = 100)]
    mb: u32,
    /// As `--part-size` of `towline put`; without it the server says
    #[arg(long)]
    part_size: Option<String>,
}

/// A file, a server, and a folder for all else.
struct Stage<'a> {
    programs: &'a Programs,
    folder: TempDir,
    server: SocketAddr,
    file_bytes: u64,
    part_size: Option<&'a str>,
}

/// What a way of sending took.
struct Figures {
    seconds: f64,
    /// Of the file's size.
    on_the_line: f64,
}

pub(super) fn run(programs: &Programs, args: &Args) -> anyhow::Result<()> {
    let folder = TempDir::with_prefix("towline-bench-").context("making a folder")?;
    let mut command = Command::new(&programs.towline);
    command.args(["serve", "--listen=127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
    let server = Server::start(&mut command, &folder.path().join("log"))?;
    let file_bytes = u64::from(args.mb) * 1_000_000;
    fill(&folder.path().join("file.bin"), file_bytes)?;
    let part_size = args.part_size.as_deref();
    let stage = Stage { programs, folder, server: server.address, file_bytes, part_size };

    say::line("| how | seconds | × one worker | on the line / file |");
    say::line("|---|---:|---:|---:|");
    let mut one: Option<f64> = None;
    for (name, flags) in [
        ("`--workers 1`", &["--workers=1"][..]),
        ("`--workers 4`", &["--workers=4"]),
        ("`--workers 16`", &["--workers=16"]),
        ("as many as help (default)", &[]),
    ] {
        let figures = stage.send(flags)?;
        print(name, &figures, *one.get_or_insert(figures.seconds));
    }
    let one = one.unwrap_or(f64::NAN);
    print("broken off at 90 %, then the same command", &stage.break_off(false)?, one);
    print("broken off at 90 %, then the same from elsewhere", &stage.break_off(true)?, one);
    print("`curl`: one PUT to the S3 door", &stage.curl()?, one);
    server.kill()
}

fn print(name: &str, figures: &Figures, one: f64) {
    let Figures { seconds, on_the_line } = figures;
    say::line(format_args!("| {name} | {seconds:.1} | {:.2} | {on_the_line:.3} |", one / seconds));
}

impl Stage<'_> {
    fn send(&self, flags: &[&str]) -> anyhow::Result<Figures> {
        self.measure(|address| {
            stdout_of(self.put(address, "home").args(flags))?;
            Ok(())
        })
    }

    fn break_off(&self, is_elsewhere: bool) -> anyhow::Result<Figures> {
        self.measure(|address| {
            let broken = self.put(address, "home").args(["--workers=4", "--simulate-failure=0.9"]).output();
            let status = broken.context("starting towline")?.status;
            ensure!(status.code() == Some(1), "it was to break off, and ended with {status}");
            let home = if is_elsewhere { "elsewhere" } else { "home" };
            stdout_of(self.put(address, home).arg("--workers=4"))?;
            Ok(())
        })
    }

    /// What people do without a client: all in one request.
    fn curl(&self) -> anyhow::Result<Figures> {
        let mut keys = Command::new(&self.programs.towline);
        keys.args(["keys", "new", "--json", "--data"]).arg(self.folder.path().join("data"));
        let keys: serde_json::Value =
            serde_json::from_str(&stdout_of(&mut keys)?).context("reading a key")?;
        let text = |name: &str| keys[0][name].as_str().with_context(|| format!("no {name} in {keys}"));
        let user = format!("{}:{}", text("access_key")?, text("secret_key")?);
        self.measure(|address| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3"]);
            curl.args(["--user", &user, "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
            curl.arg("--upload-file").arg(self.file()).arg(format!("http://{address}/towline/file.bin"));
            stdout_of(&mut curl)?;
            Ok(())
        })
    }

    fn measure(&self, send: impl FnOnce(SocketAddr) -> anyhow::Result<()>) -> anyhow::Result<Figures> {
        let log = self.folder.path().join("chaos.log");
        let line = Chaos::start(&self.programs.towline, self.server, LINE, &log)?;
        let begun_at = Instant::now();
        send(line.address())?;
        let seconds = begun_at.elapsed().as_secs_f64();
        let up_bytes = line.end()?.up_bytes;
        let arrived = self.folder.path().join("data/completed/file.bin");
        if !is_same(&self.file(), &arrived)? {
            bail!("what arrived is not what was sent");
        }
        fs::remove_file(&arrived).context("making room")?;
        #[expect(clippy::cast_precision_loss, reason = "a file has fewer bytes than 2^52")]
        let on_the_line = up_bytes as f64 / self.file_bytes as f64;
        Ok(Figures { seconds, on_the_line })
    }

    fn put(&self, address: SocketAddr, home: &str) -> Command {
        let mut command = Command::new(&self.programs.towline);
        command.env_clear().env("HOME", self.folder.path().join(home)).args(["put", "--quiet"]);
        command.arg(self.file()).arg(format!("http://{address}"));
        if let Some(part_size) = self.part_size {
            command.args(["--part-size", part_size]);
        }
        command
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file.bin")
    }
}

/// Bytes without a pattern, the same each time.
pub(super) fn fill(path: &Path, bytes: u64) -> anyhow::Result<()> {
    struct Noise(Rng);
    impl io::Read for Noise {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.fill(buffer);
            Ok(buffer.len())
        }
    }
    let mut file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let mut noise = io::BufReader::with_capacity(1 << 20, Noise(Rng::with_seed(bytes)));
    io::copy(&mut io::Read::by_ref(&mut noise).take(bytes), &mut file).context("writing noise")?;
    file.sync_all().context("writing noise out")
}

pub(super) fn is_same(one: &Path, other: &Path) -> anyhow::Result<bool> {
    let status = Command::new("cmp").arg("--silent").args([one, other]).status().context("starting cmp")?;
    Ok(status.success())
}
