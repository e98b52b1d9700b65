//! Where these commands run: the work tree, the cache folder, the cargo that started them. The only reader of the
//! environment here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

#[derive(Debug)]
pub(crate) struct Home {
    /// The root of the work tree.
    pub root: PathBuf,
    /// Where tools and virtual environments are kept between runs.
    pub cache: PathBuf,
    /// This very program, to be started again.
    pub ourselves: PathBuf,
    path: OsString,
    cargo: OsString,
    /// What the outer cargo said about the xtask package; see [`Home::cargo`].
    outer: Vec<OsString>,
}

impl Home {
    pub(crate) fn find() -> anyhow::Result<Self> {
        let manifest =
            variable("CARGO_MANIFEST_DIR").context("run this as `cargo xtask …` inside the work tree")?;
        let root =
            Path::new(&manifest).parent().context("the xtask package has no parent folder")?.to_owned();
        let cache = if let Some(cache) = variable("TOWLINE_CACHE") {
            PathBuf::from(cache)
        } else {
            let home = variable("HOME").context("neither TOWLINE_CACHE nor HOME says where to keep tools")?;
            Path::new(&home).join(".cache/towline")
        };
        let cargo = variable("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let ourselves = std::env::current_exe().context("asking where this program is")?;
        let path = variable("PATH").unwrap_or_default();
        Ok(Self { root, cache, ourselves, path, cargo, outer: variables_of_the_outer_package() })
    }

    /// Where a program is that a shell would find by its name.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path).map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    /// The cargo that started us, in the root of the work tree. Build scripts of dependencies watch variables
    /// like `CARGO_MANIFEST_DIR`: left in place they would rebuild after every change between an inner and an
    /// outer cargo.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(arguments).current_dir(&self.root);
        for name in &self.outer {
            command.env_remove(name);
        }
        command
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> anyhow::Result<PathBuf> {
        let metadata = self.metadata()?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
        Ok(PathBuf::from(target))
    }

    /// What cargo knows of the workspace's own packages.
    pub(crate) fn metadata(&self) -> anyhow::Result<serde_json::Value> {
        let text = crate::process::stdout_of(&mut self.cargo([
            "metadata",
            "--format-version=1",
            "--no-deps",
            "--locked",
            "--offline",
        ]))?;
        serde_json::from_str(&text).context("reading the answer of cargo metadata")
    }
}

#[expect(clippy::disallowed_methods, reason = "xtask's one reader of the environment")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[expect(clippy::disallowed_methods, reason = "xtask's one reader of the environment")]
fn variables_of_the_outer_package() -> Vec<OsString> {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        })
        .collect()
}
