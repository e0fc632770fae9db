# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""The role's variables: which there are, what each may be, and every mistake in them at once."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import workers
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.probe import PROBE
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import FOLLOW, from_text
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._time import seconds

PREFIX = "bluegreen_"
STAGES = ("database", "deploy", "wait", "validate", "switch", "bake", "scale_down")
HOOKS = tuple(f"{when}_{stage}" for stage in STAGES for when in ("before", "after"))
# What each way with the database is told: which files it needs, and which it may have.
DATABASES = {
    "shared": (("migrate",), ("undo",)),
    "expand_contract": (("expand", "contract"), ("undo",)),
    "per_color": (("sync", "hand_over", "detach"), ()),
}


class Setting(NamedTuple):
    """One variable of the role: how its value is read, and what it is when it is not given or empty."""

    read: Callable[[str, Any], Any]
    default: Any = None
    choices: tuple[str, ...] = ()


class Mistake(Exception):
    """What is wrong with one value, in a sentence that names the variable."""


def _anything(_name: str, value: Any) -> Any:
    return value


def _text(name: str, value: Any) -> str:
    if isinstance(value, (Mapping, list)):
        raise Mistake(f"{name} is text, not {value!r}.")
    return str(value)


def _version(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Mistake(f"{name} is text, not {value!r}: quote it, because YAML reads 1.10 as the number 1.1.")
    return unquoted(value)


def unquoted(version: str) -> str:
    """Without the double quotes that survey answers had to be typed with once, and that people keep typing."""
    return version.strip('"')


def _flag(name: str, value: Any) -> bool:
    try:
        return boolean(value)
    except TypeError as error:
        raise Mistake(f"{name} is true or false, not {value!r}.") from error


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not str(value).strip().isdecimal():
        raise Mistake(f"{name} is not a number of 0 or more: {value!r}.")
    return int(value)


def _some(name: str, value: Any) -> int:
    if _count(name, value) < 1:
        raise Mistake(f"{name} is a number of 1 or more, not {value!r}.")
    return int(value)


def _groups(name: str, value: Any) -> list[str]:
    found = _names(name, value)
    unknown = [item for item in found if item not in FOLLOW["choices"]]
    if unknown:
        raise Mistake(f"{name} can hold {' and '.join(FOLLOW['choices'])}, not {unknown[0]!r}.")
    return found


def _workers(name: str, value: Any) -> list[workers.Wanted]:
    wanted, mistakes = workers.parse(value)
    if mistakes:
        raise Mistake(f"{name}: {'; '.join(mistakes)}.")
    return wanted


def _duration(name: str, value: Any) -> float:
    try:
        return seconds(value, name)
    except BlueGreenError as error:
        raise Mistake(f"{error.what} {error.next_step}") from error


def _names(name: str, value: Any) -> list[str]:
    value = from_text(value, list)
    if not isinstance(value, list) or any(isinstance(item, (Mapping, list)) for item in value):
        raise Mistake(f"{name} is a list of names, not {value!r}.")
    return [str(item) for item in value]


def _mappings(name: str, value: Any) -> list[dict[str, Any]]:
    value = from_text(value, list)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise Mistake(f"{name} is a list of dictionaries, not {value!r}.")
    return [dict(item) for item in value]


def _mapping(name: str, value: Any) -> dict[str, Any]:
    value = from_text(value, dict)
    if not isinstance(value, Mapping):
        raise Mistake(f"{name} is a dictionary, not {value!r}.")
    return dict(value)


SETTINGS = {
    "services": Setting(_names, []),
    "namespace": Setting(_text, ""),
    "colors": Setting(_names, ["blue", "green"]),
    "color_label": Setting(_text, "version"),
    "deployments": Setting(_mapping, {}),
    "containers": Setting(_names, []),
    "kubeconfig": Setting(_anything, ""),
    "context": Setting(_text, ""),
    "api_timeout": Setting(_duration, 60),
    "version": Setting(_anything),
    "image": Setting(_text, ""),
    "manifest": Setting(_text, ""),
    "deploy_tasks": Setting(_text, ""),
    "config": Setting(_names, []),
    "create_missing": Setting(_flag, False),
    "template": Setting(_text, "", ("", "live", "idle")),
    "force": Setting(_flag, False),
    "wait_timeout": Setting(_duration, 300),
    "checks": Setting(_mappings, []),
    "checks_parallel": Setting(_some, 32),
    "prometheus": Setting(_mapping, {}),
    "probe": Setting(_mapping, {}),
    "preview_service": Setting(_text, ""),
    "bake_time": Setting(_duration, 0),
    "bake_checks": Setting(_mappings),
    "bake_interval": Setting(_duration, 5),
    "bake_tolerance": Setting(_count, 0),
    "scale_down_delay": Setting(_duration, 30),
    "idle_replicas": Setting(_count, 1),
    "follow": Setting(_groups, ["autoscalers", "budgets"]),
    "workers": Setting(_workers, []),
    "cronjobs": Setting(_names, []),
    "hooks": Setting(_mapping, {}),
    "database": Setting(_mapping, {}),
    "rollback_from": Setting(_version, ""),
    "rollback_contracted": Setting(_flag, False),
    "auto_rollback": Setting(_flag, True),
    "rollback_instant": Setting(_flag, False),
    "retire_after": Setting(_duration, "24h"),
    "retire_mode": Setting(_text, "zero", ("zero", "delete")),
    "lock_timeout": Setting(_duration, 0),
    "report": Setting(_text, ""),
}
# What the role itself binds or leaves behind, and what its playbooks read.
OURS = (
    "active_color",
    "color",
    "expected_version",
    "hook",
    "hosts",
    "new_image",
    "previous_version",
    "replicas",
    "result",
    "status",
)


def judge(found: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """The settings, each as what it is, those not given by their defaults; names without the prefix.

    :param found: every variable of the host that begins with ``bluegreen_``, as somebody has written it.
    :param directory: where relative paths start.
    :raises BlueGreenError: ``bad_input``, with every mistake in all of them.
    """
    given = {name[len(PREFIX) :]: value for name, value in found.items()}
    mistakes = [_unknown(name) for name in sorted(given) if name not in SETTINGS and name not in OURS]
    settings = {}
    for name, setting in SETTINGS.items():
        try:
            settings[name] = _read(name, setting, given.get(name))
        except Mistake as mistake:
            mistakes.append(str(mistake))
            settings[name] = setting.default
    mistakes += missing_file("bluegreen_deploy_tasks", settings["deploy_tasks"], directory)
    for path in settings["config"]:
        if not config_files([path], directory):
            mistakes.append(f"bluegreen_config: there is no file {place(path, directory)}")
    mistakes += mistaken_hooks(settings["hooks"], directory) + mistaken_database(settings["database"], directory)
    mistakes += _mistaken("bluegreen_probe", {"probe": PROBE}, {"probe": settings["probe"] or None})
    refuse(mistakes, lambda: _checks.parse(_checking(settings, directory)))
    return settings


def _read(name: str, setting: Setting, value: Any) -> Any:
    if value is None or isinstance(value, str) and not value.strip():
        value = setting.default
    if value is None:
        return None
    value = setting.read(PREFIX + name, value)
    if setting.choices and value not in setting.choices:
        raise Mistake(f"{PREFIX}{name} is {' or '.join(setting.choices)}, not {value!r}.")
    return value


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, SETTINGS, 1)
    text = f"There is no variable {PREFIX}{name}"
    return f"{text}; did you mean {PREFIX}{near[0]}?" if near else f"{text}; what begins with {PREFIX} is the role's."


def _checking(settings: dict[str, Any], directory: str) -> dict[str, Any]:
    """The options that say what is checked, as the modules take them."""
    bakes = settings["bake_checks"] if settings["bake_time"] else None
    spec = {"prometheus": _checks.SETTINGS["prometheus"]}
    validated = ArgumentSpecValidator(spec).validate({"prometheus": settings["prometheus"] or None})
    return {
        "checks": settings["checks"] + (bakes or []) + [check for item in settings["workers"] for check in item.checks],
        "chdir": directory,
        "prometheus": validated.validated_parameters["prometheus"],
    }


def refuse(mistakes: list[str], parse: Callable[[], Any]) -> None:
    """Refuse the mistakes, together with those that the reading of the checks names.

    :raises BlueGreenError: there is one.
    """
    try:
        parse()
    except BlueGreenError as error:
        if not mistakes:
            raise
        mistakes = mistakes + (error.why if error.reason == "bad_input" and error.why else [error.what])
    if mistakes:
        raise BlueGreenError(
            f"The settings have {len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}.",
            "bad_input",
            why=mistakes,
            next_step="Correct them; nothing has been changed.",
        )


def mistaken_hooks(hooks: Mapping[str, Any], directory: str | None) -> list[str]:
    found = []
    for name, path in sorted(hooks.items()):
        if name not in HOOKS:
            found.append(f"bluegreen_hooks: there is no hook {name!r}; there are {', '.join(HOOKS)}")
        else:
            found += missing_file("bluegreen_hooks." + name, path, directory) or (
                [] if path else [f"bluegreen_hooks.{name}: no file is named"]
            )
    return found


def mistaken_database(database: Mapping[str, Any], directory: str | None) -> list[str]:
    if not database:
        return []
    strategy = database.get("strategy")
    if strategy not in DATABASES:
        return [f"bluegreen_database.strategy is {strategy!r}; it can be {', '.join(sorted(DATABASES))}"]
    found = []
    needed, optional = DATABASES[strategy]
    known = ("strategy", "keep_failed", *needed, *optional, "timeout")
    for name in sorted(set(database) - set(known)):
        found.append(f"bluegreen_database: {strategy} knows no {name!r}; it knows {', '.join(known)}")
    for name in needed + optional:
        if name in database:
            found += missing_file("bluegreen_database." + name, database[name], directory)
        elif name in needed:
            found.append(f"bluegreen_database: {strategy} needs {name}, a file with a Job")
    for name, read, default in (("timeout", _duration, 1), ("keep_failed", _flag, False)):
        try:
            read("bluegreen_database." + name, database.get(name, default))
        except Mistake as mistake:
            found.append(str(mistake))
    return found


def missing_file(name: str, path: Any, directory: str | None) -> list[str]:
    """A list with a mistake, if a path is given and there is no such file."""
    if not path:
        return []
    whole = place(path, directory)
    return [] if os.path.isfile(whole) else [f"{name}: there is no file {whole}"]


def place(path: Any, directory: str | None) -> str:
    """A path of the user's, made absolute: relative ones start at the playbook's directory."""
    return os.path.join(directory or "", os.path.expanduser(str(path)))


def config_files(paths: list[str], directory: str | None) -> list[str]:
    """The templates of the configuration that paths and globs name, each once."""
    found = [file for path in paths for file in sorted(glob.glob(place(path, directory), recursive=True))]
    return [file for file in dict.fromkeys(found) if os.path.isfile(file)]


def template_file(path: str, directory: str | None) -> str:
    """A template of the user's; one that is not where other relative paths lead is left to Ansible's search."""
    whole = place(path, directory)
    return whole if path and os.path.isfile(whole) else path


def _mistaken(name: str, spec: dict[str, Any], values: dict[str, Any]) -> list[str]:
    return [f"{name}: {text}" for text in ArgumentSpecValidator(spec).validate(values).error_messages]
