#!/usr/bin/env python3
"""Uploads a file in parts, several at once, and goes on after a failure where it stopped.

It speaks the session protocol with nothing but `requests`: begin, send the parts as forms, complete. Every part
carries its MD5 and the whole file its SHA-256, so what ends up on the server is this file or nothing.
"""

import argparse
import hashlib
import os
import re
import signal
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

API_BASE_URL = os.environ.get("API_BASE_URL", "http://127.0.0.1:8000")
# Seconds until a connection stands, and until a reply comes: a part is acknowledged once it is on the disk.
TIMEOUT = (10, 300)
UNITS = {"": 1, "K": 1000, "KB": 1000, "KIB": 1 << 10, "M": 10**6, "MB": 10**6, "MIB": 1 << 20}


class Failed(Exception):
    """The upload cannot go on; the message says why."""


class Server:
    """The requests of the protocol, repeated a few times when the line or the server is in trouble."""

    def __init__(self, base_url, workers):
        self.base_url = base_url.rstrip("/")
        # Every request of the protocol may be repeated: the same part, or the same completion, is answered alike.
        retry = Retry(total=5, backoff_factor=0.1, status_forcelist=[503], allowed_methods=None)
        self.http = requests.Session()
        self.http.mount(self.base_url, HTTPAdapter(pool_maxsize=workers, max_retries=retry))

    def ask(self, method, path, **options):
        try:
            reply = self.http.request(method, self.base_url + path, timeout=TIMEOUT, **options)
        except requests.RequestException as error:
            raise Failed(f"no answer from {self.base_url}: {error}") from error
        try:
            body = reply.json()
        except ValueError:
            body = {}
        if not reply.ok:
            raise Failed(f"{reply.status_code}: {body.get('detail', reply.reason)}")
        return body

    def begin(self, order):
        return self.ask("POST", "/upload/init", json=order)

    def status(self, session_id):
        return self.ask("GET", f"/upload/{session_id}/status")

    def send_part(self, session_id, number, content):
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return self.ask(
            "PUT",
            f"/upload/{session_id}/part/{number}",
            files={"file": (f"part_{number}", content, "application/octet-stream")},
            headers={"X-Part-Hash": digest},
        )

    def complete(self, session_id):
        return self.ask("POST", f"/upload/{session_id}/complete")


def begin(server, path, name, chunk_size):
    """Begins an upload; the reply says how the file is cut."""
    order = {
        "filename": name,
        "file_size": path.stat().st_size,
        "chunk_size": chunk_size,
        "file_hash": sha256(path),
        "hash_algorithm": "SHA256",
        "idempotency_key": str(uuid.uuid4()),
    }
    return server.begin(order)


def find_again(server, path, session_id):
    """The upload that was begun before. The file must still be the same; its SHA-256 is checked at the end."""
    session = server.status(session_id)
    size = path.stat().st_size
    if session["file_size"] != size:
        raise Failed(f"the upload is of a file of {session['file_size']} bytes, {path} has {size}")
    return session


def send_missing(server, path, session, options):
    """Sends, in parallel, what the server does not have yet."""
    session_id, part_bytes, total = session["session_id"], session["part_bytes"], session["total_parts"]
    have = set(session["completed_parts"])
    missing = [number for number in range(1, total + 1) if number not in have]
    if options.simulate_failure:
        missing = missing[: len(missing) // 2]

    def send(number):
        with path.open("rb") as file:
            file.seek((number - 1) * part_bytes)
            server.send_part(session_id, number, file.read(part_bytes))
        say(f"part {number}/{total}")

    with ThreadPoolExecutor(max_workers=options.workers) as pool:
        try:
            for sent in [pool.submit(send, number) for number in missing]:
                sent.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if options.simulate_failure:
        raise Failed("the network failed, as was asked for")


def sha256(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def size(text):
    """Bytes of a size such as 5MiB."""
    match = re.fullmatch(r"([0-9]+)\s*([A-Za-z]*)", text)
    if match is None or match[2].upper() not in UNITS or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 5MiB")
    return int(match[1]) * UNITS[match[2].upper()]


def workers(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers")
    return int(text)


def say(line):
    """One write, because `print` from several threads mixes lines with their ends."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def parse_options():
    parser = argparse.ArgumentParser(
        description="Upload a file in parts.", epilog=f"The server is API_BASE_URL, now {API_BASE_URL}."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--name", help="how the file is called on the server; '/' makes folders")
    parser.add_argument("--resume", metavar="SESSION_ID", help="go on with an upload that broke off")
    parser.add_argument("--workers", type=workers, default=4, help="parts sent at once (default: 4)")
    parser.add_argument("--chunk-size", type=size, default="5MiB", help="wished size of a part (default: 5MiB)")
    parser.add_argument("--simulate-failure", action="store_true", help="fail when half of the parts are sent")
    return parser.parse_args()


def main():
    options = parse_options()
    if not options.file.is_file():
        sys.exit(f"error: {options.file} is not a file")
    server = Server(API_BASE_URL, options.workers)
    session_id = options.resume
    try:
        if session_id is None:
            session = begin(server, options.file, options.name or options.file.name, options.chunk_size)
        else:
            session = find_again(server, options.file, session_id)
        session_id = session["session_id"]
        have, total = len(session["completed_parts"]), session["total_parts"]
        say(f"session {session_id}: {total} parts of {session['part_bytes']} bytes, {have} are there")
        if session["status"] != "completed":
            send_missing(server, options.file, session, options)
        say(f"done: {server.complete(session_id)['file_path']}")
    except Failed as failed:
        hint = f"\nhint: go on with --resume {session_id}" if session_id else ""
        sys.exit(f"error: {failed}{hint}")
    except KeyboardInterrupt:
        print(f"\nstopped; go on with --resume {session_id}", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
