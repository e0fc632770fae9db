# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Deploy: put a version, an image or a manifest on the idle color, with as many pods as the live one has."""

from __future__ import annotations

import functools
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.application import (
    Application,
    read_application,
    read_unless_live,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.color import Color
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.companions import (
    Companions,
    companions_of,
    without_manifest,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.config import (
    configured,
    refuse_unreferred,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.drift import (
    Difference,
    carried,
    differences,
    drift,
    in_words,
    name_of,
    shown,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.endpoints import refuse_portless
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.image import (
    RELEASE,
    admitted,
    check_version,
    note_of,
    split_image,
    wanted_images,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.job_definition import job_containers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.kept import (
    kept_name,
    read_kept,
    template_again,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.manifest import (
    document_secrets,
    fitted,
    split,
    whole,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.rollout import set_replicas
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.template import (
    own_template,
    template_hash,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.twin import twin_of
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.workers import configs_of_workers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.cluster import Cluster
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._cluster.patch import (
    LOCK_ID,
    PREFIX,
    again,
    annotation,
    annotation_operations,
    diff,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import (
    APPLICATION,
    LOCK,
    from_text,
    unless_shown,
)
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import now
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._types import Object, Params, Progress

NAME = "bg_deploy"

ARGUMENTS = dict(
    APPLICATION,
    color={"type": "str"},
    version={"type": "raw"},
    image={"type": "str"},
    definition={"type": "raw"},
    config={"type": "dict", "default": {}},
    replicas={"type": "int"},
    create_missing={"type": "bool", "default": False},
    force={"type": "bool", "default": False},
    template_from={"type": "str", "choices": ["live", "idle"], "default": "live"},
    live_template_hash={"type": "str"},
    template_hash={"type": "str"},
    way_back={"type": "bool", "default": False},
    workers={"type": "dict", "default": {}},
    **LOCK,
)

DURATIONS = ("api_timeout",)

KEEPS_LOCK = True

RETURNS: Object = {
    "color": None,
    "image": None,
    "version": None,
    "previous_image": None,
    "replicas": None,
    "previous_replicas": None,
    "template_hash": None,
    "workers": {},
    "differences": [],
    "objects": [],
    "diff": {},
}

RESTARTED = PREFIX + "restarted-at"  # on the pod template: makes new pods of the same image


def secrets(params: Params) -> set[str]:
    """Values of the manifest's Secrets and variables, unless they are what the result is about: a version, say."""
    definition = from_text(params.get("definition"), dict)
    shown = [params.get(name) for name in ("version", "image", "color", "namespace")] + (params.get("services") or [])
    for document in definition if isinstance(definition, list) else [definition]:
        shown += [item.get("image") for item in job_containers(document)]
    return unless_shown(document_secrets(definition), shown)


def run(params: Params, cluster: Cluster, progress: Progress) -> Object:
    try:
        result = again(
            lambda: _deploy(read_application(cluster, params), params),
            f"Somebody else keeps changing the idle Deployment in namespace {cluster.namespace!r}.",
            "Stop the other writer (another release? an operator? GitOps?), then run again.",
        )
        progress(result["msg"])
        for name in params["workers"]:
            done = _with_worker(cluster, params, name)
            progress(done["msg"])
            result = _together(result, name, done)
        return result
    except BlueGreenError as error:
        error.result = {"changed": cluster.wrote, **error.result}
        raise


def _with_worker(cluster: Cluster, params: Params, name: str) -> Object:
    """Put the same version on a worker of the application, which rests until the switch."""

    def attempt() -> Object:
        app = read_application(cluster, params)
        color = params["color"] or app.idle
        app.refuse_live(color, f"deploying to {name}-{color}")
        view = app.of_worker(name, params["containers"])
        own = {"definition": None, "template_hash": params["workers"][name] or None, "live_template_hash": None}
        own["containers"] = [item["name"] for item in view.live.containers] if params["containers"] else []
        image, version = params["image"], params["version"]
        if image and not _same_repository(view.live, app.live):
            own.update(image=None, version=version or split_image(image)[1])
        own["spared"] = list(params["config"])  # the application's own are not all a worker's
        # On the way back, what works as the color still goes on.
        replicas = view.colors[color].replicas if params["way_back"] else 0
        return _put(view, color, dict(params, **own), replicas)

    return again(
        attempt,
        f"Somebody else keeps changing the idle Deployment of {name} in namespace {cluster.namespace!r}.",
        "Stop the other writer (an autoscaler? GitOps?), then run again.",
    )


def _same_repository(one: Color, other: Color) -> bool:
    """Whether two colors run the same image, of whatever version: one that is given whole is for both then."""
    return bool(one.image and other.image and split_image(one.image)[0] == split_image(other.image)[0])


def _together(result: Object, name: str, done: Object) -> Object:
    """The result with what became of a worker."""
    header = done["diff"]["after_header"]
    both = {side: {**(result["diff"][side] or {}), header: done["diff"][side]} for side in ("before", "after")}
    shown = {key: done[key] for key in ("image", "version", "replicas", "template_hash")}
    return dict(
        result,
        changed=result["changed"] or done["changed"],
        diff={**result["diff"], **(both if done["changed"] else {})},
        workers={**result["workers"], name: shown},
        msg=f"{result['msg']} {done['msg']}",
    )


def _deploy(app: Application, params: Params) -> Object:
    name = params["color"] or app.idle
    app.refuse_live(name, "deploying to it")
    _refuse_touched(app, params["live_template_hash"])
    size = app.strength_before(name) if params["way_back"] else app.strength()
    replicas = params["replicas"] if params["replicas"] is not None else size
    if replicas < 1 and params["replicas"] is None:
        app.refuse_nothing()
    if replicas < 1:
        raise BlueGreenError(
            f"The new color would get {replicas} pods.", "bad_input", next_step="Give replicas of 1 or more."
        )
    if params["definition"] and params["version"]:
        check_version(params["version"])
    params = dict(params, spared=configs_of_workers(app, params["workers"], params["config"]))
    return dict(_put(app, name, params, replicas), workers={})


def _put(app: Application, name: str, params: Params, replicas: int) -> Object:
    """Make the Deployment of a color what it is to be; the color was judged."""
    if not params["definition"] and not params["template_hash"] and params["template_from"] == "live":
        app.warnings += without_manifest(app, name)
    given, others = split(params["definition"]) if params["definition"] else ({}, None)
    if app.colors[name].deployment is None:
        return _missing(app, name, params, replicas, given, others)
    color = before = app.color(name)
    found = _drift(app, color, params)
    template = _template_again(app, color, params) if params["template_hash"] else color.deployment["spec"]["template"]
    manifest = _fitted(app, color, params, given, replicas) if given else {}
    if not given and found and params["template_from"] != "live":
        refuse_portless(app, name, color.deployment)
    ours = functools.partial(_ours, app, name, params)
    companions = companions_of(app, name, ours, color.deployment, template, others)
    marked = color
    if companions:
        companions.plan()
        marked = companions.begun(color, params["lock_id"])
        companions.apply()
        companions.note(manifest)
    if marked is not color:  # since when its controllers have written to it
        warnings, app = app.warnings, _ours(app, name, params)
        app.warnings, color = warnings, app.color(name)
    old = color.deployment
    if manifest:
        operations, images = whole(old, manifest), _images(Color(name, manifest, _names(color)))
    else:
        taken = found if params["template_from"] == "live" else []
        operations, images = _operations(app, color, params, replicas, template, taken)
        operations += companions.noted(old) if companions else []
    changed, after = bool(operations), color
    if operations:
        operations = app.fence(old, params["lock_id"]) + operations
        look = functools.partial(read_unless_live, app.cluster, params, name, "deploying to it")
        written = app.cluster.patch("Deployment", color.deployment_name, operations, look=look)
        changed = not params["definition"] or (
            written["metadata"]["generation"] != old["metadata"].get("generation")
            or app.cluster.dry_run
            and written["spec"] != old["spec"]
        )
        after = _noted(app, Color(name, written, params["containers"]), params, images)
    if companions:
        after = companions.prune(after, params["lock_id"])
        changed = changed or marked is not before or companions.changes != [] or companions.leaving != []
    verb = "would get" if app.cluster.dry_run and changed else "gets" if changed else "has"
    return {
        "changed": changed,
        "color": name,
        "image": after.image,
        "version": after.version,
        "previous_image": before.image,
        "replicas": after.replicas,
        "previous_replicas": before.replicas,
        "template_hash": after.template_hash,
        "differences": [name_of(path) for path, _wanted, _old in found],
        "objects": companions.names() if companions else [],
        "diff": _diff(before, after, companions, after.replicas),
        "warnings": app.warnings,
        "msg": f"{color.deployment_name} {verb} {after.image} with {after.replicas} replicas{_told(app, params, found)}"
        f"{_gone_with(before, after, params)}{companions.told() if companions else ''}.",
    }


def _diff(before: Color, after: Color, companions: Companions | None, replicas: int) -> Object:
    sides = _both_shown(before, after) if before.deployment else ({}, dict(_shown(after), replicas=replicas))
    if companions:
        for side, objects in zip(sides, companions.shown()):
            side.update({"objects": objects} if objects else {})
    return diff("Deployment " + after.deployment_name, sides[0] if before.deployment else None, sides[1])


def _gone_with(color: Color, after: Color, params: Params) -> str:
    """What the user's manifest has no more, and the color had."""
    templates = (one.deployment["spec"]["template"] for one in (color, after))
    gone = [item for item in differences(*templates) if item[2] is None] if params["definition"] else []
    return f"; the manifest has no more: {in_words(gone)}" if gone else ""


def _drift(app: Application, color: Color, params: Params) -> list[Difference]:
    """In what the live color's template differs from this one's; nothing where it is not to be made after the live one."""
    if params["definition"] or params["way_back"] or params["template_hash"] or app.live.deployment is None:
        return []
    selector = color.deployment["spec"]["selector"]
    fixed = {key for service in app.services for key in service["spec"]["selector"]} | set(
        selector.get("matchLabels") or {}
    )
    fixed |= {expression["key"] for expression in selector.get("matchExpressions") or []}
    return drift(_as_configured(app.live, params), _as_configured(color, params), fixed)


def _as_configured(color: Color, params: Params) -> Color:
    """The color as if it had the configuration of this version, which is no drift."""
    return Color(color.name, _with_config(color.deployment, params), params["containers"])


def _configured(deployment: Object, params: Params) -> Object:
    """The Deployment with the configuration of this version.

    :raises BlueGreenError: a config that neither its pods would get nor a worker.
    """
    made = _with_config(deployment, params)
    refuse_unreferred(made, {key: name for key, name in params["config"].items() if key not in params["spared"]})
    return made


def _with_config(deployment: Object, params: Params) -> Object:
    template = configured(deployment["spec"]["template"], params["config"])
    return {**deployment, "spec": {**deployment["spec"], "template": template}}


def _told(app: Application, params: Params, found: list[Difference]) -> str:
    if not found:
        return ""
    name = app.live.deployment_name
    if params["template_from"] == "live":
        return f", and as {name}, which is live, has it: {in_words(found)}"
    return f"; it stays unlike {name}, which is live, in {in_words(found)}"


def _refuse_touched(app: Application, expected: str | None) -> None:
    """Whoever deploys beside us, such as tasks of the user's, must have left alone what is live.

    :raises BlueGreenError: the live color's pod template is another one now.
    """
    if expected and app.live.template_hash != expected:
        raise BlueGreenError(
            f"Something has changed {app.live.deployment_name}, which is live, since this run began.",
            "live",
            why=f"template_hash of the live color was {expected}, it is {app.live.template_hash}",
            next_step=f"Let your own tasks (bluegreen_deploy_tasks) deploy only the color in bluegreen_color, {app.idle} this "
            "time, and put back what they have changed.",
        )


def _operations(
    app: Application, color: Color, params: Params, replicas: int, template: Object, found: list[Difference]
) -> tuple[list[Object], dict[str, str]]:
    """The JSON Patch that is needed, empty when everything is there already, and the images that it asks for.

    Each step tests what it replaces.

    :param template: the color's own, or the one that comes back whole.
    """
    deployment, version, comes_back = color.deployment, params["version"], params["template_hash"]
    operations: list[Object] = []

    def replace(path: str, old: Any, new: Any) -> None:
        operations.extend([{"op": "test", "path": path, "value": old}, {"op": "replace", "path": path, "value": new}])

    if comes_back:
        images = _images(Color(color.name, {**deployment, "spec": {"template": template}}, params["containers"]))
        if template_hash({"spec": {"template": template}}) != template_hash(deployment):
            replace("/spec/template", deployment["spec"]["template"], template)
    else:
        images = wanted_images(app.live, color, version, params["image"])
        if found:
            template = carried(template, found, app.live.deployment["spec"]["template"])
        planned = _configured({**deployment, "spec": {**deployment["spec"], "template": template}}, params)
        template = planned["spec"]["template"]
        if template != deployment["spec"]["template"]:
            color = Color(color.name, planned, [*images])
            replace("/spec/template", deployment["spec"]["template"], template)
        there = admitted(deployment, images)
        for item in color.containers:
            wanted = images[item["name"]]
            if item["image"] != there[item["name"]]:
                path = f"/spec/template/spec/{item['list']}/{item['index']}"
                operations.append({"op": "test", "path": path + "/name", "value": item["name"]})
                replace(path + "/image", item["image"], wanted)
    if color.replicas != replicas:
        replace("/spec/replicas", color.replicas, replicas)
    image = next(iter(images.values()))
    noted = annotation(deployment, RELEASE)
    # A note that is there may say another version of this same image.
    if version and (noted or split_image(image)[1] != version):
        stays = not comes_back and _images(color) == admitted(deployment, images)
        note = note_of(version, images, _images(color) if stays else images)
        if noted != note:
            operations += annotation_operations(deployment, RELEASE, note)
    if params["force"]:
        operations += [
            dict(operation, path="/spec/template" + operation["path"])
            for operation in annotation_operations(template, RESTARTED, now())
        ]
    if operations:
        operations.insert(0, {"op": "test", "path": "/metadata/uid", "value": deployment["metadata"]["uid"]})
    return operations, images


def _noted(app: Application, after: Color, params: Params, images: dict[str, str]) -> Color:
    """The color with a note of what admission has made of its images, so that the next run knows them again."""
    written = _images(after)
    if written == images or app.cluster.dry_run:
        return after
    note = annotation_operations(after.deployment, RELEASE, note_of(params["version"], images, written))
    fence = app.fence(after.deployment, params["lock_id"])
    return Color(after.name, app.cluster.patch("Deployment", after.deployment_name, fence + note), params["containers"])


def _template_again(app: Application, color: Color, params: Params) -> Object:
    """The pod template that was live, wherever it is kept.

    :raises BlueGreenError: it is gone.
    """
    if template_hash(color.deployment) == params["template_hash"]:
        return own_template(color.deployment)
    template = template_again(app, color, params["template_hash"])
    if template is None:
        limit = color.deployment["spec"].get("revisionHistoryLimit", 10)
        where = f"No ReplicaSet of {color.deployment_name} (revisionHistoryLimit {limit}) and no Secret keeps it."
        raise _gone(f"{color.deployment_name} has another pod template by now.", params, color.template_hash, where)
    return template


def _gone(what: str, params: Params, found: str | None, *why: str) -> BlueGreenError:
    """What was live cannot be had again; its image with the settings of another release would be something else."""
    version = params["version"] or "X"
    return BlueGreenError(
        f"Version {version} cannot be put back as it was live: {what}",
        "nothing_to_roll_back",
        why=[f"template_hash was {params['template_hash']}, it is {found}", *why],
        next_step=f"Release it anew, as it was: release.yml -e version={version}. Or release one that is mended.",
    )


def _images(color: Color) -> dict[str, str]:
    return {item["name"]: item["image"] for item in color.containers}


def _names(color: Color) -> list[str]:
    return [item["name"] for item in color.containers]


def _fitted(app: Application, color: Color, params: Params, given: Object, replicas: int, name: str = "") -> Object:
    """The user's Deployment, made to fit, with the version's note.

    :param name: of the Deployment, where there is none yet.
    :raises BlueGreenError: it is no Deployment, or not the idle color's.
    """
    new = _configured(fitted(app, color.name, color.deployment_name or name, given, replicas), params)
    refuse_portless(app, color.name, new)
    version = params["version"]
    if params["force"]:
        new["spec"]["template"]["metadata"].setdefault("annotations", {})[RESTARTED] = now()
    if version:
        images = _images(Color(color.name, new, _names(color) or params["containers"]))
        new["metadata"].setdefault("annotations", {})[RELEASE] = note_of(version, images, images)
    return new


def _reread(app: Application, params: Params) -> Application:
    """The same as it is now: the application, or the worker of it."""
    fresh = read_application(app.cluster, params)
    return fresh.of_worker(app.worker, params["containers"]) if app.worker else fresh


def _ours(app: Application, name: str, params: Params) -> Application:
    """A fresh reading, if the color may still be written.

    :raises BlueGreenError: it is live now, or another run has taken over.
    """
    fresh = _reread(app, params)
    fresh.refuse_live(name, "applying its manifest")
    fresh.refuse_foreign_lock(params["lock_id"])
    return fresh


def _missing(
    app: Application, name: str, params: Params, replicas: int, given: Object, others: list[Object] | None
) -> Object:
    """Make a color's Deployment: from the user's manifest, the one that was kept, or after the live one."""
    kept, ours = read_kept(app, name), functools.partial(_ours, app, name, params)
    if not kept and not params["create_missing"]:
        app.color(name)  # says what is missing
    if given:
        app.color(app.active)  # its name, and what selects its pods, are made after the live one
        was = Color(name, kept, params["containers"])
        manifest = _fitted(app, was, params, given, replicas, app.name_for(name))
        manifest["spec"].setdefault("selector", (kept or twin_of(app, name, app.live))["spec"]["selector"])
        companions = companions_of(app, name, ours, kept, {}, others)
        return _create(app, name, params, manifest, replicas, "the manifest", companions=companions)
    if kept:
        secret = kept_name(app, name)
        origin, found = "the manifest kept in Secret " + secret, template_hash(kept)
        if params["template_hash"] not in (None, "", found):
            raise _gone(f"Secret {secret} keeps another pod template.", params, found)
        differing = _drift(app, Color(name, kept, params["containers"]), params)
        if differing and params["template_from"] == "live":
            live_template = app.live.deployment["spec"]["template"]
            kept["spec"]["template"] = carried(kept["spec"]["template"], differing, live_template)
        companions = companions_of(app, name, ours, None, kept["spec"]["template"], None)
        return _create(app, name, params, kept, replicas, origin, differing, companions)
    live = app.color(app.active)
    return _create(app, name, params, twin_of(app, name, live), replicas, live.deployment_name)


def _create(
    app: Application,
    name: str,
    params: Params,
    manifest: Object,
    replicas: int,
    origin: str,
    found: list[Difference] | None = None,
    companions: Companions | None = None,
) -> Object:
    """Make the missing Deployment from a manifest, with the images wanted."""
    app.refuse_taken(name, manifest["metadata"]["name"])
    if not params["definition"]:  # what is given has it
        manifest = _configured(manifest, params)
    spec = manifest["spec"]
    spec["replicas"] = replicas
    planned = Color(name, manifest, params["containers"])
    images = (
        _images(planned)  # what was live, as it was, or what the manifest says
        if params["template_hash"] or params["definition"]
        else wanted_images(app.live, planned, params["version"], params["image"])
    )
    for item, image in images.items():
        for group in ("containers", "initContainers"):
            for container in spec["template"]["spec"].get(group) or []:
                if container["name"] == item:
                    container["image"] = image
    if params["version"]:  # a kept manifest may carry the note of another version
        note = note_of(params["version"], images, images)
        manifest["metadata"].setdefault("annotations", {})[RELEASE] = note
    if params["lock_id"]:
        # Whoever takes over can stamp it at once, however often the controllers write to it.
        manifest["metadata"].setdefault("annotations", {})[LOCK_ID] = params["lock_id"]
    if companions:
        companions.plan()
        companions.apply()
        companions.note(manifest)
    if not app.cluster.dry_run:
        app.refuse_foreign_lock(params["lock_id"])
        # Nothing fences a creation: what arrives after another run has taken over has no pods, and gets none.
        spec["replicas"] = 0
    color = Color(name, app.cluster.create("Deployment", manifest), params["containers"])
    if not app.cluster.dry_run:
        # Whoever takes over after this reading stamps the Deployment, and so refuses the writes that follow.
        app = _reread(app, params)
        color = app.color(name)
    color = _noted(app, color, params, images)
    set_replicas(app, color, replicas, params["lock_id"])
    if companions:
        color = companions.prune(color, params["lock_id"])
    verb = "would be" if app.cluster.dry_run else "was"
    made = f"{color.deployment_name} {verb} made from {origin}: {color.image} with {replicas} replicas"
    return {
        "changed": True,
        "color": name,
        "image": color.image,
        "version": color.version,
        "previous_image": None,
        "replicas": replicas,
        "previous_replicas": None,
        "template_hash": color.template_hash,
        "differences": [name_of(path) for path, _wanted, _old in found or []],
        "objects": companions.names() if companions else [],
        "diff": _diff(Color(name, None, []), color, companions, replicas),
        "warnings": app.warnings,
        "msg": f"{made}{_told(app, params, found or [])}{companions.told() if companions else ''}.",
    }


def _shown(color: Color) -> Object:
    """What the diff shows: the fields this module owns."""
    return {"images": {item["name"]: item["image"] for item in color.containers}, "replicas": color.replicas}


def _both_shown(before: Color, after: Color) -> tuple[Object, Object]:
    """The same of both, and every other field of the pod template that differs."""
    versioned = {("name", item["name"]) for item in before.containers}
    templates = (color.deployment["spec"]["template"] for color in (before, after))
    found = [item for item in differences(*templates) if not (item[0][-1] == "image" and item[0][-2] in versioned)]
    old, new = shown(found)
    return dict(_shown(before), **({"template": old} if found else {})), dict(
        _shown(after), **({"template": new} if found else {})
    )
