//! The client's commands as a person types them: what they do, and what they say.

mod desk;
mod life;
mod readers;
mod silence;
mod straight;
mod wrong;

use crate::support::run;

#[test]
fn the_help_of_the_clients_commands_fits_a_screen_and_has_examples() {
    for command in ["put", "get", "verify", "resume", "status", "abort"] {
        let ended = run(&[command, "-h"]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        insta::assert_snapshot!(format!("short_help_of_{command}"), ended.out);
    }
}

#[test]
fn completions_and_manual_pages_know_the_clients_commands() {
    for (arguments, text) in [
        (&["completions", "bash"][..], "--simulate-failure"),
        (&["completions", "fish"], "simulate-failure"),
        (&["completions", "zsh"], "_files"),
        (&["man", "put"], "simulate\\-failure"),
        (&["man", "get"], "towline get"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ended.out.contains(text), "{arguments:?}");
    }
}
