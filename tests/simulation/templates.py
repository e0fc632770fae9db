# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's templates as far as the role uses them: lazy variables, native types, lookups of files. A template is compiled once.

That they mean the same as Ansible's own is held by runs of the real ansible-playbook on the same schedules.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2 import nodes
from jinja2.runtime import Context, missing

ALONE = re.compile(r"^\s*{{(.*)}}\s*$", re.DOTALL)


class Undefined(jinja2.StrictUndefined):
    """As in Ansible, what is looked for in something undefined is undefined as well, and an error only where it is used."""

    def __getattr__(self, name: str) -> Undefined:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    __getitem__ = __getattr__  # type: ignore[assignment]


class _Omit:
    def __repr__(self) -> str:
        return "omit"


OMIT = _Omit()


class Results(dict[str, Any]):
    """Variables that are what they are: what tasks have returned is never taken for a template."""


class Scope:
    """Variables by name, as they are written; the first layer that has one counts."""

    def __init__(self, *layers: dict[str, Any]) -> None:
        self.layers = layers

    def within(self, layer: dict[str, Any]) -> Scope:
        return Scope(layer, *self.layers)

    def lookup(self, name: str) -> Any:
        """The value of a variable, `missing` when there is none."""
        for layer in self.layers:
            if name in layer:
                return layer[name] if isinstance(layer, Results) else self.value(layer[name])
        return missing

    def flat(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for layer in reversed(self.layers):
            found.update(layer)
        return found

    def value(self, written: Any) -> Any:
        """What is written, with its templates filled in.

        :raises jinja2.UndefinedError: something in it is not defined.
        """
        if isinstance(written, str):
            return self._text(written) if "{{" in written or "{%" in written else written
        if isinstance(written, dict):
            return {self.value(key): self.value(item) for key, item in written.items()}
        if isinstance(written, list):
            return [self.value(item) for item in written]
        return written

    def holds(self, condition: Any) -> bool:
        conditions = condition if isinstance(condition, list) else [condition]
        return all(item if isinstance(item, bool) else _evaluate(f"({item})", self) for item in conditions)

    def _text(self, text: str) -> Any:
        alone = ALONE.match(text)
        if alone and "{{" not in alone.group(1):
            found = _evaluate(alone.group(1), self)
            if isinstance(found, jinja2.Undefined):
                str(found)  # raises, and says what is not defined
            return found
        return _template(text).render_in(self)


class _Lazy(Context):
    """A template's names are looked up in the scope when they are used, and filled in then."""

    scope: Scope

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        found = self.scope.lookup(key)
        return super().resolve_or_missing(key) if found is missing else found


ENVIRONMENT = jinja2.Environment(undefined=Undefined)
ENVIRONMENT.context_class = _Lazy


class _Compiled:
    def __init__(self, template: jinja2.Template) -> None:
        self._template = template

    def _context(self, scope: Scope) -> _Lazy:
        context: Any = self._template.new_context(ENVIRONMENT.globals, shared=True)
        context.scope = scope
        return context

    def render_in(self, scope: Scope) -> str:
        return "".join(self._template.root_render_func(self._context(scope)))

    def value_in(self, scope: Scope) -> Any:
        context = self._context(scope)
        for _piece in self._template.root_render_func(context):
            pass
        return context.vars["result"]


@functools.lru_cache(maxsize=None)
def _template(text: str) -> _Compiled:
    return _Compiled(ENVIRONMENT.from_string(text))


@functools.lru_cache(maxsize=None)
def _expression(text: str) -> _Compiled:
    from jinja2.parser import Parser

    parser = Parser(ENVIRONMENT, text, state="variable")
    expression = parser.parse_expression()
    expression.set_environment(ENVIRONMENT)
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)]
    return _Compiled(ENVIRONMENT.from_string(nodes.Template(body, lineno=1)))


def _evaluate(text: str, scope: Scope) -> Any:
    text = text.strip()
    found = scope.lookup(text) if text.isidentifier() else missing
    return _expression(text).value_in(scope) if found is missing else found


@jinja2.pass_context
def _lookup(context: _Lazy, plugin: str, path: str) -> str:
    if plugin.rpartition(".")[2] != "template":
        raise NotImplementedError(f"lookup {plugin}")
    return str(_template(_file(path)).render_in(context.scope))


@jinja2.pass_context
def _query(context: _Lazy, plugin: str, *paths: str) -> list[str]:
    return [_lookup(context, plugin, path) for path in paths]


@functools.lru_cache(maxsize=None)
def _file(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _combine(first: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    found = dict(first)
    for other in others:
        found.update(other)
    return found


def _from_yaml(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _mandatory(value: Any, msg: str) -> Any:
    if isinstance(value, jinja2.Undefined):
        raise jinja2.TemplateError(msg)
    return value


ENVIRONMENT.filters.update(
    mandatory=_mandatory,
    combine=_combine,
    from_yaml=_from_yaml,
    to_json=json.dumps,
    from_yaml_all=yaml.safe_load_all,
    zip=lambda first, second: list(zip(first, second)),
    bool=lambda value: value if isinstance(value, bool) else str(value).lower() in ("1", "yes", "true", "on"),
)
ENVIRONMENT.globals.update(dict=dict, lookup=_lookup, query=_query, omit=OMIT)
