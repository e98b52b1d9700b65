//! What AWS's own tools would know of the way to a bucket: from the environment and, of the settings file, the two lines
//! that say where. Who signs is the chain of credentials' business.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use towline_client::bucket::Surroundings;

/// Where S3 is, as far as the surroundings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
}

impl Whereabouts {
    /// The environment wins over the settings file.
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        let variables = &surroundings.variables;
        let file = settings_file(surroundings).and_then(|path| fs::read_to_string(path).ok());
        let profile = said(variables, "AWS_PROFILE").unwrap_or("default");
        let in_file = file.map(|text| Self::in_profile(&text, profile)).unwrap_or_default();
        let endpoint =
            ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().find_map(|name| said(variables, name));
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| said(variables, name));
        let ignores = said(variables, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == Some("true");
        Self {
            endpoint: endpoint.map(str::to_owned).or(in_file.endpoint).filter(|_| !ignores),
            region: region.map(str::to_owned).or(in_file.region),
        }
    }

    fn in_profile(text: &str, profile: &str) -> Self {
        let mut found = Self::default();
        let mut is_ours = false;
        for line in text.lines() {
            if let Some(header) = line.trim().strip_prefix('[') {
                let name = header.split(']').next().unwrap_or_default().trim();
                let name = name.strip_prefix("profile").map_or(name, str::trim);
                is_ours = name == profile;
            }
            // What is indented belongs to the line above.
            let (Some((name, value)), true) =
                (line.split_once('='), is_ours && !line.starts_with([' ', '\t']))
            else {
                continue;
            };
            let value = Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned);
            match name.trim() {
                "region" => found.region = value,
                "endpoint_url" => found.endpoint = value,
                _ => {}
            }
        }
        found
    }
}

fn settings_file(surroundings: &Surroundings) -> Option<PathBuf> {
    match said(&surroundings.variables, "AWS_CONFIG_FILE") {
        Some(path) => Some(path.into()),
        None => Some(surroundings.home.as_ref()?.join(".aws/config")),
    }
}

fn said<'a>(variables: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
[default]
region = eu-west-1
s3 =
    region = not-this
[profile  minio]
endpoint_url=http://minio:9000
region =us-west-2
[sso-session x]
region = no
";

    fn whereabouts(variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/config"), FILE).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let found = Whereabouts::of(&Surroundings { variables, home: Some(home.path().to_owned()) });
        (found.endpoint, found.region)
    }

    #[test]
    fn the_environment_wins_over_the_profile() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(whereabouts(&[]), (None, text("eu-west-1")));
        let minio = ("AWS_PROFILE", "minio");
        assert_eq!(whereabouts(&[minio]), (text("http://minio:9000"), text("us-west-2")));
        assert_eq!(whereabouts(&[("AWS_PROFILE", "nobody")]), (None, None));
        assert_eq!(whereabouts(&[("AWS_CONFIG_FILE", "/nowhere")]), (None, None));
        let said = [minio, ("AWS_ENDPOINT_URL", "http://a"), ("AWS_DEFAULT_REGION", "b")];
        assert_eq!(whereabouts(&said), (text("http://a"), text("b")));
        let said = [("AWS_ENDPOINT_URL", "a"), ("AWS_ENDPOINT_URL_S3", "b"), ("AWS_REGION", "c")];
        assert_eq!(whereabouts(&said), (text("b"), text("c")));
        let said = [minio, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
        assert_eq!(whereabouts(&said), (None, text("us-west-2")));
    }
}
