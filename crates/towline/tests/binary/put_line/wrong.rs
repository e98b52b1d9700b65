//! Wrong invocations, as a person makes them, and what is said then.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use super::desk::Desk;
use crate::support::House;

/// What each line says, and how it ends.
fn said(desk: &Desk, lines: &[&str]) -> String {
    let mut all = String::new();
    for line in lines {
        let arguments: Vec<&str> = line.split(' ').collect();
        let ended = desk.run(&arguments);
        assert_eq!(ended.out, "", "{line}");
        writeln!(all, "$ towline {line}\n{}[{}]\n", desk.clean(&ended.err), ended.code.unwrap()).unwrap();
    }
    all
}

#[test]
fn a_line_that_makes_no_sense_is_explained() {
    let desk = Desk::new(&[]);
    for file in ["a.mp4", "b.mp4", "photos/c.jpg", "other/a.mp4", ".towline/x"] {
        desk.file(file, 10);
    }
    fs::create_dir(desk.path().join("empty")).unwrap();
    let said = said(
        &desk,
        &[
            "put",
            "put a.mp4",
            "put s3://bucket/",
            "put missing.mp4 s3://bucket",
            "put up.example:8000 s3://bucket",
            "put *.mov s3://bucket",
            "put photos s3://bucket",
            "put -r empty s3://bucket",
            "put a.mp4 --part-size 0 s3://bucket",
            "put a.mp4 --part-size big s3://bucket",
            "put a.mp4 --part-size 6GiB s3://bucket",
            "put a.mp4 --workers 0 s3://bucket",
            "put a.mp4 --simulate-failure 2 s3://bucket",
            "put a.mp4 --meta camera s3://bucket",
            "put a.mp4 --meta a=1 --meta a=2 s3://bucket",
            "put a.mp4 b.mp4 --key one s3://bucket",
            "put a.mp4 b.mp4 s3://bucket/one",
            "put a.mp4 --key one s3://bucket/other",
            "put a.mp4 other/a.mp4 s3://bucket",
            "put a.mp4 --key ../up s3://bucket",
            "put -r .towline s3://bucket",
            "put - s3://bucket",
            "put - - s3://bucket/one",
            "put a.mp4 s3://",
            "put a.mp4 ftp://up.example",
            "put a.mp4 http://",
            "put a.mp4 b.mp4 --resume 0123 s3://bucket",
            "put a.mp4 --json --quiet s3://bucket",
            "put a.mp4 --endpoint minio s3://bucket/",
            "put a.mp4 --endpoint http://minio http://up.example",
            "put a.mp4 --prt-size 1MiB",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn the_other_commands_explain_themselves_too() {
    let desk = Desk::new(&[]);
    desk.file("a.mp4", 10);
    let said = said(
        &desk,
        &[
            "get",
            "get a.mp4",
            "get s3://bucket/",
            "get ftp://up.example/a.mp4",
            "get http://up.example/a.mp4 - --json",
            "get http://up.example/",
            "verify",
            "verify a.mp4",
            "verify missing.mp4 s3://bucket",
            "verify a.mp4 key bucket",
            "resume",
            "resume 01234567",
            "resume 01234567 --to s3://bucket",
            "resume 01234567 --to s3://bucket/a.mp4",
            "status 01234567",
            "abort 01234567",
            "ls http://up.example --data x",
            "ls http://up.example --status open",
            "ls up.example",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn nobody_there_and_nobody_of_ours_are_told_apart() {
    let desk = Desk::new(&[]);
    desk.file("a.mp4", 10);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let foreign = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut head = [0; 4096];
            drop(connection.read(&mut head));
            let page = "<html>hello</html>";
            let head = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 18";
            drop(connection.write_all(format!("{head}\r\n\r\n{page}").as_bytes()));
        }
    });
    let ended = desk.run(&["put", "a.mp4", &foreign]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.err.replace(&foreign[7..], "FOREIGN"), @r"
    error: FOREIGN answered 404 Not Found
    hint: is this the URL of a Towline server? GET /health is answered 404 Not Found there
    ");

    // Port 1 is nobody's.
    let ended = desk.run(&["ls", "http://127.0.0.1:1"]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.err, @r"
    error: cannot reach 127.0.0.1:1: Connection refused (os error 111)
    hint: it may pass: look at the address and the line, then run the same command again
    ");
}

#[test]
fn a_wrong_token_and_an_unknown_upload_are_told_with_what_to_do() {
    let desk = Desk::new(&[]);
    desk.file("a.mp4", 10);
    let house = House::start(&["--token", "right"]);
    let server = format!("http://{}", house.server.address());
    let wrong = |arguments: &[&str], token: &str| {
        let mut command = desk.command(arguments);
        if !token.is_empty() {
            command.env("TOWLINE_TOKEN", token);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {text}");
        text.replace(&server, "SERVER").replace(&server[7..], "SERVER")
    };
    insta::assert_snapshot!(wrong(&["put", "a.mp4", &server], ""), @r"
    error: A token is needed: send it as 'Authorization: Bearer …'
    hint: give a token that the server knows, by TOWLINE_TOKEN or --token
    ");
    insta::assert_snapshot!(wrong(&["put", "a.mp4", &server], "wrong"), @r"
    error: This token is not known here: it may have been replaced, or belong to another server
    hint: give a token that the server knows, by TOWLINE_TOKEN or --token
    ");
    let id = "01234567-89ab-4def-8123-456789abcdef";
    insta::assert_snapshot!(wrong(&["resume", id, "--file", "a.mp4", "--server", &server], "right"), @r"
    error: there is no upload 01234567-89ab-4def-8123-456789abcdef at SERVER
    hint: it was finished, given up or has expired; `towline ls` shows what is there
    ");
    insta::assert_snapshot!(wrong(&["get", "nothing.mp4", "--server", &server], "right"), @r"
    error: there is no file nothing.mp4 at SERVER
    hint: another place is named by --server URL, s3://BUCKET/KEY or a whole URL
    ");
    insta::assert_snapshot!(wrong(&["verify", "a.mp4", &server], "right"), @r"
    error: there is no a.mp4 at SERVER
    hint: `towline put` uploads it
    ");
}

#[test]
fn s3_without_credentials_is_told_so() {
    let desk = Desk::new(&[]);
    desk.file("a.mp4", 10);
    let ended = desk.run(&["put", "a.mp4", "s3://bucket/", "--endpoint", "http://127.0.0.1:1"]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.err, @r"
    error: there are no credentials for S3: no source of AWS's chain has any: set an access key, or a role
    hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or log in with `aws sso login`
    ");
}

#[test]
fn the_token_of_one_server_is_not_sent_to_another() {
    let ours = House::start(&["--token", "right"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut head = [0; 4096];
            let count = connection.read(&mut head).unwrap();
            tell.send(String::from_utf8_lossy(&head[..count]).to_ascii_lowercase()).unwrap();
            let head = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            connection.write_all(head.as_bytes()).unwrap();
        }
    });
    let server = format!("http://{}", ours.server.address());
    let desk = Desk::new(&[("TOWLINE_SERVER", &server), ("TOWLINE_TOKEN", "right")]);
    desk.file("a.mp4", 10);
    desk.ok(&["put", "a.mp4"]);
    desk.ok(&["put", "a.mp4", &server]);
    for line in [["put", "a.mp4", &other], ["put", "a.mp4", &format!("--server={other}")]] {
        let ended = desk.run(&line);
        assert_eq!(ended.code, Some(1), "{line:?} {}", ended.err);
        let hint = format!("hint: the token of the settings belongs to {server} and was not sent");
        assert!(ended.err.contains(&hint), "{line:?} {}", ended.err);
    }
    let heads: Vec<String> = heard.try_iter().collect();
    assert!(heads.len() >= 2 && heads.iter().all(|head| !head.contains("authorization")), "{heads:?}");
    // Said on the line, it is for the server of the line.
    assert_eq!(desk.run(&["put", "a.mp4", "--token", "theirs", &other]).code, Some(1));
    let first = heard.try_iter().next().unwrap();
    assert!(first.contains("authorization: bearer theirs"), "{first}");
    // Nobody names a server but the line.
    let desk = Desk::new(&[("TOWLINE_TOKEN", "right")]);
    desk.file("a.mp4", 10);
    desk.ok(&["put", "a.mp4", &server]);
}
