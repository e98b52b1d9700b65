//! What is uploaded: a file, or a stream whose end nobody knows yet.

mod block;
mod file;
mod stream;

pub use file::{FileSource, Identity};
pub(crate) use file::{digest_of, reason};
pub use stream::{Piece, StreamSource};

/// Where the bytes of an upload come from.
#[derive(Debug)]
pub enum Source {
    /// Can be read again, from anywhere.
    File(FileSource),
    /// Can be read once, from the front.
    Stream(StreamSource),
}

/// A path or a name in a message: what it holds beside printable characters is written out.
pub(crate) fn shown(name: impl AsRef<std::path::Path>) -> String {
    let name = name.as_ref().to_string_lossy();
    if !name.contains(char::is_control) {
        return name.into_owned();
    }
    name.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_reach_a_terminal_without_control_characters() {
        for (name, expected) in [
            ("it's \"fine\".mp4", "it's \"fine\".mp4"),
            ("übung/видео.mp4", "übung/видео.mp4"),
            ("a\u{1b}[2Jb\n", "a\\u{1b}[2Jb\\n"),
        ] {
            assert_eq!(shown(name), expected);
        }
    }
}
