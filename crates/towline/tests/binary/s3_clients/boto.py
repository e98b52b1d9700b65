"""boto3 against the S3 door, with all its defaults: a function for each behaviour, named by the first argument.

AWS's own variables say where the server is and which key holds. What is on the server's disk, the test looks at.
"""

import base64
import datetime
import hashlib
import os
import sys

import boto3
import botocore.auth
import requests
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = "towline"
MIB = 1024 * 1024
ODD_KEYS = [
    "with space.bin",
    "plus+plus.bin",
    "per%cent%20twice%2520.bin",
    "ümläut/日本語/🎬.bin",
    "'single' \"double\" & <angle> ;=?#.bin",
    "~tilde-_.!*()@$,:.bin",
    "back\\slash.bin",
]


def behind_tls():
    """A client that speaks as it does over TLS: its checksums follow the bodies. What would end the TLS in front of the
    server is left out. Gives also the names of the trailers it sent."""
    trailers = []

    def go_plainly(request, **_):
        request.url = request.url.replace("https:", "http:", 1)
        trailers.extend(value.decode() for name, value in request.headers.items() if name.lower() == "x-amz-trailer")

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"].replace("http:", "https:", 1))
    client.meta.events.register("before-send.s3", go_plainly)
    return client, trailers


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def assert_refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{code} was expected")


def assert_denied(code, response, status=403):
    assert response.status_code == status and f"<Code>{code}</Code>" in response.text, response.text


def threads():
    """`in.bin` goes in and comes out by eight threads."""
    config = TransferConfig(multipart_chunksize=6 * MIB, max_concurrency=8)
    client = boto3.client("s3")
    about = {"ContentType": "video/mp4", "Metadata": {"camera": "north-1"}}
    client.upload_file("in.bin", BUCKET, "large.bin", ExtraArgs=about, Config=config)
    client.download_file(BUCKET, "large.bin", "out.bin", Config=config)
    assert digest("in.bin") == digest("out.bin")
    head = client.head_object(Bucket=BUCKET, Key="large.bin")
    assert (head["ContentType"], head["Metadata"]) == ("video/mp4", {"camera": "north-1"}), head


