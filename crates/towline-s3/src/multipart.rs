//! The requests of which a multipart upload is made, each once; what they mean for an upload is elsewhere.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Method;
use towline_core::digest::{Algorithm, Computed, Digest};

use crate::client::{Call, Client, Content, Reply};
use crate::problem::Problem;
use crate::tag::{bare, md5_of};
use crate::xml;

/// How the server makes sure that it has the bytes that were sent. Found out by a probe, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// By the CRC-64/NVME of each part, and of the whole.
    Crc64Whole,
    /// By the CRC-64/NVME of each part.
    Crc64,
    /// By the CRC32C of each part.
    Crc32c,
    /// Not by itself: its `ETag` is compared with our own MD5.
    Md5,
}

impl Check {
    /// What has to be computed of each part, beside CRC-64/NVME.
    pub fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Crc64Whole | Self::Crc64 => None,
            Self::Crc32c => Some(Algorithm::Crc32c),
            Self::Md5 => Some(Algorithm::Md5),
        }
    }

    /// What is said when an upload begins.
    pub fn of_upload(self) -> Vec<(String, String)> {
        match self {
            Self::Crc64Whole => vec![
                ("x-amz-checksum-algorithm".to_owned(), "CRC64NVME".to_owned()),
                ("x-amz-checksum-type".to_owned(), "FULL_OBJECT".to_owned()),
            ],
            Self::Crc64 | Self::Crc32c | Self::Md5 => Vec::new(),
        }
    }

    /// What is said of some bytes.
    pub fn of_bytes(self, computed: &Computed) -> Option<(String, String)> {
        let (name, algorithm) = match self {
            Self::Crc64Whole | Self::Crc64 => ("x-amz-checksum-crc64nvme", Algorithm::Crc64Nvme),
            Self::Crc32c => ("x-amz-checksum-crc32c", Algorithm::Crc32c),
            Self::Md5 => return None,
        };
        Some((name.to_owned(), BASE64_STANDARD.encode(computed.get(algorithm)?.bytes())))
    }

    /// Compares what the server says it stored with what was sent, where it does not compare itself.
    pub fn compare(self, tag: &str, computed: &Computed) -> Result<(), Problem> {
        let (Self::Md5, Some(stored), Some(sent)) = (self, md5_of(tag), computed.get(Algorithm::Md5)) else {
            return Ok(());
        };
        if sent.bytes() == stored {
            return Ok(());
        }
        Err(Problem::Differs { sent: sent.to_hex(), stored: tag.to_owned() })
    }
}

/// An upload of one object in parts.
#[derive(Clone, Copy, Debug)]
pub struct Multipart<'a> {
    pub client: &'a Client,
    pub name: &'a str,
    pub s3_id: &'a str,
}

/// Begins an upload and gives back its id.
pub async fn begin(
    client: &Client,
    name: &str,
    headers: impl IntoIterator<Item = (String, String)>,
) -> Result<String, Problem> {
    Ok(begun(client, name, headers).await?.0)
}

/// Begins an upload and gives back its id and all that was answered.
pub async fn begun(
    client: &Client,
    name: &str,
    headers: impl IntoIterator<Item = (String, String)>,
) -> Result<(String, Reply), Problem> {
    let call = Call::new(Method::POST, client.address.path(name)).query("uploads", "").headers(headers);
    let reply = client.send(call).await?;
    let begun: xml::Begun = xml::read(&reply.body)?;
    if begun.upload_id.is_empty() || begun.upload_id.contains(' ') {
        return Err(Problem::garbled("an upload id that cannot be kept"));
    }
    Ok((begun.upload_id, reply))
}

