//! Who wins over whom: flags over environment over file over defaults. The environment is read here only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use towline_backends::s3::Surroundings;

use super::{SETTINGS, Setting, Settings};
use crate::exit::Complaint;

/// Environment variables of ours begin with this.
pub(super) const PREFIX: &str = "TOWLINE_";
const FILE_VARIABLE: &str = "TOWLINE_CONFIG";
/// Variables this close to a setting's are taken for typing errors. Others are left alone: they may belong to tools,
/// or to Kubernetes, which makes `TOWLINE_PORT` and the like for a service named "towline".
const TYPO_DISTANCE: usize = 2;

/// What AWS's chain of credentials may look at.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn surroundings() -> Surroundings {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Surroundings { variables: variables.collect(), home: std::env::home_dir() }
}

/// Who said what a setting holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(PathBuf),
    Environment,
    Flag,
}

impl Origin {
    /// What to look for to change the setting.
    pub(super) fn to_text(&self, setting: &Setting) -> String {
        match self {
            Self::Default => "default".into(),
            Self::File(path) => path.display().to_string(),
            Self::Environment => setting.variable(),
            Self::Flag => format!("--{}", setting.flag()),
        }
    }
}

/// What was said on the command line and in the environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) flags: Vec<(&'static Setting, String)>,
    pub(super) file: Option<PathBuf>,
    /// The variables that begin with [`PREFIX`].
    pub(super) environment: Vec<(String, String)>,
}

/// The settings that hold, each with its origin.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// In the order of [`SETTINGS`].
    pub(super) origins: Vec<Origin>,
}

impl Said {
    /// Adds what the environment says.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub(super) fn with_environment(mut self) -> Result<Self, Complaint> {
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let value = value.into_string().map_err(|_| Complaint::usage(format!("{name} is not UTF-8")))?;
            self.environment.push((name.to_owned(), value));
        }
        Ok(self)
    }

    pub(super) fn load(self) -> Result<Loaded, Complaint> {
        let mut loaded =
            Loaded { settings: Settings::default(), origins: vec![Origin::Default; SETTINGS.len()] };
        let variable = |wanted: &str| {
            let found = self.environment.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        if let Some(path) = self.file.as_deref().or(variable(FILE_VARIABLE).map(Path::new)) {
            loaded.read_file(path)?;
        }
        self.refuse_typos()?;
        for setting in SETTINGS {
            if let Some(value) = variable(&setting.variable()) {
                loaded.set(setting, &value.into(), Origin::Environment)?;
            }
        }
        for (setting, value) in self.flags {
            loaded.set(setting, &value.into(), Origin::Flag)?;
        }
        Ok(loaded)
    }

    fn refuse_typos(&self) -> Result<(), Complaint> {
        for (name, _) in &self.environment {
            let known = SETTINGS.iter().map(Setting::variable);
            let Some((distance, nearest)) = nearest(name, known.chain([FILE_VARIABLE.to_owned()])) else {
                continue;
            };
            if distance > 0 && distance <= TYPO_DISTANCE {
                let complaint = Complaint::usage(format!("there is no setting {name}"));
                return Err(complaint.hint(format!("did you mean {nearest}?")));
            }
        }
        Ok(())
    }
}

impl Loaded {
    fn read_file(&mut self, path: &Path) -> Result<(), Complaint> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings in {}", path.display()))?;
        let table: toml::Table = text.parse().map_err(|error| not_toml(path, &text, &error))?;
        for (name, value) in &table {
            let Some(setting) = Setting::find(name) else {
                return Err(unknown(name, path));
            };
            self.set(setting, value, Origin::File(path.to_owned()))?;
        }
        Ok(())
    }

    fn set(
        &mut self,
        setting: &'static Setting,
        value: &toml::Value,
        origin: Origin,
    ) -> Result<(), Complaint> {
        (setting.read)(&mut self.settings, value).map_err(|problem| {
            let name = setting.name;
            let place = origin.to_text(setting);
            Complaint::usage(format!("{name} ({place}): {problem}"))
                .hint(format!("allowed is {}", (setting.allowed)()))
        })?;
        let at = SETTINGS.iter().position(|other| other.name == setting.name);
        self.origins[at.expect("it is one of them")] = origin;
        Ok(())
    }
}

/// Without the line itself, which the error's own `Display` repeats: it may hold a secret.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> Complaint {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
    let (path, message) = (path.display(), error.message());
    Complaint::usage(format!("{path} is not TOML: line {line}, column {column}: {message}"))
}

