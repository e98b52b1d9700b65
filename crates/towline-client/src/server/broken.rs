//! What it means when there was no answer at all.

use std::error::Error;
use std::io;
use std::iter;

use http::Uri;
use hyper_util::client::legacy;

use super::line::host;
use crate::trouble::Trouble;

/// A line that broke may be mended; what does not speak TLS or HTTP will not learn it.
pub(super) fn broken(error: &legacy::Error, uri: &Uri) -> Trouble {
    let host = host(uri);
    if let Some(tls) = causes(error).find_map(tls) {
        return untrusted(tls, host);
    }
    let reason = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
    if error.is_connect() {
        return Trouble::passing(format!("cannot reach {host}: {reason}"));
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>()) {
        Some(cause) if cause.is_parse() => {
            Trouble::refused(format!("what answers at {host} does not speak HTTP: {reason}"))
                .hint("is the port right, and should it be https:// ?")
        }
        Some(cause) if cause.is_incomplete_message() => {
            Trouble::passing(format!("{host} closed the connection before it answered"))
        }
        Some(_) | None => Trouble::passing(format!("the line to {host} broke: {reason}")),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    // Twice: a reference to an error is an error, too, that lives no longer than the reference.
    iter::successors(Some(error), |error| (**error).source())
}

/// An error of TLS comes wrapped in errors of IO, which do not name it as their source.
fn tls<'a>(mut cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    while let Some(wrapping) = cause.downcast_ref::<io::Error>() {
        cause = wrapping.get_ref()?;
    }
    cause.downcast_ref()
}

fn untrusted(error: &rustls::Error, host: &str) -> Trouble {
    if let rustls::Error::InvalidMessage(_) = error {
        return Trouble::refused(format!("what answers at {host} does not speak TLS"))
            .hint("should it be http:// ?");
    }
    if let rustls::Error::InvalidCertificate(problem) = error {
        return Trouble::refused(format!("the certificate of {host} is not trusted: {problem}"))
            .hint("install its issuer in the system's certificates, or use the name that it was issued for");
    }
    Trouble::passing(format!("the line to {host} broke: {error}"))
}
