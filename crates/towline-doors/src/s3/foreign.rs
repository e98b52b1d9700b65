//! What S3 does when a header asks for it, and this door does not: who asks is told so before the body is read, and
//! not given something plainer. Pure.

use super::problem::{Denied, INVALID_ARGUMENT};

/// What is not done here; a name that ends with a hyphen stands for all that begin with it.
const FOREIGN: [&str; 8] = [
    "x-amz-copy-source-server-side-encryption-",
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-",
    TAGGING,
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
];

/// An empty set of tags is what every file has.
const TAGGING: &str = "x-amz-tagging";

const ACL: &str = "x-amz-acl";

/// Accepted because clients send them unasked. They change nothing: all is the owner's.
const CANNED: [&str; 7] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// Refuses what is asked for by names and values: of headers, and of a query or a form that stands for them.
pub(super) fn check<'a>(said: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<(), Denied> {
    for (name, value) in said {
        let name = name.to_ascii_lowercase();
        let value = value.trim_ascii();
        if name == ACL && !value.is_empty() && !CANNED.iter().any(|known| known.as_bytes() == value) {
            let message = format!("{ACL} is none of {}", CANNED.join(", "));
            return Err(Denied::new(INVALID_ARGUMENT, message).with("ArgumentName", ACL));
        }
        if is_foreign(&name) && !(name == TAGGING && value.is_empty()) {
            return Err(Denied::not_implemented(&name));
        }
    }
    Ok(())
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.iter().any(|known| name == *known || (known.ends_with('-') && name.starts_with(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, value: &str) -> Option<&'static str> {
        check([(name, value.as_bytes())].into_iter()).err().map(|denied| denied.code().0)
    }

    #[test]
    fn what_is_not_done_is_told_from_what_changes_nothing() {
        for name in [
            "x-amz-server-side-encryption",
            "X-Amz-Server-Side-Encryption-Customer-Key-MD5",
            "x-amz-copy-source-server-side-encryption-customer-key",
            "x-amz-object-lock-legal-hold",
            "x-amz-grant-read",
            "x-amz-tagging",
            "x-amz-website-redirect-location",
            "x-amz-write-offset-bytes",
        ] {
            assert_eq!(code(name, "5"), Some("NotImplemented"), "{name}");
        }
        for (name, value) in [
            ("x-amz-tagging", " "),
            ("x-amz-tagging-directive", "COPY"),
            ("x-amz-acl", "bucket-owner-full-control"),
            ("x-amz-acl", ""),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-meta-x-amz-tagging", "a=b"),
        ] {
            assert_eq!(code(name, value), None, "{name}: {value}");
        }
        assert_eq!(code("x-amz-acl", "Private"), Some("InvalidArgument"));
    }
}
