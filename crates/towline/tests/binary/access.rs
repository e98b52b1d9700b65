//! Who may do what: safe by default, and with tokens nothing without one.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, Reply, Server, run};

#[test]
fn other_machines_are_not_served_without_a_token_or_a_word() {
    let data = tempfile::tempdir().unwrap();
    let ended = Ended::of_serve(data.path(), &["--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, Some(2));
    assert_eq!(
        ended.err,
        "error: 0.0.0.0:0 can be reached from other machines, and no token is asked for\n\
         hint: make a token with `towline token new`, or say --allow-anonymous if anybody may upload and download\n"
    );
    for allowed in [["--allow-anonymous", "--log-level=warn"], ["--token", "secret"]] {
        Server::start_with(data.path(), |command| {
            command.args(["--listen", "0.0.0.0:0"]).args(allowed);
        });
    }
}

#[test]
fn with_a_token_every_request_needs_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), |command| {
        command.env("TOWLINE_TOKEN", "open-sesame");
    });
    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some("open-sesame"), 200)] {
        assert_eq!(ask(&server, token, "GET", "/sessions", None).status, status, "{token:?}");
        assert_eq!(ask(&server, token, "GET", "/metrics", None).status, status, "{token:?}");
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn metrics_are_refused_as_everything_else_is() {
    let data = tempfile::tempdir().unwrap();
    let (token, settings) = make_token("ali");
    let file = data.path().join("towline.toml");
    fs::write(&file, settings.replace(", \"manage\"", "")).unwrap();
    let server = Server::start_with(&data.path().join("data"), |command| {
        command.arg("--config").arg(&file);
    });
    for (token, status, kind) in [(None, 401, "unauthenticated"), (Some(token.as_str()), 403, "forbidden")] {
        let reply = ask(&server, token, "GET", "/metrics", None);
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.json()["type"], format!("/api/errors#{kind}"));
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401);
        assert!(reply.header("x-request-id").is_some_and(|id| reply.json()["request_id"] == id));
    }
}

#[test]
fn owners_see_and_touch_their_own_uploads_only() {
    let data = tempfile::tempdir().unwrap();
    let (ali, ali_settings) = make_token("ali");
    let (bob, bob_settings) = make_token("bob");
    let (guest, guest_settings) = make_token("guest");
    let limited = |settings: String| settings.replace(", \"manage\"", "") + "prefix = \"shared/\"\n";
    let guest_settings = guest_settings.replace("\"upload\", \"read\", \"delete\", \"manage\"", "\"read\"");
    let file = data.path().join("towline.toml");
    fs::write(&file, limited(ali_settings) + &limited(bob_settings) + &guest_settings).unwrap();
    let server = Server::start_with(&data.path().join("data"), |command| {
        command.arg("--config").arg(&file);
    });
    let order = json!({"filename": "shared/a.bin", "file_size": 3});
    let begun = ask(&server, Some(&ali), "POST", "/upload/init", Some(&order)).ok();
    let path = format!("/upload/{}/status", begun["session_id"].as_str().unwrap());
    assert_eq!(ask(&server, Some(&ali), "GET", &path, None).status, 200);
    assert_eq!(ask(&server, Some(&bob), "GET", &path, None).status, 404);
    assert_eq!(ask(&server, Some(&bob), "GET", "/sessions", None).ok()["total"], 0);
    assert_eq!(ask(&server, Some(&ali), "GET", "/metrics", None).status, 403);
    assert_eq!(ask(&server, Some(&guest), "POST", "/upload/init", Some(&order)).status, 403);
    let elsewhere = json!({"filename": "private/a.bin", "file_size": 3});
    assert_eq!(ask(&server, Some(&ali), "POST", "/upload/init", Some(&elsewhere)).status, 403);
}

/// A token, and the settings that admit it.
fn make_token(name: &str) -> (String, String) {
    let ended = run(&["token", "new", "--name", name]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let (token, settings) = ended.out.split_once("\n\n").unwrap();
    (token.to_owned(), settings.to_owned())
}

fn ask(server: &Server, token: Option<&str>, method: &str, path: &str, body: Option<&Value>) -> Reply {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
    let body = body.map(Value::to_string).unwrap_or_default();
    server.connect().send(method, path, &headers, body.as_bytes())
}
