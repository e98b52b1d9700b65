//! What is meant, what it is called, and what is refused.

use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    folder
}

/// The keys of what is chosen, or the complaint, with the folder's path struck out.
fn chosen(
    folder: &TempDir,
    arguments: &[&str],
    naming: &Naming,
    is_recursive: bool,
) -> Result<Vec<String>, String> {
    let arguments: Vec<OsString> = arguments
        .iter()
        .map(|argument| match *argument {
            "-" => "-".into(),
            // Not by `join`: a slash at the end counts.
            argument => format!("{}/{argument}", folder.path().display()).into(),
        })
        .collect();
    let own = format!("{}/", folder.path().display());
    match choose(&arguments, naming, is_recursive) {
        Ok(chosen) => {
            let keys = chosen.items.into_iter().map(|item| item.key);
            Ok(keys.chain(chosen.warnings.iter().map(|warning| warning.replace(&own, ""))).collect())
        }
        Err(complaint) => Err(complaint.to_text().replace(&own, "")),
    }
}

fn below(prefix: &str) -> Naming {
    Naming::Below(prefix.to_owned())
}

#[test]
fn a_key_is_a_name_or_stands_before_names() {
    for (at_place, key, naming) in [
        ("", None, below("")),
        ("", Some("a.mp4"), Naming::Exactly("a.mp4".into())),
        ("", Some("a/"), below("a/")),
        ("a/", Some("b"), Naming::Exactly("a/b".into())),
        ("a/", Some("b/"), below("a/b/")),
        ("a", None, Naming::Exactly("a".into())),
    ] {
        assert_eq!(Naming::new(at_place, key).unwrap(), naming, "{at_place} {key:?}");
    }
    assert!(Naming::new("a", Some("b")).is_err());
}

#[test]
fn files_keep_their_names() {
    let folder = folder(&["a.txt", "sub/b.txt"]);
    assert_eq!(
        chosen(&folder, &["sub/b.txt", "a.txt"], &below("x/"), false).unwrap(),
        ["x/b.txt", "x/a.txt"]
    );
    assert_eq!(chosen(&folder, &["a.txt"], &Naming::Exactly("n".into()), false).unwrap(), ["n"]);
}

#[test]
fn a_folder_goes_with_its_name_and_with_a_slash_without() {
    let folder = folder(&["photos/z.jpg", "photos/2024/a.jpg", "photos/a/b/c.jpg"]);
    let all = ["photos/2024/a.jpg", "photos/a/b/c.jpg", "photos/z.jpg"];
    assert_eq!(chosen(&folder, &["photos"], &below(""), true).unwrap(), all);
    let inside = ["p/2024/a.jpg", "p/a/b/c.jpg", "p/z.jpg"];
    assert_eq!(chosen(&folder, &["photos/"], &below("p/"), true).unwrap(), inside);
    assert_eq!(chosen(&folder, &["photos/."], &below("p/"), true).unwrap(), inside);
}

#[test]
fn links_to_files_are_followed_and_links_to_folders_are_not() {
    let folder = folder(&["f/a.txt", "out/b.txt"]);
    let root = folder.path();
    symlink(root.join("out/b.txt"), root.join("f/link.txt")).unwrap();
    symlink(root.join("out"), root.join("f/folder")).unwrap();
    symlink(root.join("nowhere"), root.join("f/broken")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("f/socket")).unwrap();
    assert_eq!(
        chosen(&folder, &["f"], &below(""), true).unwrap(),
        [
            "f/a.txt",
            "f/link.txt",
            "f/broken is left out: it leads nowhere",
            "f/folder is left out: links to folders are not followed",
            "f/socket is left out: it is neither a file nor a folder",
        ]
    );
}

#[test]
fn patterns_that_no_shell_expanded_are_expanded_unless_a_file_is_called_so() {
    let folder = folder(&["a.mp4", "b.mp4", "c.txt", "[x].mp4"]);
    assert_eq!(chosen(&folder, &["*.mp4"], &below(""), false).unwrap(), ["[x].mp4", "a.mp4", "b.mp4"]);
    assert_eq!(chosen(&folder, &["[x].mp4"], &below(""), false).unwrap(), ["[x].mp4"]);
    assert_eq!(chosen(&folder, &["*.mov"], &below(""), false).unwrap_err(), "error: no file matches *.mov\n");
}

#[test]
fn what_cannot_be_named_is_told_before_anything_is_sent() {
    let folder = folder(&["a.txt", "f/a.txt", ".towline/x", "empty/sub/x"]);
    fs::remove_file(folder.path().join("empty/sub/x")).unwrap();
    for (arguments, naming, is_recursive, text) in [
        (&["f"][..], below(""), false, "error: f is a folder\nhint: -r uploads"),
        (
            &["a.txt", "f/a.txt"],
            below(""),
            false,
            "error: a.txt and f/a.txt would both be stored as \"a.txt\"\nhint: ",
        ),
        (
            &["a.txt", "f/a.txt"],
            Naming::Exactly("k".into()),
            false,
            "error: several files cannot have one key\nhint: ",
        ),
        (&["f"], Naming::Exactly("k".into()), true, "error: several files cannot have one key\nhint: "),
        (
            &[".towline"],
            below(""),
            true,
            "error: .towline/x cannot be stored as \".towline/x\": it begins with",
        ),
        (
            &["a.txt"],
            below("../"),
            false,
            "error: a.txt cannot be stored as \"../a.txt\": it has a '..' segment",
        ),
        (
            &["a.txt"],
            below("/x/"),
            false,
            "error: a.txt cannot be stored as \"/x/a.txt\": it starts with '/'",
        ),
        (&["b.txt"], below(""), false, "error: there is no file b.txt\n"),
        (&["empty"], below(""), true, "error: there is no file in empty\n"),
        (&["-"], below("x/"), false, "error: standard input has no name\nhint: give it one with --key NAME"),
        (&["-", "-"], Naming::Exactly("k".into()), false, "error: standard input can be read once only\n"),
    ] {
        let complaint = chosen(&folder, arguments, &naming, is_recursive).unwrap_err();
        assert!(complaint.starts_with(text), "{complaint}");
    }
}

#[test]
fn standard_input_goes_by_its_key() {
    let folder = folder(&[]);
    assert_eq!(chosen(&folder, &["-"], &Naming::Exactly("k".into()), false).unwrap(), ["k"]);
}

#[test]
fn names_that_are_not_utf8_or_steer_terminals_are_refused_and_shown_safely() {
    let folder = folder(&["f/a"]);
    let name = OsString::from_vec(b"b\xff".to_vec());
    fs::write(folder.path().join("f").join(&name), "").unwrap();
    let complaint = chosen(&folder, &["f"], &below(""), true).unwrap_err();
    assert!(complaint.starts_with("error: the name of f/b\u{fffd} is not UTF-8\n"), "{complaint}");
    let arguments = [folder.path().join("f").join(&name).into_os_string()];
    assert!(choose(&arguments, &Naming::Exactly("b".into()), false).is_ok());

    fs::remove_file(folder.path().join("f").join(&name)).unwrap();
    fs::write(folder.path().join("f/\u{1b}[2J"), "").unwrap();
    let complaint = chosen(&folder, &["f"], &below(""), true).unwrap_err();
    assert!(complaint.contains("control character"), "{complaint}");
    assert!(!complaint.contains('\u{1b}'), "{complaint}");
}

#[test]
fn a_server_without_its_scheme_is_guessed() {
    let complaint = choose(&["up.example:8000".into()], &below(""), false).unwrap_err();
    assert!(complaint.to_text().contains("hint: if it is the server, write http://up.example:8000"));
}
