# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""What was applied for a color beside its Deployment, in a Secret: what a later manifest leaves out is found by it, and what
an earlier pod template had with it comes back from it.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import (
    KEPT_FOR,
    foreign_secret,
    kept_for,
    kept_name,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import NOTHING, fingerprint
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX, compact, unchanged
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

KEY = "objects.json.gz"
TYPE = PREFIX + "objects"  # of the Secret; it cannot be changed
KEPT = 10  # as many as a Deployment has ReplicaSets by default
LARGEST = 900_000  # characters; a Secret may have 1 MiB


def digest_of(documents: list[Object]) -> str:
    return fingerprint(documents) if documents else NOTHING


class Applied:
    """All that is known to have been applied for a color, the last first.

    :raises BlueGreenError: the Secret holds something else.
    """

    def __init__(self, app: Application, color: str) -> None:
        self._app, self._color = app, color
        self.name = kept_name(app, color) + "-objects"
        self._secret = app.cluster.get("Secret", self.name)
        self._entries: list[Object] = self._read(self._secret) if self._secret else []

    def documents(self, wanted: str) -> list[Object] | None:
        """What was applied under a digest; ``None`` if that is not known any more."""
        if wanted == NOTHING:
            return []
        return next((entry["documents"] for entry in self._entries if entry["digest"] == wanted), None)

    def each(self) -> Iterator[Object]:
        """Every document that may still be there, of whichever release."""
        for entry in self._entries:
            yield from entry["documents"]

    def put(self, documents: list[Object], ours: Callable[[], object]) -> None:
        """Write down what is about to be applied, before it is: what a killed run leaves is known then.

        :param ours: called before that; it raises when nothing is to be written any more.
        :raises PatchConflict: another run has just written the Secret.
        """
        name = digest_of(documents)
        if not documents or self._entries and self._entries[0]["digest"] == name:
            return
        ours()
        others = [entry for entry in self._entries if entry["digest"] != name]
        self._entries = [{"digest": name, "documents": documents}, *others][:KEPT]
        while len(self._data()[KEY]) > LARGEST and len(self._entries) > 1:
            self._entries.pop()
        cluster = self._app.cluster
        if self._secret:
            operations = [unchanged(self._secret), {"op": "add", "path": "/data", "value": self._data()}]
            self._secret = cluster.patch("Secret", self.name, operations)
            return
        metadata = {"name": self.name, "annotations": {KEPT_FOR: kept_for(self._app, self._color)}}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata}
        self._secret = cluster.create("Secret", dict(secret, data=self._data()))

    def _data(self) -> dict[str, str]:
        packed = gzip.compress(compact(self._entries).encode(), mtime=0)  # the same is the same text
        return {KEY: base64.b64encode(packed).decode()}

    def _read(self, secret: Object) -> list[Object]:
        wrong: list[Any] = foreign_secret(self._app, self._color, secret, TYPE)
        try:
            entries = json.loads(gzip.decompress(base64.b64decode(secret["data"][KEY]))) if not wrong else []
            if all(isinstance(entry["documents"], list) and entry["digest"] for entry in entries) and not wrong:
                return list(entries)
        except (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError) as error:
            wrong.append(f"{type(error).__name__}: {error}")
        raise BlueGreenError(
            f"Secret {self.name} in namespace {self._app.cluster.namespace!r} does not hold what was applied for {self._color}.",
            "kept_unreadable",
            why=wrong,
            next_step="Delete the Secret, then run again. What left the manifest since is then to be deleted by you.",
        )
