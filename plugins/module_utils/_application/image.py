# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Images and the versions that they are: which container carries the version, under which name."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX, annotation
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

RELEASE = PREFIX + "release"  # on a Deployment: which version its image is, where the tag does not say it

# Whatever names a release, an image's tag or digest among them; nothing that YAML, Jinja, a shell or a log reads as more.
VERSION = re.compile(r"\w[\w.+:@/-]{0,254}", re.ASCII)

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


def check_version(version: Any) -> None:
    """:raises BlueGreenError: the version is none, or no string."""
    if isinstance(version, dict):
        version = version.get("number")  # as the role hands it over
    _check_text(version)
    if not VERSION.fullmatch(version):
        raise BlueGreenError(
            f"{version!r} cannot be a version.",
            "bad_input",
            next_step="A version has letters, digits, '_', '.', '-', '+', ':', '/', '@' (255 at most), and begins with one of the "
            "first three.",
        )


def _check_text(version: Any) -> None:
    """:raises BlueGreenError: the version is no string: YAML has read ``1.10`` as the number 1.1."""
    if not isinstance(version, str):
        raise BlueGreenError(
            f"The version must be a string, not the number {version}.",
            "bad_input",
            why="YAML and JSON read 1.10 as the number 1.1, so another version than the one meant could be released.",
            next_step="Quote it where it is written, as in version: '1.10' (on the command line -e version=1.10 is a string, and so is "
            "an answer to a survey of AWX).",
        )


def split_image(image: str) -> tuple[str, str | None, str | None]:
    """``(repository, tag or None, digest or None)``; a registry's port is not a tag."""
    name, _at, digest = image.partition("@")
    head, _slash, tail = name.rpartition("/")
    base, _colon, tag = tail.partition(":")
    return (head + "/" if head else "") + base, tag or None, digest or None


def containers_of(deployment: Object, names: list[str]) -> list[Object]:
    """The containers that carry the version: those named, else the only one, else ``app``."""
    spec = deployment["spec"]["template"]["spec"]
    every = [dict(item, list="containers", index=index) for index, item in enumerate(spec["containers"])]
    every += [
        dict(item, list="initContainers", index=index) for index, item in enumerate(spec.get("initContainers") or [])
    ]
    choices = ", ".join(item["name"] for item in every)
    if names:
        chosen = [item for item in every if item["name"] in names]
        missing = sorted(set(names) - {item["name"] for item in chosen})
        if missing:
            raise BlueGreenError(
                f"Deployment {deployment['metadata']['name']!r} has no container {', '.join(missing)}.",
                "not_found",
                why=f"Its containers: {choices}.",
                next_step="Correct bluegreen_containers.",
            )
        return chosen
    mains = [item for item in every if item["list"] == "containers"]
    chosen = mains if len(mains) == 1 else [item for item in mains if item["name"] == "app"]
    if not chosen:
        raise BlueGreenError(
            f"It is not clear which container of Deployment {deployment['metadata']['name']!r} carries the version.",
            "ambiguous",
            why=f"Its containers: {choices}; none is named 'app'.",
            next_step="Set bluegreen_containers: [NAME].",
        )
    return chosen


def version_of(deployment: Object, image: str) -> str:
    note = _note(deployment)
    if note.get("image") == image and note.get("version"):  # else somebody has changed the image since
        return str(note["version"])
    repository, tag, digest = split_image(image)
    return tag or digest or repository


def _note(deployment: Object) -> Object:
    try:
        note = json.loads(annotation(deployment, RELEASE) or "{}")
    except ValueError:
        return {}  # not written by us
    return note if isinstance(note, dict) else {}


def note_of(version: str | None, images: dict[str, str], written: dict[str, str]) -> str:
    """The annotation that says which version a Deployment's image is, and what admission has made of the images asked for.

    :param images: by container, as they were asked for; ``written`` as they are.
    """
    name, image = next(iter(images.items()))
    note: Object = {"version": version or split_image(image)[1] or image, "image": written[name]}
    rewritten = {images[name]: found for name, found in written.items() if images.get(name, found) != found}
    return json.dumps({**note, **({"rewritten": rewritten} if rewritten else {})}, sort_keys=True)


def admitted(deployment: Object | None, images: dict[str, str]) -> dict[str, str]:
    """What images are on a Deployment, where admission (a mirror, a digest) has made others of them when they came."""
    rewritten = _note(deployment).get("rewritten") if deployment else None
    known = rewritten if isinstance(rewritten, dict) else {}
    return {name: known.get(image, image) for name, image in images.items()}


def wanted_images(live: Any, idle: Any, version: Any, image: str | None) -> dict[str, str]:
    """What to put on the idle color: ``{container name: image}`` for the containers that carry the version.

    ``version`` becomes the tag of the live color's repositories, unless ``image`` says it whole.

    :param live: the live color
    :param idle: the other one, which may have no Deployment
    :raises BlueGreenError: neither is given, the version is a number or no possible tag.
    """
    if version is not None and version != "":
        (check_version if image else _check_text)(version)  # else it has to be a tag, see below
    if not version and not image:
        raise BlueGreenError(
            "No version was given.",
            "bad_input",
            next_step="Add -e version=X (it becomes the image tag), or set bluegreen_image to a whole image name.",
        )
    containers = idle.containers or live.containers  # a missing one is made like the live one
    if image:
        if len(containers) > 1:
            raise BlueGreenError(
                f"One image was given for {len(containers)} containers: {', '.join((item['name'] for item in containers))}.",
                "bad_input",
                next_step="Give version instead of image, or name one container in bluegreen_containers.",
            )
        repository, tag, digest = split_image(image)
        if version and not tag and not digest:
            image = f"{repository}:{version}"
        return {containers[0]["name"]: image}
    if not TAG.fullmatch(version):
        raise BlueGreenError(
            f"{version!r} cannot be an image tag.",
            "bad_input",
            next_step="A tag has letters, digits, '_', '.', '-' (128 at most). Set bluegreen_image for anything else.",
        )
    source = {item["name"]: item["image"] for item in live.containers}
    return {item["name"]: f"{split_image(source.get(item['name'], item['image']))[0]}:{version}" for item in containers}


def is_live(live: Any, images: dict[str, str], version: str | None) -> bool:
    """Whether the live color runs these images (and was released under this version) already."""
    current = {item["name"]: item["image"] for item in live.containers}
    same = all(current.get(name) == image for name, image in admitted(live.deployment, images).items())
    return same and version in (None, "", live.version)
