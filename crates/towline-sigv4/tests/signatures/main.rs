//! Signatures as others see them: AWS's examples, what is signed here verified here, and what must be denied.

mod chunks;
mod denials;
mod examples;
mod round_trips;

use std::time::Duration;

use towline_sigv4::{Claim, Credentials, Moment, Request, Rules, Secret, Signer};

fn signer() -> Signer {
    let credentials = Credentials {
        access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        session_token: None,
    };
    Signer::new(credentials, "us-east-1")
}

fn moment() -> Moment {
    Moment::parse("20130524T000000Z").expect("a moment")
}

fn rules() -> Rules<'static> {
    Rules { region: "us-east-1", now: moment(), skew: Duration::from_mins(15), key_days: 0 }
}

fn verify(request: &Request<'_>) -> Claim {
    let claim = Claim::find(request).expect("a claim").expect("the request is signed");
    claim.verify(&rules(), &signer().key(claim.scope.day), request).expect("what AWS signed is believed");
    claim
}
