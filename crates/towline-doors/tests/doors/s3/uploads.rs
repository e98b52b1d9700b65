//! Uploads in parts.

use insta::assert_snapshot;

use super::{S3, ask, between, code, completion, eve};
use crate::talk::FIRST;

#[tokio::test]
async fn an_upload_in_parts_goes_through() {
    let s3 = S3::default();
    let begun = ask("POST", "/towline/a b/ü.bin").query(&[("uploads", "")]);
    let begun = begun.headers(&[("content-type", "video/mp4"), ("x-amz-meta-note", "one")]);
    assert_snapshot!(s3.say(begun).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>towline</Bucket><Key>a b/ü.bin</Key><UploadId>00000000-0000-4000-8000-000000000001</UploadId></InitiateMultipartUploadResult>
    "#);
    let query = [("partNumber", "1"), ("uploadId", FIRST)];
    let part = ask("PUT", "/towline/a b/ü.bin").query(&query).body("0123");
    assert_snapshot!(s3.say(part).await, @r#"
    200 OK
    etag: "eb62f6b9306db575c2d596b1279627a4"
    "#);
    let tag = s3.put_part(("a b/ü.bin", FIRST), 3, "89").await;
    let listed = ask("GET", "/towline/a b/ü.bin").query(&[("uploadId", FIRST)]);
    assert_snapshot!(s3.say(listed).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>towline</Bucket><Key>a b/ü.bin</Key><UploadId>00000000-0000-4000-8000-000000000001</UploadId><Initiator><ID>ali</ID><DisplayName>ali</DisplayName></Initiator><Owner><ID>ali</ID><DisplayName>ali</DisplayName></Owner><StorageClass>STANDARD</StorageClass><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>&quot;eb62f6b9306db575c2d596b1279627a4&quot;</ETag><Size>4</Size></Part><Part><PartNumber>3</PartNumber><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>&quot;7647966b7343c29048673252e490f736&quot;</ETag><Size>2</Size></Part></ListPartsResult>
    "#);
    let parts = [(1, "eb62f6b9306db575c2d596b1279627a4"), (3, tag.as_str())];
    let completed = s3.complete(("a b/ü.bin", FIRST), &parts).await;
    assert_snapshot!(completed, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Location>http://s3.test:8000/towline/a%20b/%C3%BC.bin</Location><Bucket>towline</Bucket><Key>a b/ü.bin</Key><ETag>&quot;5c406659e853d0fdf7932295d8c6049c-2&quot;</ETag><ChecksumCRC64NVME>W8C3ls90FqI=</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>
    "#);
    assert_eq!(s3.complete(("a b/ü.bin", FIRST), &parts).await, completed, "a repeat is answered alike");
    assert_eq!(s3.talk.house.store.object("a b/ü.bin").unwrap(), "012389");
    assert_snapshot!(s3.say(ask("HEAD", "/towline/a b/ü.bin")).await, @r#"
    200 OK
    accept-ranges: bytes
    content-security-policy: default-src 'none'; sandbox
    content-type: video/mp4
    etag: "5c406659e853d0fdf7932295d8c6049c-2"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    x-amz-meta-note: one
    x-content-type-options: nosniff
    "#);
    assert_eq!(s3.code(listed).await, "404 NoSuchUpload");
}

#[tokio::test]
async fn only_the_parts_that_are_named_become_the_file() {
    let s3 = S3::default();
    let id = s3.begin("a").await;
    let first = s3.put_part(("a", &id), 1, "0123").await;
    s3.put_part(("a", &id), 2, "4567").await;
    let third = s3.put_part(("a", &id), 3, "89").await;
    s3.complete(("a", &id), &[(1, &first), (3, &third)]).await;
    assert_eq!(s3.talk.house.store.object("a").unwrap(), "012389");
}

#[tokio::test]
async fn a_completion_that_does_not_fit_is_refused_in_s3s_words() {
    let s3 = S3::default();
    let id = s3.begin("a").await;
    let first = s3.put_part(("a", &id), 1, "012").await;
    let second = s3.put_part(("a", &id), 2, "3").await;
    let other = "00000000000000000000000000000000";
    for (parts, refusal) in [
        (&[(1, first.as_str()), (2, other)][..], "400 InvalidPart"),
        (&[(1, &first), (3, other)], "400 InvalidPart"),
        (&[(2, &second), (1, &first)], "400 InvalidPartOrder"),
        (&[(1, &first), (1, &first)], "400 InvalidPartOrder"),
        (&[(1, &first), (10_001, other)], "400 InvalidArgument"),
        (&[], "400 MalformedXML"),
        (&[(1, &first), (2, &second)], "400 EntityTooSmall"),
    ] {
        assert_eq!(code(&s3.complete(("a", &id), parts).await), refusal, "{parts:?}");
    }
    assert_snapshot!(s3.complete(("a", &id), &[(1, &first), (2, &second)]).await, @r#"
    400 Bad Request
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>EntityTooSmall</Code><Message>Your proposed upload is smaller than the minimum allowed size</Message><ProposedSize>3</ProposedSize><MinSizeAllowed>4</MinSizeAllowed><PartNumber>1</PartNumber><Resource>/towline/a</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>
    "#);
    let query = [("uploadId", id.as_str())];
    let broken = ask("POST", "/towline/a").query(&query).body("<Complete");
    assert_eq!(s3.code(broken).await, "400 MalformedXML");
    let huge = " ".repeat(2 * 1024 * 1024 + 1);
    let huge = ask("POST", "/towline/a").query(&query).body(&huge);
    assert_eq!(s3.code(huge).await, "400 MaxMessageLengthExceeded");
    assert_eq!(s3.talk.house.store.object("a"), None);
}

#[tokio::test]
async fn parts_are_numbered_from_1_to_10000() {
    let s3 = S3::default();
    let id = s3.begin("a").await;
    for number in ["0", "10001", "-1", "x", ""] {
        let query = [("partNumber", number), ("uploadId", id.as_str())];
        let part = ask("PUT", "/towline/a").query(&query).body("0123");
        let reply = s3.say(part).await;
        assert_eq!(code(&reply), "400 InvalidArgument", "{number}");
        assert!(reply.contains("Part number must be an integer between 1 and 10000, inclusive"), "{reply}");
    }
    s3.put_part(("a", &id), 10_000, "0123").await;
}

#[tokio::test]
async fn an_upload_is_found_by_its_id_its_key_and_its_owner_together() {
    let s3 = S3::default();
    let id = s3.begin("shared/a").await;
    let query = [("uploadId", id.as_str())];
    let part = [("partNumber", "1"), ("uploadId", id.as_str())];
    for (method, query) in [("PUT", &part[..]), ("GET", &query), ("DELETE", &query)] {
        let other = ask(method, "/towline/shared/b").query(query).body("0123");
        assert_eq!(s3.code(other).await, "404 NoSuchUpload", "{method}");
        let own = ask(method, "/towline/shared/a").query(query).body("0123");
        assert_eq!(code(&s3.say_as(&eve(), own).await), "404 NoSuchUpload", "{method}");
    }
    let body = completion(&[(1, "a")]);
    let completed = ask("POST", "/towline/shared/b").query(&query).body(&body);
    assert_eq!(s3.code(completed).await, "404 NoSuchUpload");
    let unknown = ask("GET", "/towline/shared/a").query(&[("uploadId", "what\u{1}ever")]);
    assert_eq!(s3.code(unknown).await, "404 NoSuchUpload");
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let s3 = S3::default();
    let id = s3.begin("a").await;
    let tag = s3.put_part(("a", &id), 1, "0123").await;
    let query = [("uploadId", id.as_str())];
    let abort = ask("DELETE", "/towline/a").query(&query);
    assert_eq!(s3.code(abort).await, "204");
    assert_eq!(s3.code(abort).await, "404 NoSuchUpload");
    assert_eq!(code(&s3.complete(("a", &id), &[(1, &tag)]).await), "404 NoSuchUpload");
    let part = [("partNumber", "1"), ("uploadId", id.as_str())];
    assert_eq!(s3.code(ask("PUT", "/towline/a").query(&part).body("0123")).await, "404 NoSuchUpload");
}

#[tokio::test]
async fn landed_parts_come_in_pages() {
    let s3 = S3::default();
    let id = s3.begin("a").await;
    for number in [1, 2, 5] {
        s3.put_part(("a", &id), number, "0123").await;
    }
    let page = |after| {
        let (s3, id) = (&s3, id.as_str());
        async move {
            let query = [("uploadId", id), ("max-parts", "2"), ("part-number-marker", after)];
            let reply = s3.say(ask("GET", "/towline/a").query(&query)).await;
            let numbers: Vec<String> =
                reply.split("<PartNumber>").skip(1).map(|rest| rest[..1].to_owned()).collect();
            (numbers.join(","), reply.contains("<IsTruncated>true</IsTruncated>"))
        }
    };
    assert_eq!(page("0").await, ("1,2".to_owned(), true));
    assert_eq!(page("2").await, ("5".to_owned(), false));
    assert_eq!(page("1").await, ("2,5".to_owned(), false));
}

#[tokio::test]
async fn what_a_client_says_of_the_whole_is_compared_before_it_is_visible() {
    let s3 = S3::default();
    let id = s3.begin("a").await;
    let first = s3.put_part(("a", &id), 1, "0123").await;
    let second = s3.put_part(("a", &id), 2, "456789").await;
    let body = completion(&[(1, &first), (2, &second)]);
    let query = [("uploadId", id.as_str())];
    let complete = |headers| ask("POST", "/towline/a").query(&query).headers(headers).body(&body);
    let wrong = complete(&[("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")]);
    assert_eq!(s3.code(wrong).await, "400 BadDigest");
    assert_eq!(s3.code(complete(&[("x-amz-mp-object-size", "9")])).await, "400 InvalidRequest");
    assert_eq!(s3.talk.house.store.object("a"), None);
    let right = [("x-amz-checksum-crc64nvme", "Ffmx7kz9nB0="), ("x-amz-mp-object-size", "10")];
    let reply = s3.say(complete(&right)).await;
    assert!(reply.contains("<ChecksumCRC64NVME>Ffmx7kz9nB0=</ChecksumCRC64NVME>"), "{reply}");
}

#[tokio::test]
async fn parts_are_copied_from_files_of_the_bucket() {
    let s3 = S3::default();
    s3.put("whole", "0123456789").await;
    let id = s3.begin("joined").await;
    let copy = async |number: &str, headers: &[(&str, &str)]| {
        let query = [("partNumber", number), ("uploadId", id.as_str())];
        s3.say(ask("PUT", "/towline/joined").query(&query).headers(headers)).await
    };
    let source = ("x-amz-copy-source", "/towline/whole");
    assert_snapshot!(copy("1", &[source, ("x-amz-copy-source-range", "bytes=5-9")]).await, @r#"
    200 OK
    content-type: application/xml

    <?xml version="1.0" encoding="UTF-8"?>
    <CopyPartResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>&quot;099ebea48ea9666a7da2177267983138&quot;</ETag></CopyPartResult>
    "#);
    let whole = copy("2", &[source]).await;
    for range in ["bytes=5-10", "bytes=6-5", "bytes=-5", "5-6"] {
        let refused = copy("3", &[source, ("x-amz-copy-source-range", range)]).await;
        assert_eq!(code(&refused), "400 InvalidArgument", "{range}");
    }
    assert_eq!(code(&copy("3", &[("x-amz-copy-source", "towline/none")]).await), "404 NoSuchKey");
    let listed = s3.say(ask("GET", "/towline/joined").query(&[("uploadId", id.as_str())])).await;
    assert!(!listed.contains("<PartNumber>3"), "{listed}");
    let tag = between(&whole, "<ETag>&quot;", "&quot;");
    let parts = [(1, between(&listed, "<ETag>&quot;", "&quot;")), (2, tag)];
    let completed = s3.complete(("joined", &id), &parts).await;
    assert_eq!(code(&completed), "200", "{completed}");
    assert_eq!(s3.talk.house.store.object("joined").unwrap(), "567890123456789");
}
