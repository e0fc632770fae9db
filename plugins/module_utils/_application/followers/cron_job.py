# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""CronJobs: one whose containers get the images of the live color, or one for each color, of which the live one's works.

Of two, the old one is suspended, the other one is told what has run already, and then works. Without that, it would at once
run the newest slot again that the old one has run
(https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/controller/cronjob/utils.go, mostRecentScheduleTime).
"""

from __future__ import annotations

from datetime import datetime, timezone

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import Application
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.followers.follower import (
    Aim,
    Edit,
    Follower,
    Found,
    There,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import split_image
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.references import pod_spec
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import PREFIX
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.pods import holds
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import to_second
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object

KIND = "CronJob"
GROUP = "cronjobs"
RESTS = PREFIX + "rests"  # on one of a color's own: it is suspended because its color is idle, not by somebody


class CronJob(Follower):
    """The only one: whatever is live runs in it."""

    kind = KIND
    group = GROUP

    def __init__(self, item: Object, color: str, apart: bool, jobs: list[Object]) -> None:
        super().__init__(item, color, apart)
        uid = item["metadata"]["uid"]
        self.jobs = [job for job in jobs if _owner(job) == uid]

    def edits(self, app: Application, aim: Aim) -> list[Edit]:
        return [] if aim.stage == "deploy" else self._images(app, aim)

    def _images(self, app: Application, aim: Aim) -> list[Edit]:
        """The application's containers get the images of that color; nothing else of the template is ours."""
        wanted = _wanted(app, aim)
        template = ("spec", "jobTemplate", "spec", "template", "spec")
        found = []
        for kind in ("containers", "initContainers"):
            for number, container in enumerate(pod_spec(self.item).get(kind) or []):
                new = wanted.get(split_image(container["image"])[0], container["image"])
                if new != container["image"]:
                    found.append(Edit((*template, kind, str(number), "image"), container["image"], new))
        return found

    def left_behind(self, app: Application) -> list[Object]:
        """Jobs of the idle color, which may have come to their end."""
        wanted = _wanted(app, Aim("switch", app.active, 0))
        return [
            job
            for job in self.jobs
            if any(wanted.get(split_image(image)[0], image) != image for image in images_of(job))
        ]

    def running(self, app: Application) -> list[str]:
        ended = ("Complete", "Failed")
        return [
            f"Job {job['metadata']['name']}"
            for job in self.left_behind(app)
            if not any(holds(job, kind) for kind in ended)
        ]

    def about(self, app: Application) -> str:
        images = ", ".join(dict.fromkeys(images_of(self.item["spec"]["jobTemplate"])))
        state = "is suspended" if self.suspended else f"runs at {self.item['spec']['schedule']}"
        return f"{state} ({images})"

    @property
    def suspended(self) -> bool:
        return bool(self.item["spec"].get("suspend"))


class Turn(CronJob):
    """One of a color's own.

    The idle one rests: it is suspended, with a note that this is ours. So who has suspended the live one is known: what
    somebody has suspended stays so, whatever is live. While both rest, the live one takes over from the other.
    """

    stages = ("deploy", "switch")
    parts = ("", "status")
    twin: Turn

    @property
    def rests(self) -> bool:
        return self.suspended and self.annotation(RESTS) is not None

    @property
    def is_off(self) -> bool:
        """Whether somebody has suspended it."""
        return self.suspended and not self.rests

    def edits(self, app: Application, aim: Aim) -> list[Edit]:
        if aim.stage == "deploy":
            # Not one that works in the place of the live one, as after a switch that nothing has followed yet.
            free = not self.twin.suspended or self.suspended and not self.twin.rests
            return self._rest() if self.color == aim.color and free else []
        if self.color == aim.color:
            return self._work(app, aim)
        # The other one must be known to be ours to let work, before this one stops.
        return [] if self.suspended or self.twin.is_off else self._rest()

    def _rest(self) -> list[Edit]:
        return ([] if self.suspended else self.edit(("spec", "suspend"), True)) + self.annotate(RESTS, "true")

    def _work(self, app: Application, aim: Aim) -> list[Edit]:
        if not self.suspended:
            return self._images(app, aim)
        if self.is_off:
            return ([] if self.twin.suspended else self._rest()) + self._images(app, aim)
        if self.twin.is_off:
            return self.annotate(RESTS, None)
        if not (self.twin.rests and aim.settled):
            return []
        begin = self.edit(("spec", "suspend"), False) + self.annotate(RESTS, None) + self._images(app, aim)
        return self._told() or begin

    def _told(self) -> list[Edit]:
        """What the other one has run is not run again."""
        before = self._since
        newest = max(before, self.twin._since, *self._slots(), *self.twin._slots())
        return self.edit(("status", "lastScheduleTime"), newest) if newest > before else []

    @property
    def _since(self) -> str:
        """What came later and was not run is made up for, as far as Kubernetes does: the newest slot is."""
        return str(
            (self.item.get("status") or {}).get("lastScheduleTime") or self.item["metadata"]["creationTimestamp"]
        )

    def _slots(self) -> list[str]:
        """Those that its Jobs are for. Its controller may have made one, and lost the race for its status to us."""
        found = []
        for job in self.jobs:
            minutes = job["metadata"]["name"].rpartition("-")[2]
            if job["metadata"]["name"] == f"{self.name}-{minutes}" and minutes.isdecimal() and len(minutes) < 10:
                slot = to_second(datetime.fromtimestamp(int(minutes) * 60, timezone.utc))
                found += [slot] if slot <= job["metadata"]["creationTimestamp"] else []
        return found

    def left_behind(self, app: Application) -> list[Object]:
        return self.jobs if self.color != app.active else []