def trailers():
    """The same, with the checksums behind the bodies."""
    client, seen = behind_tls()
    client.upload_file("in.bin", BUCKET, "large.bin", Config=TransferConfig(multipart_chunksize=6 * MIB))
    assert len(seen) > 10 and set(seen) == {"x-amz-checksum-crc32"}, seen
    told = client.put_object(Bucket=BUCKET, Key="small.bin", Body=b"small")
    assert told["ChecksumCRC32"] and len(seen) > 11, told
    told = client.put_object(Bucket=BUCKET, Key="small.bin", Body=b"small", ChecksumAlgorithm="SHA256")
    assert told["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"small").digest()).decode(), told
    assert client.get_object(Bucket=BUCKET, Key="small.bin")["Body"].read() == b"small"


def whole():
    """A file in one request."""
    client = boto3.client("s3")
    body = os.urandom(3 * MIB)
    told = client.put_object(Bucket=BUCKET, Key="whole.bin", Body=body, ContentType="image/png")
    assert told["ChecksumCRC32"], told
    got = client.get_object(Bucket=BUCKET, Key="whole.bin")
    assert got["Body"].read() == body
    assert (got["ETag"], got["ContentType"]) == (told["ETag"], "image/png"), got
    again = requests.get(presigned(client, "get_object", "whole.bin"), headers={"If-None-Match": got["ETag"]})
    assert again.status_code == 304, again.text
    client.delete_object(Bucket=BUCKET, Key="whole.bin")
    assert_refused("NoSuchKey", client.get_object, Bucket=BUCKET, Key="whole.bin")


def odd_keys():
    """Each key in, out, copied, listed, and half of them away."""
    client = boto3.client("s3")
    for key in ODD_KEYS:
        client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        got = client.get_object(Bucket=BUCKET, Key=key)
        assert got["Body"].read() == key.encode(), key
        client.copy_object(Bucket=BUCKET, Key=f"~{key}", CopySource={"Bucket": BUCKET, "Key": key})
        assert client.get_object(Bucket=BUCKET, Key=f"~{key}")["Body"].read() == key.encode(), key
        client.delete_object(Bucket=BUCKET, Key=f"~{key}")
    listed = [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert listed == sorted(ODD_KEYS, key=str.encode), listed
    gone = [{"Key": key} for key in ODD_KEYS[::2]]
    removed = client.delete_objects(Bucket=BUCKET, Delete={"Objects": gone})
    assert sorted(entry["Key"] for entry in removed["Deleted"]) == sorted(ODD_KEYS[::2]), removed
    listed = [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert listed == sorted(ODD_KEYS[1::2], key=str.encode), listed


def pages():
    """All pages of all lists."""
    client = boto3.client("s3")
    keys = [f"pages/{number:03}" for number in range(25)]
    for key in keys:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    for operation in ["list_objects_v2", "list_objects"]:
        found = client.get_paginator(operation).paginate(
            Bucket=BUCKET, Prefix="pages/", PaginationConfig={"PageSize": 4}
        )
        assert [entry["Key"] for page in found for entry in page["Contents"]] == keys, operation
    begun = [client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"] for key in keys[:5]]
    begun += [client.create_multipart_upload(Bucket=BUCKET, Key=keys[4])["UploadId"] for _ in range(3)]
    found = client.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 2})
    uploads = [(entry["Key"], entry["UploadId"]) for page in found for entry in page["Uploads"]]
    assert [key for key, _ in uploads] == keys[:5] + [keys[4]] * 3, uploads
    assert sorted(id for _, id in uploads) == sorted(begun), uploads
    for number in range(1, 8):
        client.upload_part(Bucket=BUCKET, Key=keys[0], UploadId=begun[0], PartNumber=number, Body=b"part")
    found = client.get_paginator("list_parts").paginate(
        Bucket=BUCKET, Key=keys[0], UploadId=begun[0], PaginationConfig={"PageSize": 3}
    )
    assert [part["PartNumber"] for page in found for part in page["Parts"]] == list(range(1, 8))
    for key, upload in uploads:
        client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)


def presigned(client, operation, key, **more):
    arguments = {"Bucket": BUCKET, "Key": key, **more}
    return client.generate_presigned_url(operation, Params=arguments, ExpiresIn=600)


def urls():
    """Signed URLs in the hands of a client that knows nothing of S3."""
    client = boto3.client("s3")
    body = os.urandom(100_000)
    put = presigned(client, "put_object", "by url.bin", ContentType="video/mp4")
    assert requests.put(put, data=body, headers={"Content-Type": "video/mp4"}).status_code == 200
    assert_denied("SignatureDoesNotMatch", requests.put(put, data=body, headers={"Content-Type": "text/html"}))
    assert_denied("SignatureDoesNotMatch", requests.put(put.replace("by%20url", "other"), data=body))
    assert_denied("SignatureDoesNotMatch", requests.get(put))
    got = requests.get(presigned(client, "get_object", "by url.bin"))
    assert got.content == body and got.headers["Content-Type"] == "video/mp4"

    key = "parts by url.bin"
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    parts, sent = [], [os.urandom(5 * MIB), os.urandom(1000)]
    for number, part in enumerate(sent, 1):
        url = presigned(client, "upload_part", key, UploadId=upload, PartNumber=number)
        answer = requests.put(url, data=part)
        assert answer.status_code == 200, answer.text
        parts.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
        other = url.replace(f"partNumber={number}", f"partNumber={number + 7}")
        assert other != url
        assert_denied("SignatureDoesNotMatch", requests.put(other, data=part))
    client.complete_multipart_upload(
        Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"".join(sent)


def forms():
    """A form that a page may post once it has been signed."""
    client = boto3.client("s3")
    conditions = [["content-length-range", 1, 1000], ["starts-with", "$Content-Type", "image/"]]
    form = client.generate_presigned_post(BUCKET, "forms/${filename}", Conditions=conditions, ExpiresIn=600)

    def post(body, content_type="image/png", **changed):
        fields = {**form["fields"], "Content-Type": content_type, **changed}
        return requests.post(form["url"], data=fields, files={"file": ("cat 1.png", body)})

    answer = post(b"meow")
    assert answer.status_code == 204 and answer.headers["ETag"], answer.text
    assert client.get_object(Bucket=BUCKET, Key="forms/cat 1.png")["Body"].read() == b"meow"
    answer = post(b"purr", success_action_status="201", key="forms/other")
    assert answer.status_code == 403, answer.text
    assert_denied("EntityTooLarge", post(b"x" * 1001), status=400)
    assert_denied("EntityTooSmall", post(b""), status=400)
    assert_denied("AccessDenied", post(b"meow", content_type="text/html"))
    assert_denied("SignatureDoesNotMatch", post(b"meow", policy=form["fields"]["policy"][:-4]))
    assert client.get_object(Bucket=BUCKET, Key="forms/cat 1.png")["Body"].read() == b"meow"


def conditions():
    """A file that must not be there yet."""
    client = boto3.client("s3")
    put = {"Bucket": BUCKET, "Key": "once.bin", "IfNoneMatch": "*"}
    client.put_object(Body=b"first", **put)
    assert_refused("PreconditionFailed", client.put_object, Body=b"second", **put)
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="once.bin")["UploadId"]
    part = client.upload_part(Bucket=BUCKET, Key="once.bin", UploadId=upload, PartNumber=1, Body=b"third")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    complete = {"UploadId": upload, "MultipartUpload": parts, **put}
    assert_refused("PreconditionFailed", client.complete_multipart_upload, **complete)
    client.abort_multipart_upload(Bucket=BUCKET, Key="once.bin", UploadId=upload)
    assert client.get_object(Bucket=BUCKET, Key="once.bin")["Body"].read() == b"first"


def times():
    """Signatures of another time: of a wrong clock, and of a URL whose time is over."""
    client = boto3.client("s3")
    client.put_object(Bucket=BUCKET, Key="now.bin", Body=b"now")
    right = botocore.auth.get_current_datetime

    def at(minutes):
        botocore.auth.get_current_datetime = lambda *more: right(*more) + datetime.timedelta(minutes=minutes)

    for minutes in (-20, 20):
        at(minutes)
        assert_refused("RequestTimeTooSkewed", client.get_object, Bucket=BUCKET, Key="now.bin")
    for minutes in (-5, 5):
        at(minutes)
        client.get_object(Bucket=BUCKET, Key="now.bin")
    at(-9)
    assert requests.get(presigned(client, "get_object", "now.bin")).content == b"now"
    at(-11)
    answer = requests.get(presigned(client, "get_object", "now.bin"))
    assert_denied("AccessDenied", answer)
    assert "<Message>Request has expired</Message>" in answer.text, answer.text


def second_version():
    """URLs and forms as boto3 signs them in us-east-1 when it is told nothing. Headers signed so are refused."""
    boto3.client("s3").put_object(Bucket=BUCKET, Key="old.bin", Body=b"before")
    client = boto3.client("s3", config=Config(signature_version="s3"))
    url = presigned(client, "get_object", "old.bin")
    assert "AWSAccessKeyId=" in url and requests.get(url).content == b"before", url
    assert_denied("SignatureDoesNotMatch", requests.get(url.replace("old.bin", "other.bin")))
    assert_denied("SignatureDoesNotMatch", requests.put(url, data=b"changed"))
    late = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "old.bin"}, ExpiresIn=-1)
    assert_denied("AccessDenied", requests.get(late))
    assert requests.put(presigned(client, "put_object", "old.bin"), data=b"after").status_code == 200
    form = client.generate_presigned_post(BUCKET, "form.bin")
    assert "AWSAccessKeyId" in form["fields"], form
    changed = {**form["fields"], "policy": form["fields"]["policy"][:-4]}
    assert_denied("SignatureDoesNotMatch", requests.post(form["url"], data=changed, files={"file": b"posted"}))
    assert requests.post(form["url"], data=form["fields"], files={"file": b"posted"}).status_code == 204
    assert_refused("InvalidRequest", client.put_object, Bucket=BUCKET, Key="any.bin", Body=b"any")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
