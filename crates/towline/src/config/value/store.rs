//! What stores and the S3 door are told: names, tags, and which of a few ways.

use towline_core::policy::Transfer;

use super::choice::Choice;
use super::{Shown, Value, items, shown, text};

/// As long as a key may be.
const WORD_BYTES_MAX: usize = 1024;

/// Where finished files live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// In the data folder.
    Disk,
    /// In a bucket of S3, or of a store that speaks S3.
    S3,
}

impl Choice for StoreKind {
    const PLACEHOLDER: &'static str = "STORE";
    const ALL: &'static [Self] = &[Self::Disk, Self::S3];

    fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::S3 => "s3",
        }
    }
}

impl Choice for Transfer {
    const PLACEHOLDER: &'static str = "WAY";
    const ALL: &'static [Self] = &[Self::Direct, Self::Relayed];

    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        }
    }
}

/// How S3 encrypts what it stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sse {
    Aes256,
    Kms,
}

impl Choice for Sse {
    const PLACEHOLDER: &'static str = "HOW";
    const ALL: &'static [Self] = &[Self::Aes256, Self::Kms];

    fn name(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms => "aws:kms",
        }
    }
}

/// A name as other systems give them: printable ASCII without blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) String);

impl Value for Word {
    const PLACEHOLDER: &'static str = "NAME";

    fn allowed() -> String {
        "printable ASCII without blanks".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let text = text(raw)?;
        let is_word = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.is_empty();
        if !is_word || text.len() > WORD_BYTES_MAX {
            return Err(format!("{text:?} is not such a name"));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> Shown {
        shown(&self.0)
    }
}

/// A bucket's name, by S3's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket(pub(crate) String);

impl Value for Bucket {
    const PLACEHOLDER: &'static str = "BUCKET";

    fn allowed() -> String {
        "3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends; not the \
         beginning of another door's paths"
            .into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let text = text(raw)?;
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let bytes = text.as_bytes();
        if !(3..=63).contains(&bytes.len())
            || !bytes.iter().copied().all(is_plain)
            || !is_end(bytes.first())
            || !is_end(bytes.last())
        {
            return Err(format!("{text:?} is not the name of a bucket"));
        }
        if towline_doors::is_path_of_ours(text) {
            return Err(format!("/{text} is a path of another door"));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> Shown {
        shown(&self.0)
    }
}

/// Names with values, as S3's tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags(pub(crate) Vec<(String, String)>);

/// S3 takes no more.
const TAGS_MAX: usize = 10;

impl Value for Tags {
    const PLACEHOLDER: &'static str = "TAGS";

    fn allowed() -> String {
        format!("a list of name=value, at most {TAGS_MAX}")
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let pair = |item: &toml::Value| {
            let (name, value) = item.as_str().and_then(|item| item.split_once('='))?;
            (!name.is_empty() && name.len() <= 128 && value.len() <= 256)
                .then(|| (name.to_owned(), value.to_owned()))
        };
        let items = items(raw)?;
        let tags: Option<Vec<_>> = items.iter().map(pair).collect();
        tags.filter(|tags| tags.len() <= TAGS_MAX)
            .map(Self)
            .ok_or_else(|| format!("{raw} is not such a list"))
    }

    fn show(&self) -> Shown {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Shown::Is(pairs.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_by_s3s_rules_and_hides_no_other_door() {
        for good in ["towline", "my-files.2026", "a1b"] {
            assert_eq!(Bucket::read(&good.into()), Ok(Bucket(good.to_owned())));
        }
        for bad in
            ["", "ab", "Towline", "-abc", "abc.", "a_b", "a/b", "upload", "sessions", "api", &"a".repeat(64)]
        {
            assert!(Bucket::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tags_are_pairs() {
        let tags = Tags::read(&"team=video, tier=".into()).unwrap();
        assert_eq!(tags.0, [("team".to_owned(), "video".to_owned()), ("tier".to_owned(), String::new())]);
        assert_eq!(Tags::read(&"".into()), Ok(Tags::default()));
        for bad in ["team", "=x", "a=1,b"] {
            assert!(Tags::read(&bad.into()).is_err(), "{bad:?}");
        }
    }
}
