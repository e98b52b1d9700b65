//! What a request asks for: its method, its address and its query make one operation. Pure.

use axum::http::{HeaderMap, Method};
use towline_core::key::{Key, KeyProblem};
use towline_core::upload::UploadId;

use super::problem::{Code, Denied, INVALID_ARGUMENT, METHOD_NOT_ALLOWED, NO_SUCH_BUCKET, part_number};
use super::query::Parameters;
use axum::http::StatusCode;

/// Names an upload: neither its id nor its key alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UploadName {
    pub(super) key: Key,
    pub(super) id: UploadId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    ListBuckets,
    HeadBucket,
    MakeBucket,
    Location,
    Versioning,
    Acl,
    Tagging,
    ListObjects,
    ListUploads,
    RemoveObjects,
    Get(Key),
    Head(Key),
    Put(Key),
    Copy(Key),
    Remove(Key),
    /// What is to be removed cannot be there.
    RemoveNothing,
    Create(Key),
    PutPart(UploadName, u64),
    CopyPart(UploadName, u64),
    ListParts(UploadName),
    Complete(UploadName),
    Abort(UploadName),
}

impl Operation {
    /// Whether it brings what a file will be, or how it is kept.
    pub(super) fn is_writing(&self) -> bool {
        matches!(
            self,
            Self::Put(_) | Self::Copy(_) | Self::Create(_) | Self::PutPart(..) | Self::CopyPart(..)
        )
    }
}

/// What S3 can do and this is not for. A request that asks for it must not be taken for a plain one.
const FOREIGN: [&str; 31] = [
    "accelerate",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metadataInventoryTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "torrent",
    "versionId",
    "versions",
    "website",
    "append",
];

