//! Conversations of clients and servers, in pieces of every size.

use super::*;
use crate::chaos::Conditions;
use crate::chaos::luck::Luck;
use crate::chaos::value::Share;

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const PUT: &str = "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const REPLY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn refuse() -> Fate {
    let conditions = Conditions { error_rate: Share::parse("100%").unwrap(), ..Conditions::default() };
    Luck::new(&conditions, 1).fate()
}

/// Sends a text in pieces of a size; gives what was passed, and all steps together.
fn send(exchange: &mut Exchange, text: &str, piece_bytes: usize, fate: fn() -> Fate) -> (String, Upward) {
    let (mut held, mut passed, mut all) = (Vec::new(), Vec::new(), Upward::default());
    for piece in text.as_bytes().chunks(piece_bytes) {
        held.extend_from_slice(piece);
        let step = exchange.upward(&held, fate);
        passed.extend(held.drain(..step.pass_bytes));
        all.requests += step.requests;
        if step.refusal.is_some() {
            all.refusal = step.refusal;
            break;
        }
    }
    (String::from_utf8(passed).unwrap(), all)
}

fn answer(exchange: &mut Exchange, text: &str, piece_bytes: usize) -> (String, usize, bool) {
    let (mut held, mut passed, mut dropped, mut is_swallowed) = (Vec::new(), Vec::new(), 0, false);
    for piece in text.as_bytes().chunks(piece_bytes) {
        held.extend_from_slice(piece);
        let step = exchange.downward(&held);
        passed.extend(held.drain(..step.pass_bytes));
        held.drain(..step.drop_bytes);
        dropped += step.drop_bytes;
        is_swallowed |= step.is_swallowed;
    }
    (String::from_utf8(passed).unwrap(), dropped, is_swallowed)
}

#[test]
fn all_passes_and_requests_are_counted_however_it_is_cut_up() {
    for piece_bytes in 1..200 {
        let mut exchange = Exchange::default();
        for request in [GET, PUT, CHUNKED, GET] {
            let (passed, step) = send(&mut exchange, request, piece_bytes, || Fate::Pass);
            assert_eq!((passed.as_str(), step.requests), (request, 1));
            let replies = format!("{CONTINUE}{REPLY}");
            assert_eq!(answer(&mut exchange, &replies, piece_bytes), (replies, 0, false));
        }
        let pipelined = [GET, PUT, CHUNKED].concat();
        let (passed, step) = send(&mut exchange, &pipelined, piece_bytes, || Fate::Pass);
        assert_eq!((passed, step.requests), (pipelined, 3));
    }
}

#[test]
fn a_refused_request_does_not_reach_the_server() {
    for piece_bytes in 1..200 {
        let mut exchange = Exchange::default();
        send(&mut exchange, GET, piece_bytes, || Fate::Pass);
        answer(&mut exchange, REPLY, piece_bytes);
        let (passed, step) = send(&mut exchange, PUT, piece_bytes, refuse);
        assert_eq!((passed.as_str(), step.requests), ("", 1));
        assert!(step.refusal.unwrap().starts_with("HTTP/1.1 "));
    }
}

#[test]
fn a_request_behind_others_is_never_refused() {
    let mut exchange = Exchange::default();
    send(&mut exchange, GET, 1, || Fate::Pass);
    let (passed, step) = send(&mut exchange, GET, 1, refuse);
    assert_eq!((passed.as_str(), step.refusal), (GET, None));
}

#[test]
fn a_swallowed_reply_is_dropped_to_its_end_but_not_the_call_for_the_body() {
    for piece_bytes in 1..200 {
        let mut exchange = Exchange::default();
        let (passed, _) = send(&mut exchange, PUT, piece_bytes, || Fate::Swallow);
        assert_eq!(passed, PUT);
        let replies = format!("{CONTINUE}{REPLY}");
        let (passed, dropped, is_swallowed) = answer(&mut exchange, &replies, piece_bytes);
        assert_eq!((passed.as_str(), dropped, is_swallowed), (CONTINUE, REPLY.len(), true));
    }
    let mut exchange = Exchange::default();
    send(&mut exchange, GET, 1, || Fate::Swallow);
    assert!(!exchange.end_downward());
    assert_eq!(answer(&mut exchange, "HTTP/1.0 200 OK\r\n\r\nuntil the end", 7), (String::new(), 32, false));
    assert!(exchange.end_downward());
}

#[test]
fn what_is_no_http_just_passes() {
    for (hello, reply) in [("\u{16}\u{3}\u{1}GET", "\u{16}\u{3}"), ("EHLO a\r\n", "250 a\r\n")] {
        let mut exchange = Exchange::default();
        let (passed, step) = send(&mut exchange, hello, 1, refuse);
        assert_eq!((passed.as_str(), step.requests, step.refusal), (hello, 0, None));
        assert_eq!(answer(&mut exchange, reply, 1).0, reply);
    }
    // Some servers speak first.
    assert_eq!(answer(&mut Exchange::default(), "220 ready\r\n", 1).0, "220 ready\r\n");
}

#[test]
fn a_connection_that_changes_its_protocol_just_passes_from_then_on() {
    let upgrade = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    for (request, reply) in [
        (upgrade, "HTTP/1.1 101 Switching Protocols\r\n\r\n\u{1}\u{2}"),
        ("CONNECT a:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n\u{1}\u{2}"),
    ] {
        let mut exchange = Exchange::default();
        send(&mut exchange, request, 1, || Fate::Pass);
        assert_eq!(answer(&mut exchange, reply, 1).0, reply);
        assert_eq!(send(&mut exchange, GET, 1, refuse).0, GET);
    }
}