def read(cluster: Cluster, there: There) -> None:
    """Only where some are named: nobody else has to be allowed to read them."""
    for kind in (KIND, "Job"):
        if there.cronjobs:
            there.read(cluster, kind, there.mistakes)


def find(app: Application, there: There, found: Found) -> None:
    staying = [item for item in there.items.get(KIND, []) if "deletionTimestamp" not in item["metadata"]]
    items = {item["metadata"]["name"]: item for item in staying}
    known = not found.mistakes  # else they may not be listed
    for name in there.cronjobs:
        own = {color: items[f"{name}-{color}"] for color in app.names if f"{name}-{color}" in items}
        if name in items and not own:
            found.followers += _only(app, there, found, items[name])
        elif len(own) == len(app.names) and name not in items:
            found.followers += _turns(there, own)
        elif known:
            found.mistakes.append(_not_there(app, name, sorted(items)))


def _only(app: Application, there: There, found: Found, item: Object) -> list[Follower]:
    """One that has no container of the application runs the same whatever is live, which nobody has asked for."""
    one = CronJob(item, app.active, False, there.items["Job"])
    known, images = _wanted(app, Aim("switch", app.active, 0)), images_of(item["spec"]["jobTemplate"])
    if known and not any(split_image(image)[0] in known for image in images):
        found.mistakes.append(
            f"CronJob {one.name} cannot follow the live color: no container of it has an image of the application's "
            f"({', '.join(sorted(known))}), they have {', '.join(images)}."
        )
        return []
    if one.edits(app, Aim("switch", app.active, 0)):
        one.color = app.idle
    return [one]


def _turns(there: There, own: dict[str, Object]) -> list[Follower]:
    one, other = (Turn(item, color, True, there.items["Job"]) for color, item in own.items())
    one.twin, other.twin = other, one
    return [one, other]


def _not_there(app: Application, name: str, others: list[str]) -> str:
    pair = " and ".join(f"{name}-{color}" for color in app.names)
    return (
        f"bluegreen_cronjobs names {name}: there must be either a CronJob {name} or both {pair}. "
        f"CronJobs there: {', '.join(others) or 'none'}."
    )


def _wanted(app: Application, aim: Aim) -> dict[str, str]:
    """The images of a color, by the repository that each container has them, or the other color's has its own, from.

    None of a color that is to be live by a plan which does not say with what.
    """
    if aim.color != app.active and not aim.images:
        return {}
    color = app.colors[aim.color]
    images = {item["name"]: item["image"] for item in color.containers}
    images.update(aim.images)
    known = {}
    for one in (app.colors[app.other(aim.color)], color):
        for item in one.containers:
            if item["name"] in images:
                known[split_image(item["image"])[0]] = images[item["name"]]
    known.update({split_image(image)[0]: image for image in images.values()})
    return known


def images_of(job: Object) -> list[str]:
    """The images in a Job, or in the template for one."""
    spec = pod_spec(job)
    return [item["image"] for kind in ("containers", "initContainers") for item in spec.get(kind) or []]


def _owner(job: Object) -> str | None:
    """The uid of what has made it."""
    owners = job["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner["kind"] == KIND), None)