/// What a bucket does not have, and how S3 says so.
const UNSET: [(&str, &str, &str); 8] = [
    ("cors", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    (
        "encryption",
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    ("lifecycle", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    (
        "object-lock",
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    ("policy", "NoSuchBucketPolicy", "The bucket policy does not exist"),
    (
        "publicAccessBlock",
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    ("tagging", "NoSuchTagSet", "The TagSet does not exist"),
    ("website", "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
];

/// A request as far as it decides what is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) query: &'a Parameters,
    pub(super) headers: &'a HeaderMap,
}

impl Asked<'_> {
    pub(super) fn of_service(self) -> Result<Operation, Denied> {
        match *self.method {
            Method::GET => Ok(Operation::ListBuckets),
            _ => Err(self.wrong_method()),
        }
    }

    pub(super) fn of_bucket(self) -> Result<Operation, Denied> {
        let unset = UNSET.iter().find(|(name, ..)| self.method == Method::GET && self.query.has(name));
        if let Some((_, code, message)) = unset {
            return Err(Denied::new(Code(code, StatusCode::NOT_FOUND), *message));
        }
        self.check_foreign()?;
        let asked = self.query.any(&["location", "versioning", "acl", "uploads", "delete"]);
        match (self.method, asked) {
            (&Method::HEAD, None) => Ok(Operation::HeadBucket),
            (&Method::PUT, None) => Ok(Operation::MakeBucket),
            (&Method::GET, None) => Ok(Operation::ListObjects),
            (&Method::GET, Some("location")) => Ok(Operation::Location),
            (&Method::GET, Some("versioning")) => Ok(Operation::Versioning),
            (&Method::GET, Some("acl")) => Ok(Operation::Acl),
            (&Method::GET, Some("uploads")) => Ok(Operation::ListUploads),
            (&Method::POST, Some("delete")) => Ok(Operation::RemoveObjects),
            (_, Some(name)) => Err(Denied::not_implemented(name)),
            (_, None) => Err(self.wrong_method()),
        }
    }

    pub(super) fn of_object(self, text: &str) -> Result<Operation, Denied> {
        self.check_foreign()?;
        let key = match Key::parse(text) {
            Ok(key) => key,
            Err(problem) => return self.of_no_key(text, &problem),
        };
        if let Some(id) = self.query.text("uploadId") {
            let id = UploadId::parse(id).ok_or_else(|| Denied::no_such_upload(id))?;
            return self.of_upload(UploadName { key, id });
        }
        let asked = self.query.any(&["uploads", "acl", "tagging", "partNumber"]);
        match (self.method, asked) {
            (&Method::POST, Some("uploads")) => Ok(Operation::Create(key)),
            (&Method::GET, Some("acl")) => Ok(Operation::Acl),
            (&Method::GET, Some("tagging")) => Ok(Operation::Tagging),
            (_, Some(name)) => Err(Denied::not_implemented(name)),
            (&Method::GET, None) => Ok(Operation::Get(key)),
            (&Method::HEAD, None) => Ok(Operation::Head(key)),
            (&Method::PUT, None) if self.headers.contains_key("x-amz-copy-source") => {
                Ok(Operation::Copy(key))
            }
            (&Method::PUT, None) => Ok(Operation::Put(key)),
            (&Method::DELETE, None) => Ok(Operation::Remove(key)),
            (_, None) => Err(self.wrong_method()),
        }
    }

    fn of_upload(self, name: UploadName) -> Result<Operation, Denied> {
        match *self.method {
            Method::GET => Ok(Operation::ListParts(name)),
            Method::POST => Ok(Operation::Complete(name)),
            Method::DELETE => Ok(Operation::Abort(name)),
            Method::PUT => {
                // The engine knows which numbers the upload has; what is no number is none of them.
                let number = self.query.number("partNumber").map_err(|_| part_number(10_000))?;
                let number = number.ok_or_else(|| part_number(10_000))?;
                if self.headers.contains_key("x-amz-copy-source") {
                    return Ok(Operation::CopyPart(name, number));
                }
                Ok(Operation::PutPart(name, number))
            }
            _ => Err(self.wrong_method()),
        }
    }

    /// What cannot be a key here can be looked for and removed all the same: it is not there.
    fn of_no_key(self, text: &str, problem: &KeyProblem) -> Result<Operation, Denied> {
        match *self.method {
            Method::GET | Method::HEAD => Err(Denied::no_such_key(text)),
            Method::DELETE => Ok(Operation::RemoveNothing),
            _ => Err(Denied::key(problem)),
        }
    }

    fn check_foreign(self) -> Result<(), Denied> {
        // A bucket without versions has one of each object, called null.
        let asked = self.query.any(&FOREIGN).filter(|name| {
            *name != "versionId" || !matches!(self.query.text("versionId"), Some("null" | ""))
        });
        asked.map_or(Ok(()), |name| Err(Denied::not_implemented(name)))
    }

    fn wrong_method(self) -> Denied {
        let message = "The specified method is not allowed against this resource.";
        Denied::new(METHOD_NOT_ALLOWED, message).with("Method", self.method.as_str())
    }
}

pub(super) fn no_such_bucket(bucket: &str) -> Denied {
    Denied::new(NO_SUCH_BUCKET, "The specified bucket does not exist").with("BucketName", bucket)
}

pub(super) fn not_text() -> Denied {
    Denied::new(INVALID_ARGUMENT, "The key is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, query: &str, key: Option<&str>) -> Result<Operation, &'static str> {
        let (query, headers) = (Parameters::parse(query), HeaderMap::new());
        let asked = Asked { method, query: &query, headers: &headers };
        let operation = key.map_or_else(|| asked.of_bucket(), |key| asked.of_object(key));
        operation.map_err(|denied| denied.code().0)
    }

    #[test]
    fn method_and_query_say_what_is_asked_for() {
        let key = Key::parse("a/b").unwrap();
        let id = UploadId::from_u128(1);
        let name = UploadName { key: key.clone(), id };
        let object = |method: &Method, query: &str| of(method, query, Some("a/b"));
        assert_eq!(object(&Method::GET, "x-id=GetObject"), Ok(Operation::Get(key.clone())));
        assert_eq!(object(&Method::GET, "versionId=null"), Ok(Operation::Get(key.clone())));
        assert_eq!(object(&Method::POST, "uploads"), Ok(Operation::Create(key.clone())));
        assert_eq!(object(&Method::POST, "uploads="), Ok(Operation::Create(key)));
        let part = format!("partNumber=3&uploadId={id}");
        assert_eq!(object(&Method::PUT, &part), Ok(Operation::PutPart(name.clone(), 3)));
        assert_eq!(object(&Method::DELETE, &format!("uploadId={id}")), Ok(Operation::Abort(name)));
        assert_eq!(of(&Method::GET, "list-type=2", None), Ok(Operation::ListObjects));
        assert_eq!(of(&Method::POST, "delete", None), Ok(Operation::RemoveObjects));
    }

    #[test]
    fn what_is_not_there_is_not_taken_for_something_else() {
        let object = |method: &Method, query: &str| of(method, query, Some("a")).unwrap_err();
        assert_eq!(object(&Method::PUT, "tagging"), "NotImplemented");
        assert_eq!(object(&Method::PUT, "acl"), "NotImplemented");
        assert_eq!(object(&Method::DELETE, "versionId=3"), "NotImplemented");
        assert_eq!(object(&Method::GET, "attributes"), "NotImplemented");
        assert_eq!(object(&Method::GET, "uploadId=x"), "NoSuchUpload");
        assert_eq!(object(&Method::PATCH, ""), "MethodNotAllowed");
        let id = UploadId::from_u128(1);
        for number in ["0x1", "-1", "", "1.5", "99999999999999999999"] {
            let query = format!("uploadId={id}&partNumber={number}");
            assert_eq!(object(&Method::PUT, &query), "InvalidArgument", "{number}");
        }
        assert_eq!(of(&Method::GET, "policy", None), Err("NoSuchBucketPolicy"));
        assert_eq!(of(&Method::PUT, "policy", None), Err("NotImplemented"));
        assert_eq!(of(&Method::DELETE, "", None), Err("MethodNotAllowed"));
    }

    #[test]
    fn names_that_cannot_be_files_are_absent_and_cannot_be_made() {
        for key in ["dir/", "/a", "a//b", "../a"] {
            assert_eq!(of(&Method::HEAD, "", Some(key)), Err("NoSuchKey"), "{key}");
            assert_eq!(of(&Method::DELETE, "", Some(key)), Ok(Operation::RemoveNothing), "{key}");
            assert_eq!(of(&Method::PUT, "", Some(key)), Err("InvalidArgument"), "{key}");
        }
    }
}
