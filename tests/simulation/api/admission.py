# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ResourceQuotas: what a new object would take, and what is left. A quota's status follows what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulation.api.answers import forbidden
from simulation.api.kinds import KINDS, Object
from simulation.api.quantities import quantity, written

if TYPE_CHECKING:
    from simulation.api.store import Store


def check_quota(store: Store, item: Object) -> None:
    """:raises Refused: a quota of the namespace has no room for it."""
    kind, ns = item["kind"], item["metadata"].get("namespace")
    if kind in ("ResourceQuota", "Event"):
        return
    for quota in store.list("ResourceQuota", ns):
        hard = (quota.get("spec") or {}).get("hard") or {}
        taken = {name: amount for name, amount in _takes(item).items() if name in hard}
        if kind == "Pod":
            _all_given(quota, hard, item)
        if not taken:
            continue
        used = usage(store, ns, hard)
        over = sorted(name for name, amount in taken.items() if used[name] + amount > quantity(hard[name]))
        if over:
            raise forbidden(
                KINDS[kind],
                item["metadata"]["name"],
                f"exceeded quota: {quota['metadata']['name']}, requested: {_listed(over, taken)},"
                f" used: {_listed(over, used)}, limited: {','.join(f'{name}={hard[name]}' for name in over)}",
            )


def keep_usage(store: Store) -> None:
    """Let the status of quotas follow what there is, as the quota controller does."""

    def look(kind: str, new: Object, old: Object | None) -> None:
        quotas = store.list("ResourceQuota", new["metadata"].get("namespace"))
        if quotas and (kind != "MODIFIED" or old is None or _takes(new) != _takes(old)):
            for quota in quotas:
                _write_usage(store, quota)

    for name in KINDS:
        if name == "ResourceQuota":
            store.subscribe(name, lambda kind, new, old: kind != "DELETED" and _write_usage(store, new))
        elif name != "Event":
            store.subscribe(name, look)


def _write_usage(store: Store, quota: Object) -> None:
    metadata = quota["metadata"]
    if store.get("ResourceQuota", metadata["namespace"], metadata["name"]) is None:
        return
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = {name: written(name, amount) for name, amount in usage(store, metadata["namespace"], hard).items()}

    def change(item: Object) -> None:
        item["status"] = {"hard": hard, "used": used}

    store.update("ResourceQuota", metadata["namespace"], metadata["name"], change, "quota-controller", status=True)


def usage(store: Store, ns: Any, hard: Object) -> dict[str, float]:
    used = dict.fromkeys(hard, 0.0)
    kinds = ["Pod"] + [kind.name for kind in KINDS.values() if _counts(kind.name) & used.keys()]
    for name in dict.fromkeys(kinds):
        for item in store.list(name, ns):
            for resource, amount in _takes(item).items():
                if resource in used:
                    used[resource] += amount
    return used


def _counts(kind: str) -> set[str]:
    known = KINDS[kind]
    names = {f"count/{known.qualified}"}
    return names | {known.plural} if not known.group else names


def _takes(item: Object) -> dict[str, float]:
    """By resource; a pod that has ended takes nothing."""
    kind = item["kind"]
    taken = dict.fromkeys(_counts(kind), 1.0)
    if kind != "Pod":
        return taken
    if (item.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {name: 1.0 for name in taken if name.startswith("count/")}
    for container in item["spec"].get("containers") or []:
        for side, amounts in (container.get("resources") or {}).items():
            for name, amount in (amounts or {}).items():
                for resource in (f"{side}.{name}", name) if side == "requests" else (f"{side}.{name}",):
                    taken[resource] = taken.get(resource, 0.0) + quantity(amount)
    return taken


def _all_given(quota: Object, hard: Object, pod: Object) -> None:
    """Where a quota limits a resource, every container has to say how much of it it wants."""
    sides = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "cpu", "memory")
    missing = []
    for name in sorted(set(hard) & set(sides)):
        side, _dot, resource = name.rpartition(".")
        without = [
            container["name"]
            for container in pod["spec"].get("containers") or []
            if resource not in ((container.get("resources") or {}).get(side or "requests") or {})
        ]
        if without:
            missing.append(f"{name} for: {','.join(without)}")
    if missing:
        name = quota["metadata"]["name"]
        raise forbidden(
            KINDS["Pod"], pod["metadata"]["name"], f"failed quota: {name}: must specify {'; '.join(missing)}"
        )


def _listed(names: list[str], amounts: dict[str, float]) -> str:
    return ",".join(f"{name}={written(name, amounts[name])}" for name in names)