impl Multipart<'_> {
    fn call(&self, method: Method) -> Call {
        Call::new(method, self.client.address.path(self.name)).query("uploadId", self.s3_id)
    }

    /// The request that carries a part, but for its bytes.
    pub fn put_call(&self, number: u32) -> Call {
        self.call(Method::PUT).query("partNumber", number.to_string())
    }

    /// The parts with numbers above `after`, a page of the server's size. Nothing when there is no such upload.
    pub async fn parts(&self, after: u32, limit: Option<u32>) -> Result<Option<xml::Parts>, Problem> {
        let mut call = self.call(Method::GET).query("part-number-marker", after.to_string());
        if let Some(limit) = limit {
            call = call.query("max-parts", limit.to_string());
        }
        match self.client.send(call).await {
            Ok(reply) => xml::read(&reply.body).map(Some),
            Err(problem) if problem.is_upload_missing() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Makes the object of these parts and gives back its `ETag`.
    pub async fn complete<'p>(
        &self,
        parts: impl Iterator<Item = (u32, &'p str)>,
        headers: impl IntoIterator<Item = (String, String)>,
    ) -> Result<String, Problem> {
        Ok(bare(&self.completed(parts, headers).await?.tag).to_owned())
    }

    /// Makes the object of these parts and gives back all that was answered.
    pub async fn completed<'p>(
        &self,
        parts: impl Iterator<Item = (u32, &'p str)>,
        headers: impl IntoIterator<Item = (String, String)>,
    ) -> Result<xml::Done, Problem> {
        let document = Content::Text(Bytes::from(xml::completion(parts)));
        let call = self.call(Method::POST).headers(headers).content(document).slow();
        xml::read(&self.client.send(call).await?.body)
    }

    /// Copies a stretch of another object to a part.
    pub async fn copy_part(&self, number: u32, source: &str, range: (u64, u64)) -> Result<String, Problem> {
        let call = self
            .put_call(number)
            .header("x-amz-copy-source", copy_source(self.client, source))
            .header("x-amz-copy-source-range", format!("bytes={}-{}", range.0, range.1 - 1))
            .slow();
        xml::read_done(&self.client.send(call).await?.body)
    }

    /// Forgets the upload. Again, or of one that never was, is fine.
    pub async fn abort(&self) -> Result<(), Problem> {
        match self.client.send(self.call(Method::DELETE)).await {
            Ok(_) => Ok(()),
            Err(problem) if problem.is_missing() || problem.is_upload_missing() => Ok(()),
            Err(problem) => Err(problem),
        }
    }
}

/// The name of an object as a copy's source.
pub fn copy_source(client: &Client, name: &str) -> String {
    towline_sigv4::encode_path(&format!("/{}/{name}", client.address.bucket))
}

/// What is known of an object without reading it; nothing when it is not there.
pub async fn head(client: &Client, name: &str) -> Result<Option<Reply>, Problem> {
    let call = Call::new(Method::HEAD, client.address.path(name)).header("x-amz-checksum-mode", "ENABLED");
    match client.send(call).await {
        Ok(reply) => Ok(Some(reply)),
        Err(problem) if problem.is_missing() => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Removes an object. Again, or one that never was, is fine.
pub async fn remove(client: &Client, name: &str) -> Result<(), Problem> {
    match client.send(Call::new(Method::DELETE, client.address.path(name))).await {
        Ok(_) => Ok(()),
        Err(problem) if problem.is_missing() => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// A checksum as a header or a document says it; nothing when it is put together from those of the parts.
pub fn crc64_of(text: &str) -> Option<u64> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// A checksum as a header says it.
pub fn crc64_text(crc64: u64) -> String {
    BASE64_STANDARD.encode(Digest::of_crc64(crc64).bytes())
}

/// The mark of a listed part.
pub fn tag_of(part: &xml::Part) -> &str {
    bare(&part.tag)
}

#[cfg(test)]
mod tests {
    use towline_core::digest::Digester;

    use super::*;

    fn computed(check: Check) -> Computed {
        let mut digester = Digester::new(check.algorithm());
        digester.update(b"123456789");
        digester.finish()
    }

    #[test]
    fn bytes_are_vouched_for_by_what_the_server_knows() {
        for (check, expected) in [
            (Check::Crc64Whole, Some(("x-amz-checksum-crc64nvme", "rosUhgp5mIg="))),
            (Check::Crc64, Some(("x-amz-checksum-crc64nvme", "rosUhgp5mIg="))),
            (Check::Crc32c, Some(("x-amz-checksum-crc32c", "4waSgw=="))),
            (Check::Md5, None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(check.of_bytes(&computed(check)), expected);
        }
        assert_eq!(crc64_of("rosUhgp5mIg="), Some(0xae8b_1486_0a79_9888));
        assert_eq!(crc64_of("rosUhgp5mIg=-3"), None);
        assert_eq!(crc64_text(0xae8b_1486_0a79_9888), "rosUhgp5mIg=");
    }

    #[test]
    fn an_etag_that_is_another_md5_is_seen() {
        let computed = computed(Check::Md5);
        assert!(Check::Md5.compare("25f9e794323b453885f5181f1b624d0b", &computed).is_ok());
        assert!(Check::Md5.compare("35f9e794323b453885f5181f1b624d0b", &computed).is_err());
        assert!(Check::Md5.compare("not an md5", &computed).is_ok());
    }
}
