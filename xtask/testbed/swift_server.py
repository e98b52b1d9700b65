"""OpenStack Swift with its S3 face, out of one folder: what the testbed of `cargo xtask` runs, one process a server.

    swift_server.py rings FOLDER ACCOUNT_PORT CONTAINER_PORT OBJECT_PORT
    swift_server.py bucket FOLDER NAME
    swift_server.py {account|container|object|proxy} FOLDER

The folder holds swift.conf and one more file of settings for each server; xtask writes them.
"""

import os
import sys
from importlib import import_module

from swift.common import utils

ACCOUNT = "AUTH_towline"
MODULES = {
    "account": "swift.account.server",
    "container": "swift.container.server",
    "object": "swift.obj.server",
    "proxy": "swift.proxy.server",
}


def rings(folder, *ports):
    """Every ring has one device, the only one there is."""
    from swift.common.ring import RingBuilder

    for name, port in zip(("account", "container", "object"), ports):
        builder = RingBuilder(4, 1, 1)
        place = {"ip": "127.0.0.1", "port": int(port), "replication_ip": "127.0.0.1", "replication_port": int(port)}
        builder.add_dev({"region": 1, "zone": 1, "weight": 1.0, "device": "disk", "meta": "", **place})
        builder.rebalance()
        builder.get_ring().save(os.path.join(folder, name + ".ring.gz"))


def bucket(folder, name):
    """The parts of a multipart upload live in a container beside the bucket's own. Both may be read by pages from
    everywhere: the S3 face has no call for a bucket's CORS, so it is set from within."""
    from swift.common.internal_client import InternalClient

    client = InternalClient(os.path.join(folder, "inside.conf"), "towline testbed", 3)
    cors = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag",
        "Access-Control-Max-Age": "600",
    }
    for container in (name, name + "+segments"):
        client.create_container(ACCOUNT, container)
        client.set_container_metadata(ACCOUNT, container, cors, metadata_prefix="X-Container-Meta-")


def serve(kind, folder):
    sys.argv = ["swift-%s-server" % kind, os.path.join(folder, kind + ".conf")]
    sys.exit(import_module(MODULES[kind]).main())


def main(command, folder, *rest):
    # Before anything else of Swift is loaded: some modules read it at once.
    utils.SWIFT_CONF_FILE = os.path.join(folder, "swift.conf")
    if command == "rings":
        rings(folder, *rest)
    elif command == "bucket":
        bucket(folder, *rest)
    else:
        serve(command, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
