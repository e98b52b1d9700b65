//! Which objects are clients' and which are the store's own: those lie in a corner of the bucket that no client can name.

use towline_core::key::Key;
use towline_core::upload::UploadId;
use towline_s3::Address;

/// The folder of what is ours alone: files that gather, tails, probes.
pub(super) const OWN: &str = ".towline/";

/// The key of an object, where it is one that a client may name.
pub(super) fn key(address: &Address, name: &str) -> Option<Key> {
    Key::parse(name.strip_prefix(&address.prefix)?).ok()
}

/// The folder of all that is the store's own.
pub(super) fn own(address: &Address) -> String {
    address.name(OWN)
}

/// The folder of one upload's own things.
pub(super) fn folder(address: &Address, id: UploadId) -> String {
    format!("{}{OWN}{id}/", address.prefix)
}

/// The folder of the tails of an upload that gathers under its key.
pub(super) fn tails(address: &Address, fold: &str) -> String {
    format!("{}{OWN}{fold}/", address.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::S3Settings;

    #[test]
    fn what_is_our_own_is_no_key() {
        let settings = S3Settings { prefix: "in/".to_owned(), ..S3Settings::new("box", "r") };
        let address = Address::new(&settings.connection()).unwrap();
        assert_eq!(key(&address, "in/a").unwrap().as_str(), "a");
        for name in ["a", "in/.towline/x", "in/.towline", "in/a/", "in/a//b", "in/"] {
            assert_eq!(key(&address, name), None, "{name}");
        }
        assert!(key(&address, "in/.towlines").is_some());
    }
}
