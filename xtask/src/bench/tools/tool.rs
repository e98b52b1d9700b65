//! The tools: how each is asked for the same, and what it used.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process::stdout_of;
use crate::testbed::Tools;

const KEY: &str = "bench tools/file.bin";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Towline,
    Aws,
    Rclone,
    S3cmd,
}

impl Tool {
    pub(super) const ALL: [Self; 4] = [Self::Towline, Self::Aws, Self::Rclone, Self::S3cmd];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Towline => "towline",
            Self::Aws => "aws s3 cp",
            Self::Rclone => "rclone copyto",
            Self::S3cmd => "s3cmd",
        }
    }
}

/// What a program took from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) wall_s: f64,
    /// User and system.
    pub(super) cpu_s: f64,
    pub(super) peak_rss_mib: f64,
}

impl Figures {
    /// The least disturbed of several.
    pub(super) fn best(self, other: Self) -> Self {
        Self {
            wall_s: self.wall_s.min(other.wall_s),
            cpu_s: self.cpu_s.min(other.cpu_s),
            // But of memory the worst: a bound holds always or not at all.
            peak_rss_mib: self.peak_rss_mib.max(other.peak_rss_mib),
        }
    }

    /// The closing line of GNU time: `%e %U %S %M`.
    fn parse(text: &str) -> Option<Self> {
        let numbers = text.lines().last()?.split(' ').map(|number| number.parse().ok());
        let [wall_s, user_s, system_s, peak_kib] = numbers.collect::<Option<Vec<f64>>>()?.try_into().ok()?;
        Some(Self { wall_s, cpu_s: user_s + system_s, peak_rss_mib: peak_kib / 1024.0 })
    }
}

/// A bucket of a server, as the testbed names it.
#[derive(Debug)]
pub(super) struct Place {
    endpoint: String,
    region: String,
    bucket: String,
    access_key: String,
    secret_key: String,
}

impl Place {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words: Vec<String> = text.split(',').map(str::to_owned).collect();
        let [endpoint, region, bucket, access_key, secret_key] = words.try_into().ok()?;
        Some(Self { endpoint, region, bucket, access_key, secret_key })
    }
}

/// A bucket, the tools, and a folder for them.
#[derive(Debug)]
pub(super) struct Stage {
    programs: [PathBuf; 4],
    place: Place,
    folder: PathBuf,
}

impl Stage {
    pub(super) fn new(
        towline: &Path,
        s3cmd: &Path,
        tools: &Tools,
        (place, folder): (Place, &Path),
    ) -> anyhow::Result<Self> {
        stdout_of(Command::new("/usr/bin/time").arg("true"))
            .context("GNU time is not there: install `time`")?;
        let programs = [towline.to_owned(), tools.aws(), tools.rclone(), s3cmd.to_owned()];
        Ok(Self { programs, place, folder: folder.to_owned() })
    }

    pub(super) fn up(&self, tool: Tool, file: &Path) -> anyhow::Result<Figures> {
        let file = file.as_os_str();
        self.run(tool, |there| match tool {
            Tool::Aws => {
                vec!["s3".into(), "cp".into(), "--only-show-errors".into(), file.into(), there.into()]
            }
            Tool::Rclone => vec!["copyto".into(), file.into(), remote(there)],
            Tool::Towline | Tool::S3cmd => vec!["put".into(), "--quiet".into(), file.into(), there.into()],
        })
    }

    /// Gives the copy, too.
    pub(super) fn down(&self, tool: Tool) -> anyhow::Result<(Figures, PathBuf)> {
        let copy = self.folder.join("copy");
        let file = copy.as_os_str();
        let figures = self.run(tool, |there| match tool {
            Tool::Aws => {
                vec!["s3".into(), "cp".into(), "--only-show-errors".into(), there.into(), file.into()]
            }
            Tool::Rclone => vec!["copyto".into(), remote(there), file.into()],
            Tool::Towline | Tool::S3cmd => vec!["get".into(), "--quiet".into(), there.into(), file.into()],
        })?;
        Ok((figures, copy))
    }

    /// Garage gives back what the object took.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        let mut aws = self.command(&self.programs[1]);
        stdout_of(aws.args(["s3", "rm", "--only-show-errors", &self.url()]))?;
        Ok(())
    }

    fn url(&self) -> String {
        format!("s3://{}/{KEY}", self.place.bucket)
    }

    fn run(&self, tool: Tool, arguments: impl FnOnce(&str) -> Vec<OsString>) -> anyhow::Result<Figures> {
        let program = &self.programs[tool as usize];
        let mut command = self.command(Path::new("/usr/bin/time"));
        command.args(["-f", "%e %U %S %M"]).arg(program);
        if tool == Tool::S3cmd {
            let host = self.place.endpoint.trim_start_matches("http://");
            command.args(["--no-ssl", "--host", host, "--host-bucket", host]);
            command.args(["--region", &self.place.region, "--config", "/dev/null"]);
            command.args(["--access_key", &self.place.access_key, "--secret_key", &self.place.secret_key]);
        }
        command.args(arguments(&self.url()));
        let output = command.output().with_context(|| format!("starting {}", tool.name()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("{} failed: {said}", tool.name());
        }
        Figures::parse(&said).with_context(|| format!("no figures in {said:?}"))
    }

    /// With what all of them read from the environment, and nothing else: no agent, no configuration, no checksums beyond
    /// what each does by itself.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(&self.folder).env("HOME", &self.folder);
        let Place { endpoint, region, access_key, secret_key, .. } = &self.place;
        for (name, value) in [
            ("PYTHONUTF8", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("AWS_ACCESS_KEY_ID", access_key),
            ("AWS_SECRET_ACCESS_KEY", secret_key),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_REGION", region),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("RCLONE_CONFIG", "/dev/null"),
            ("RCLONE_CONFIG_HERE_TYPE", "s3"),
            ("RCLONE_CONFIG_HERE_PROVIDER", "Other"),
            ("RCLONE_CONFIG_HERE_ACCESS_KEY_ID", access_key),
            ("RCLONE_CONFIG_HERE_SECRET_ACCESS_KEY", secret_key),
            ("RCLONE_CONFIG_HERE_REGION", region),
            ("RCLONE_CONFIG_HERE_ENDPOINT", endpoint),
        ] {
            command.env(name, value);
        }
        command
    }
}

/// As rclone calls a place.
fn remote(url: &str) -> OsString {
    url.replacen("s3://", "HERE:", 1).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_time_is_read_after_whatever_the_tool_said() {
        let figures = Figures::parse("a warning\n5.35 2.00 0.34 97280\n").unwrap();
        assert_eq!((figures.wall_s, figures.cpu_s, figures.peak_rss_mib), (5.35, 2.34, 95.0));
        assert!(Figures::parse("Command exited with non-zero status 1").is_none());
    }
}
