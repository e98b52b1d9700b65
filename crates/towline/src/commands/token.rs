//! `towline token`: makes tokens. The token itself is shown once and kept nowhere.

use serde_json::json;
use towline_core::digest::hex;
use towline_core::policy::Operation;

use crate::clock::random;
use crate::config::{Token, sha256};
use crate::exit::{Complaint, Exit};
use crate::{cli, output};

pub(super) fn run(asked: cli::Token) -> Result<Exit, Complaint> {
    let cli::Token::New { name, json } = asked;
    // The prefix lets scanners for leaked secrets know it.
    let secret = format!("towline_{}", hex(&random::<32>()));
    let token =
        Token { name, sha256: sha256(&secret), operations: Operation::ALL.to_vec(), prefix: String::new() };
    let text = if json {
        let token = json!({"token": secret, "settings": token.to_toml()});
        format!("{token:#}\n")
    } else {
        format!("{secret}\n\n[[tokens]]\n{}", token.to_toml())
    };
    output::data(&text)?;
    if !json {
        output::say(
            "\nThe first line is the token: give it to whom it is for, it is not shown again.\n\
             The rest goes into the server's settings file.\n",
        );
    }
    Ok(Exit::Done)
}
