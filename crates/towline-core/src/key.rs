//! The name of an object, validated once. What a particular store cannot hold (a segment over 255 bytes on a
//! disk) is that store's limit and is checked when the upload is created.

use std::fmt;

use thiserror::Error;

/// Stores that know no staging area keep there what is not finished yet.
pub const OWN_FOLDER: &str = ".towline";

/// As S3: 1,024 bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;

/// A key that is safe to use as a path below a folder: relative, no empty, `.` or `..` segment, no control
/// characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyProblem {
    #[error("it is empty")]
    Empty,
    #[error("it is {bytes} bytes long, {KEY_BYTES_MAX} are allowed")]
    TooLong { bytes: usize },
    #[error("it starts with '/', give a relative name")]
    Absolute,
    #[error("it ends with '/', which names a folder")]
    Folder,
    #[error("it has an empty segment ('//')")]
    EmptySegment,
    #[error("it has a '{0}' segment, which could escape its folder")]
    DotSegment(String),
    #[error("it begins with '{OWN_FOLDER}/', where the server keeps what is its own")]
    Reserved,
    #[error("it holds the control character U+{:04X}", u32::from(*.0))]
    Control(char),
    #[error("the segment of {bytes} bytes is too long, this store takes {allowed}")]
    SegmentTooLong { bytes: usize, allowed: usize },
}

impl Key {
    pub fn parse(text: &str) -> Result<Self, KeyProblem> {
        if text.is_empty() {
            return Err(KeyProblem::Empty);
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyProblem::TooLong { bytes: text.len() });
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(KeyProblem::Control(control));
        }
        if text.starts_with('/') {
            return Err(KeyProblem::Absolute);
        }
        if text.ends_with('/') {
            return Err(KeyProblem::Folder);
        }
        for segment in text.split('/') {
            match segment {
                "" => return Err(KeyProblem::EmptySegment),
                "." | ".." => return Err(KeyProblem::DotSegment(segment.to_owned())),
                _ => {}
            }
        }
        if text.split('/').next() == Some(OWN_FOLDER) {
            return Err(KeyProblem::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// Refuses a key with a segment that this store cannot name.
    pub fn check_segments(&self, allowed: usize) -> Result<(), KeyProblem> {
        match self.segments().map(str::len).find(|bytes| *bytes > allowed) {
            Some(bytes) => Err(KeyProblem::SegmentTooLong { bytes, allowed }),
            None => Ok(()),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last segment: what a person would call the file.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_paths_below_a_folder_are_taken() {
        let longest = "k".repeat(KEY_BYTES_MAX);
        for text in ["a", "a/.towline", "a b", "…/ü/🎬.mov", "..a", "a..", "...", "a\\b", "-rf", &longest]
        {
            assert_eq!(Key::parse(text).map(|key| key.as_str().to_owned()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn keys_that_could_escape_or_cannot_be_files_are_refused() {
        let too_long = "k".repeat(KEY_BYTES_MAX + 1);
        let cases = [
            ("", KeyProblem::Empty),
            (&too_long, KeyProblem::TooLong { bytes: 1025 }),
            ("/etc/passwd", KeyProblem::Absolute),
            ("a/", KeyProblem::Folder),
            ("a//b", KeyProblem::EmptySegment),
            ("..", KeyProblem::DotSegment("..".into())),
            ("a/../../b", KeyProblem::DotSegment("..".into())),
            ("./a", KeyProblem::DotSegment(".".into())),
            (".towline", KeyProblem::Reserved),
            (".towline/probe", KeyProblem::Reserved),
            ("a\0b", KeyProblem::Control('\0')),
            ("a\nb", KeyProblem::Control('\n')),
            ("a\u{7f}", KeyProblem::Control('\u{7f}')),
        ];
        for (text, problem) in cases {
            assert_eq!(Key::parse(text), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn a_segment_is_measured_in_bytes() {
        let key = Key::parse(&format!("ok/{}", "ü".repeat(128))).unwrap();
        assert_eq!(key.check_segments(255), Err(KeyProblem::SegmentTooLong { bytes: 256, allowed: 255 }));
        assert_eq!(key.check_segments(256), Ok(()));
    }
}
