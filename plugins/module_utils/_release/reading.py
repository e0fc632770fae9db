# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The reading that a run is planned on: what is live, what is idle and what was before, as plain values."""

from __future__ import annotations

from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import (
    last_switch,
    prepared,
    rollback_to,
    unfinished,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import (
    admitted,
    is_live,
    wanted_images,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import kept_name, read_kept
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError


def read_kept_of_idle(app: Application) -> dict[str, Any] | None:
    """The manifest that is kept for the idle color, when it has no Deployment any more."""
    return read_kept(app, app.idle) if app.colors[app.idle].deployment is None else None


def reading(app: Application, kept: dict[str, Any] | None, containers: list[str]) -> dict[str, Any]:
    """The reading as ``bg_current_color`` returns it.

    :param kept: see :func:`read_kept_of_idle`.
    """
    last = last_switch(app.state["history"])
    interrupted = f" A switch to {app.pending} was interrupted." if app.pending else ""
    result = {
        "active_color": app.active,
        "idle_color": app.idle,
        "pending_color": app.pending,
        "previous_color": last["from_color"] if last and last["color"] == app.active else None,
        "unfinished": unfinished(app.state, app.live, app.colors[app.idle]),
        "rollback_to": rollback_to(app.state, app.live, app.colors[app.idle], app.pending),
        "colors": {name: color.summary() for name, color in app.colors.items()},
        "selectors": app.selectors(),
        "switched_at": last["switched_at"] if last else None,
        "history": app.state["history"],
        "contracted": app.state.get("contracted"),
        "prepared": prepared(app.state["history"]),
        "wanted_image": None,
        "is_live": None,
        "msg": f"{app.describe(app.active)} is live, {app.describe(app.idle)} is idle.{interrupted}",
    }
    if kept:
        retired = Color(app.idle, kept, containers)
        result["colors"][app.idle].update(version=retired.version, image=retired.image)
        result["msg"] += f" Secret {kept_name(app, app.idle)} keeps its manifest."
    return result


def judge_version(
    app: Application,
    result: dict[str, Any],
    kept: dict[str, Any] | None,
    containers: list[str],
    version: Any,
    image: str | None,
    create_missing: bool = False,
    approved: dict[str, Any] | None = None,
    force: bool = False,
    reconfigured: bool = False,
) -> None:
    """Add to the reading what a version is: its image, and whether it is live.

    :param kept: see :func:`read_kept_of_idle`.
    :param reconfigured: whether the live color has another configuration than this version shall have.
    :param approved: see :func:`_refuse_unprepared`; ``None`` when nothing is to be promoted.
    :param force: whether what is live already is put on the idle color all the same.
    :raises BlueGreenError: the version is none, or there is nothing to put it on, or it was not prepared.
    """
    if version is None and not image:
        return
    if app.live.deployment is None and not kept:
        app.color(app.idle)  # nothing is left that another one could be made after
    idle = Color(app.idle, kept, containers) if kept else app.colors[app.idle]
    images = wanted_images(app.live, idle, version, image)
    result["wanted_image"] = next(iter(images.values()))
    result["is_live"] = not reconfigured and is_live(app.live, images, version)
    # An interrupted switch is put right first; then this is looked at again.
    if app.pending or result["is_live"] and not force:
        return
    if not create_missing and not kept:
        app.color(app.idle)
    if approved is not None:
        _refuse_unprepared(app, approved, images, result)


def _refuse_unprepared(
    app: Application, approved: dict[str, Any], images: dict[str, str], result: dict[str, Any]
) -> None:
    """What is promoted must be what was prepared, and, where somebody approved of it, what was approved.

    :param approved: ``prepared`` of the run that was approved; empty for whatever was prepared last.
    :param result: what is returned all the same.
    :raises BlueGreenError: ``not_prepared``
    """
    color, found = app.color(app.idle), prepared(app.state["history"])
    current = {item["name"]: item["image"] for item in color.containers}
    wrong = [name for name, image in admitted(color.deployment, images).items() if current.get(name) != image]
    why = []
    if wrong:
        what = f"{color.name} runs {current.get(wrong[0])}, not {images[wrong[0]]}."
    elif found is None:
        what = f"No release is prepared on {color.name}, or the traffic was moved since."
    elif found["color"] != color.name:
        what = f"{found['color']} was prepared, but {color.name} is idle now."
    elif approved.get("run") and approved["run"] != found["run"]:
        what = "Another release was prepared since this one was approved."
        why = [
            f"approved: run {approved['run']}, version {approved.get('version')}",
            f"prepared: run {found['run']}, version {found['version']}",
        ]
    elif color.template_hash != found["template_hash"]:
        what = f"The pod template of {color.deployment_name} was changed since it was prepared."
        why = [f"template_hash was {found['template_hash']}, it is {color.template_hash}"]
    else:
        return
    raise BlueGreenError(
        what, "not_prepared", why=why, next_step="Run prepare.yml again, and have that approved.", result=result
    )