fn unknown(name: &str, path: &Path) -> Complaint {
    let complaint = Complaint::usage(format!("there is no setting {name:?} ({})", path.display()));
    let names = SETTINGS.iter().map(|setting| setting.name.to_owned());
    match nearest(name, names) {
        Some((distance, nearest)) if distance <= name.len() / 2 => {
            complaint.hint(format!("did you mean {nearest:?}?"))
        }
        Some(_) | None => complaint.hint("`towline config` lists them all"),
    }
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<(usize, String)> {
    known.map(|known| (strsim::damerau_levenshtein(name, &known), known)).min()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn said(flags: &[(&str, &str)], environment: &[(&str, &str)], file: &str) -> Result<Loaded, String> {
        let mut toml = tempfile::NamedTempFile::new().unwrap();
        toml.write_all(file.as_bytes()).unwrap();
        let said = Said {
            flags: flags
                .iter()
                .map(|(name, value)| (Setting::find(name).unwrap(), (*value).to_owned()))
                .collect(),
            file: Some(toml.path().to_owned()),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        said.load().map_err(|complaint| complaint.to_text().replace(toml.path().to_str().unwrap(), "FILE"))
    }

    fn origin_of(loaded: &Loaded, name: &str) -> String {
        let (at, setting) = SETTINGS.iter().enumerate().find(|(_, setting)| setting.name == name).unwrap();
        loaded.origins[at].to_text(setting)
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let file = "part_size = \"1MiB\"\nmax_bodies = 2\nworkers = 3";
        let environment = [("TOWLINE_PART_SIZE", "2MiB"), ("TOWLINE_MAX_BODIES", "4"), ("TOWLINE_DATA", "")];
        let loaded = said(&[("part_size", "3MiB")], &environment, file).unwrap();
        assert_eq!(loaded.settings.part_size.0, 3 << 20);
        assert_eq!(loaded.settings.max_bodies.0, 4);
        assert_eq!(loaded.settings.workers.unwrap().0, 3);
        assert_eq!(loaded.settings.data, Path::new("./towline-data"));
        assert_eq!(origin_of(&loaded, "part_size"), "--part-size");
        assert_eq!(origin_of(&loaded, "max_bodies"), "TOWLINE_MAX_BODIES");
        assert_eq!(origin_of(&loaded, "data"), "default");
    }

    #[test]
    fn unknown_names_are_refused_and_the_nearest_is_named() {
        for (environment, file, text) in [
            (
                None,
                "part-size = 1",
                "error: there is no setting \"part-size\" (FILE)\nhint: did you mean \"part_size\"?\n",
            ),
            (
                None,
                "xyzzy = 1",
                "error: there is no setting \"xyzzy\" (FILE)\nhint: `towline config` lists them all\n",
            ),
            (
                Some("TOWLINE_PRT_SIZE"),
                "",
                "error: there is no setting TOWLINE_PRT_SIZE\nhint: did you mean TOWLINE_PART_SIZE?\n",
            ),
        ] {
            let environment: Vec<_> = environment.map(|name| (name, "1")).into_iter().collect();
            assert_eq!(said(&[], &environment, file).unwrap_err(), text);
        }
        // What Kubernetes makes for a service of our name.
        let foreign = [("TOWLINE_PORT", "tcp://10.0.0.1:80"), ("TOWLINE_SERVICE_HOST", "10.0.0.1")];
        assert!(said(&[], &foreign, "").is_ok());
    }

    #[test]
    fn a_bad_value_is_told_with_its_setting_its_origin_and_what_is_allowed() {
        assert_eq!(
            said(&[], &[("TOWLINE_STOP_WAIT", "soon")], "").unwrap_err(),
            "error: stop_wait (TOWLINE_STOP_WAIT): \"soon\" is not such a span of time\n\
             hint: allowed is a number with ms, s, m, h or d, such as 30s or 7d; more than nothing, at most ten years\n"
        );
        assert_eq!(
            said(&[("existing", "keep")], &[], "").unwrap_err(),
            "error: existing (--existing): \"keep\" is none of the choices\nhint: allowed is replace, refuse\n"
        );
        assert_eq!(
            said(&[], &[], "listen = 8000").unwrap_err().lines().next(),
            Some("error: listen (FILE): 8000 is not a text")
        );
    }

    #[test]
    fn a_secret_is_not_repeated_in_an_error() {
        let text = said(&[], &[("TOWLINE_TOKEN", "my secret")], "").unwrap_err();
        assert!(!text.contains("my secret"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_by_its_place_and_never_repeated() {
        for (file, place) in [
            ("part_size = \"1MiB\"\ntoken = \"hunter2", "line 2, column 17: "),
            ("token = hunter2", "line 1, column 9: "),
            ("# \u{e4}\ntoken = \"\u{e4}hunter2\" hunter2", "line 2, column 20: "),
            ("token = \"\"\"hunter2\nhunter2", ""),
            ("token = \"\\hunter2\"", ""),
            ("[[tokens]]\nname = \"a\"\nsha256 = {hunter2", ""),
        ] {
            let text = said(&[], &[], file).unwrap_err();
            assert!(text.starts_with(&format!("error: FILE is not TOML: {place}")), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
