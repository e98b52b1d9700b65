//! Keys for files that come with a name only: what cannot be in a key is replaced, nothing is refused for it.

use towline_core::key::{KEY_BYTES_MAX, OWN_FOLDER};
use towline_core::policy::Principal;
use towline_core::store::Limits;

/// What stands for a file without a name.
const NAMELESS: &str = "file";
/// The longest name that is kept with an upload.
const FILENAME_BYTES_MAX: usize = 1024;

/// The caller's own place, `lead`, and the file's name without folders of its own. Long names keep their end, where
/// the extension is.
pub(crate) fn in_place(who: &Principal, lead: &str, filename: &str, limits: &Limits) -> String {
    let begun = format!("{}{lead}", who.key_prefix);
    let in_segment = begun.rsplit('/').next().map_or(0, str::len);
    let segment_max = limits.segment_bytes_max.unwrap_or(KEY_BYTES_MAX);
    let room = KEY_BYTES_MAX.saturating_sub(begun.len()).min(segment_max.saturating_sub(in_segment));
    begun + &segment(filename, room)
}

/// The file's name with its folders, in the caller's own place unless it begins there.
pub(crate) fn with_folders(who: &Principal, filename: &str) -> String {
    let segments = filename.split('/').filter(|text| !text.is_empty());
    let name = segments.map(|text| segment(text, KEY_BYTES_MAX)).collect::<Vec<_>>().join("/");
    match name {
        name if name.is_empty() => format!("{}{NAMELESS}", who.key_prefix),
        name if name.starts_with(&who.key_prefix) => name,
        name => format!("{}{name}", who.key_prefix),
    }
}

/// A file's name as it is kept with an upload: what no name holds is replaced.
pub(crate) fn plain(filename: &str) -> String {
    let clean = filename.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    end_of(clean, FILENAME_BYTES_MAX)
}

/// One segment of a key, of at most so many bytes.
fn segment(text: &str, bytes_max: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() || c == '/' { '_' } else { c }).collect();
    let clean = match clean.as_str() {
        "" => NAMELESS,
        "." | ".." | OWN_FOLDER => "_",
        clean => clean,
    };
    end_of(clean.to_owned(), bytes_max)
}

/// At most so many of the last bytes.
fn end_of(text: String, bytes_max: usize) -> String {
    let cut = text.len().saturating_sub(bytes_max);
    let start = (cut..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    if start == 0 { text } else { text[start..].to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use towline_core::key::Key;

    use super::*;

    fn limits(segment_bytes_max: Option<usize>) -> Limits {
        Limits { part_bytes_min: 0, part_bytes_max: 1, parts_max: 1, total_bytes_max: 1, segment_bytes_max }
    }

    fn owner(prefix: &str) -> Principal {
        Principal { key_prefix: prefix.to_owned(), ..Principal::anonymous() }
    }

    #[test]
    fn a_name_becomes_the_last_segment_of_a_key() {
        let cases = [
            ("", "a b.mp4", "x-a b.mp4"),
            ("", "../etc/passwd", "x-.._etc_passwd"),
            ("", "", "x-file"),
            ("", "a\nb", "x-a_b"),
            ("ali/", "ü.mp4", "ali/x-ü.mp4"),
        ];
        for (prefix, name, expected) in cases {
            assert_eq!(in_place(&owner(prefix), "x-", name, &limits(None)), expected);
        }
        let long = format!("{}.mp4", "ü".repeat(300));
        let key = in_place(&owner("ali/"), "x-", &long, &limits(Some(255)));
        assert!(key.ends_with("üü.mp4") && key.len() <= 255 + 4, "{key}");
    }

    #[test]
    fn a_name_with_folders_stays_where_its_caller_may_write() {
        let cases = [
            ("", "a/b.mp4", "a/b.mp4"),
            ("", "/a//../b", "a/_/b"),
            ("", "///", "file"),
            ("", ".towline/probe", "_/probe"),
            ("ali/", "b.mp4", "ali/b.mp4"),
            ("ali/", "ali/b.mp4", "ali/b.mp4"),
            ("ali/", "../eve/b", "ali/_/eve/b"),
        ];
        for (prefix, name, expected) in cases {
            assert_eq!(with_folders(&owner(prefix), name), expected);
        }
    }

    proptest! {
        #[test]
        fn any_name_makes_a_key(name in ".{0,400}", prefix in "([a-z]{1,9}/){0,2}", most in 60_usize..300) {
            let who = owner(&prefix);
            let key = in_place(&who, "recordings/0123/", &name, &limits(Some(most)));
            let parsed = Key::parse(&key).unwrap();
            prop_assert!(parsed.check_segments(most).is_ok() && who.may_name(&parsed));
            prop_assert!(!plain(&name).contains(char::is_control));
            let folders = with_folders(&who, &name);
            if folders.len() <= KEY_BYTES_MAX {
                prop_assert!(who.may_name(&Key::parse(&folders).unwrap()));
            }
        }
    }
}
