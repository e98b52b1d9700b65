//! What is asked of the bucket as a whole: mostly that it is there, and has none of the things that buckets may have.

use axum::body::Body;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use towline_core::Error;
use towline_core::clock::Timestamp;
use towline_core::key::Key;

use super::body::{Intake, declared_digests};
use super::problem::Denied;
use super::xml::{Element, removal};
use super::{Visit, document};
use crate::json::empty;
use crate::moment::rfc3339;

/// A thousand keys of a thousand bytes, escaped.
const REMOVAL_BYTES_MAX: usize = 2 * 1024 * 1024;

impl Visit {
    pub(super) fn list_buckets(&self) -> Response {
        let listed = Element::reply("ListAllMyBucketsResult")
            .person("Owner", &self.who().owner)
            .open("Buckets")
            .open("Bucket")
            .text("Name", self.bucket())
            // It was always there.
            .text("CreationDate", &rfc3339(Timestamp::from_millis(0)));
        document(listed.end())
    }

    pub(super) fn head_bucket(&self) -> Response {
        let mut response = empty(StatusCode::OK);
        if let Ok(region) = HeaderValue::try_from(self.state.settings.s3.region.as_str()) {
            response.headers_mut().insert("x-amz-bucket-region", region);
        }
        response
    }

    /// The bucket is there already: tools that make sure of it are content.
    pub(super) fn make_bucket(&self) -> Response {
        let mut response = empty(StatusCode::OK);
        if let Ok(path) = HeaderValue::try_from(format!("/{}", self.bucket())) {
            response.headers_mut().insert(LOCATION, path);
        }
        response
    }

    pub(super) fn location(&self) -> Response {
        let region = self.state.settings.s3.region.as_str();
        // The first region has no name, for reasons of history.
        let region = if region == "us-east-1" { "" } else { region };
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</LocationConstraint>",
            quick_xml::escape::escape(region)
        );
        document(text)
    }

    pub(super) fn acl(&self) -> Response {
        let owner = &self.who().owner;
        let grantee = format!(
            "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">\
             <ID>{owner}</ID><DisplayName>{owner}</DisplayName></Grantee>",
            owner = quick_xml::escape::escape(owner)
        );
        let granted = Element::reply("AccessControlPolicy")
            .person("Owner", owner)
            .open("AccessControlList")
            .open("Grant")
            .raw(&grantee)
            .text("Permission", "FULL_CONTROL");
        document(granted.end())
    }

    pub(super) async fn remove_objects(self, body: Body) -> Result<Response, Denied> {
        let declared = declared_digests(&self.headers)?;
        let intake = Intake::new(&self.signed, declared, &self.headers, body)?;
        let (keys, is_quiet) = removal(&intake.collect(&self.state, REMOVAL_BYTES_MAX).await?)?;
        let mut told = Element::reply("DeleteResult");
        for text in keys {
            // What cannot be a key is not there, and that is all that was wanted.
            let removed = match Key::parse(&text) {
                Ok(key) => self.state.engine.remove(self.who(), &key).await.map(|_| ()),
                Err(_) => Ok(()),
            };
            match removed {
                Ok(()) if is_quiet => {}
                Ok(()) => told = told.open("Deleted").text("Key", &text).close(),
                Err(Error::Refused(refusal)) => {
                    let denied = Denied::from(refusal);
                    told = told.open("Error").text("Key", &text).text("Code", denied.code().0);
                    told = told.text("Message", denied.message()).close();
                }
                Err(failed) => return Err(failed.into()),
            }
        }
        Ok(document(told.end()))
    }

    pub(super) async fn remove(self, key: &Key) -> Result<Response, Denied> {
        self.state.engine.remove(self.who(), key).await?;
        Ok(no_content())
    }
}

pub(super) fn no_content() -> Response {
    empty(StatusCode::NO_CONTENT)
}

/// There are no versions.
pub(super) fn versioning() -> Response {
    document(Element::reply("VersioningConfiguration").end())
}

/// There are no tags.
pub(super) fn tagging() -> Response {
    document(Element::reply("Tagging").open("TagSet").end())
}
