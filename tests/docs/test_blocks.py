# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every code block of the documentation is what it says it is: it parses, and what it names exists.

- Playbooks, tasks and inventories: ansible-playbook --syntax-check takes them; role variables and module options exist and
  have the right type; checks are read by the collection's own reader.
- The same for the examples of ansible-doc, and for the files of examples/ and of the role, but for their syntax.
- Commands: the shell parses them, make targets and files exist, every ansible-playbook command passes --syntax-check with
  the files that the document shows, else with those of the example beside it or of examples/myapp.

What a block is, and how it names its file: blocks.py. The quick start is executed as well, by test_quickstart.py.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.bluegreen.kubernetes.plugins.module_utils import _checks
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError
from blocks import Block, Problem, blocks, commands, documents, files_of
from checkout import ROOT
from checkout import files as project_files

# Programs whose arguments are not looked at, beyond the files that they name.
PROGRAMS = {
    ".",
    "ansible-builder",
    "ansible-galaxy",
    "ansible-runner",
    "antsibull-changelog",
    "apt-get",
    "chmod",
    "curl",
    "docker",
    "echo",
    "export",
    "git",
    "helm",
    "kustomize",
    "ln",
    "mkdir",
    "pip",
    "podman",
    "sleep",
    "ssh",
}
KUBECTL = {
    "annotate",
    "apply",
    "auth",
    "create",
    "delete",
    "describe",
    "diff",
    "get",
    "label",
    "logs",
    "patch",
    "rollout",
    "scale",
    "set",
    "wait",
}
FILES = [
    path
    for path in project_files()
    if path.endswith(".yml") and path.startswith(("examples/", "extensions/", "playbooks/", "roles/"))
]
PAIRS = [(document, block) for document in documents() for block in blocks(document)]


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of examples/, for documents to lay their files over."""
    target = tmp_path_factory.mktemp("documented") / "examples"
    shutil.copytree(ROOT / "examples", target)
    return target


# --- YAML -------------------------------------------------------------------------------------------------------------


class Loader(yaml.SafeLoader):
    """YAML with Ansible's tags."""


for tag in ("!vault", "!unsafe"):
    Loader.add_constructor(tag, lambda loader, node: loader.construct_scalar(node))


@functools.cache
def role_specs() -> dict[str, dict[str, Any]]:
    """The role's entry points."""
    return yaml.safe_load((ROOT / "roles" / "bluegreen" / "meta" / "argument_specs.yml").read_text())["argument_specs"]


@functools.cache
def role_options() -> dict[str, dict[str, Any]]:
    """The role's variables: of all its entry points together."""
    found: dict[str, dict[str, Any]] = {}
    for spec in role_specs().values():
        for name, option in spec["options"].items():
            found.setdefault(name, option)
    return found


@functools.cache
def modules() -> dict[str, dict[str, Any]]:
    """The modules, by ansible-doc."""
    names = [f"bluegreen.kubernetes.{path.stem}" for path in (ROOT / "plugins" / "modules").glob("bg_*.py")]
    result = subprocess.run(["ansible-doc", "--json", *names], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


@functools.cache
def module_options() -> dict[str, dict[str, Any]]:
    """The modules' options, from their documentation."""
    return {name: module["doc"]["options"] for name, module in modules().items()}


def judged(option: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    """An option as these values of it are judged: what a template decides later may be anything, but it is given."""
    parts = [part for value in values for part in (value if isinstance(value, list) else [value])]
    if any(isinstance(part, str) and "{{" in part for part in parts):
        return {"type": "raw"}
    inner = option.get("options") or option.get("suboptions")  # as a specification, and as ansible-doc says it
    if not inner:
        return option
    groups = [part for part in parts if isinstance(part, dict)]
    return {
        **option,
        "options": {
            name: judged(one, [group[name] for group in groups if name in group]) for name, one in inner.items()
        },
    }


def validate(values: dict[str, Any], options: dict[str, dict[str, Any]], what: str, required: bool = False) -> None:
    """Names and types, as Ansible would judge them."""
    spec = {name: dict(judged(option, [values[name]] if name in values else [])) for name, option in options.items()}
    for option in spec.values():
        option["required"] = required and option.get("required", False)
    wrong = ArgumentSpecValidator(spec).validate(values).error_messages
    if wrong:
        raise Problem(f"{what}: {'; '.join(wrong)}")


def check_variables(values: dict[str, Any], directory: Path) -> None:
    """Role variables, among others that are none of the role's business."""
    ours = {
        name: value
        for name, value in values.items()
        if name.startswith("bluegreen_") and name not in ("bluegreen_hosts", "bluegreen_result")
    }
    validate(ours, role_options(), "role variables")
    for name in ("bluegreen_checks", "bluegreen_bake_checks"):
        if isinstance(ours.get(name), list):
            check_checks(ours[name], ours.get("bluegreen_prometheus"), directory)


def check_checks(checks: list[dict[str, Any]], prometheus: Any, directory: Path) -> None:
    """The collection's own reader, where the files that the checks name exist."""
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "stub"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "stub", "image": "stub"}]}}},
    }
    for check in checks:
        named = [
            (check.get("ca_cert"), ""),
            (check.get("job"), json.dumps(job)),
            (str(check.get("command", "")).partition(" ")[0], "#!/bin/sh"),
        ]
        for name, content in named:
            if name and "/" in f"{name}" + "/" * bool(check.get("job")) and not (directory / name).exists():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                (directory / name).write_text(content)
                (directory / name).chmod(0o755)
    try:
        _checks.parse(
            {
                "checks": checks,
                "chdir": str(directory),
                "parallel": 1,
                "prometheus": prometheus or {"url": "http://prometheus.example.com"},
            }
        )
    except BlueGreenError as error:
        raise Problem(str(error)) from error


def tasks_of(plays: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in plays:
        for key in ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks_of(item.get(key) or [])
        yield item


def check_tasks(plays: list[dict[str, Any]], directory: Path) -> None:
    """The variables that plays and tasks give the role, and the options that they give the modules."""
    for task in tasks_of(plays):
        check_variables(task.get("vars") or {}, directory)
    check_options(plays)


def check_options(plays: list[dict[str, Any]], required: bool = True) -> None:
    """The options that plays and tasks give the modules."""
    defaults: dict[str, Any] = {}
    for task in tasks_of(plays):
        defaults |= (task.get("module_defaults") or {}).get("group/bluegreen.kubernetes.bg") or {}
    for task in tasks_of(plays):
        for name, options in module_options().items():
            if name in task:
                validate({**defaults, **(task[name] or {})}, options, name, required)
            elif name.rpartition(".")[2] in task:
                raise Problem(f"the module {name.rpartition('.')[2]} is not named in full")
    if defaults:
        every = {key: value for options in module_options().values() for key, value in options.items()}
        validate(defaults, every, "module_defaults")


def check_yaml(block: Block, directory: Path) -> None:
    """What it is by its shape; a shape that is not known is a Problem."""
    try:
        items = [item for item in yaml.load_all(block.text, Loader) if item is not None]
    except yaml.YAMLError as error:
        raise Problem(f"no YAML: {error}") from error
    if not items:
        raise Problem("an empty block")
    for item in items:
        check_document(item, block, directory)


def check_document(item: Any, block: Block, directory: Path) -> None:
    if isinstance(item, list) and item and all(isinstance(entry, dict) for entry in item):
        if all({"hosts", "ansible.builtin.import_playbook", "import_playbook"} & set(entry) for entry in item):
            check_tasks(item, directory)
            syntax_check([write(directory, block.file or "block.yml", block.text).name], directory)
        elif all(set(entry) & set(_checks.KINDS) for entry in item):
            check_checks(item, None, directory)
        elif any("." in key for entry in item for key in entry) or any("block" in entry for entry in item):
            check_tasks(item, directory)
            write(directory, "block-tasks.yml", block.text)
            write(
                directory, "block.yml", "- hosts: all\n  tasks:\n    - ansible.builtin.import_tasks: block-tasks.yml\n"
            )
            syntax_check(["block.yml"], directory)
        else:
            raise Problem(f"a list that is neither plays, tasks nor checks: {item}")
    elif not isinstance(item, dict):
        raise Problem(f"neither a list nor a dictionary: {item!r}")
    elif "apiVersion" in item and "kind" in item:
        if not (item.get("metadata") or {}).get("name"):
            raise Problem("a manifest without a name")
    elif "all" in item:
        check_inventory(item["all"], directory)
        run(
            ["ansible-inventory", "-i", write(directory, block.file or "block.yml", block.text).name, "--list"],
            directory,
        )
    elif set(item) <= {"module_defaults", "block", "rescue", "always"}:  # a part of a block
        part = {
            "name": "Part",
            "block": item.get("block") or [{"name": "Nothing", "ansible.builtin.meta": "noop"}],
            **item,
        }
        check_document([part], Block(block.document, block.line, "yaml", yaml.safe_dump([part])), directory)
    elif set(item) == {"strategy"}:  # a part of a play
        run(["ansible-doc", "-t", "strategy", item["strategy"]], directory)
    elif len(item) == 1 and "." in next(iter(item)):  # a part of a task
        part = {"name": "Part", **item}
        check_document([part], Block(block.document, block.line, "yaml", yaml.safe_dump([part])), directory)
    elif set(item) <= {"collections", "roles"}:
        for entry in item["collections"]:
            if not set(entry) <= {"name", "version", "source", "type"} or "name" not in entry:
                raise Problem(f"not a collection to install: {entry}")
    elif "jobs" in item or any(
        isinstance(job, dict) and "script" in job for job in item.values()
    ):  # GitHub's, GitLab's
        for script in scripts(item):
            check_script(Block(block.document, block.line, "shell", script), directory)
    elif any(name.startswith("bluegreen_") for name in item):
        check_variables(item, directory)
    elif item.get("version") in (1, 3) and {"dependencies", "images"} & set(item):  # an execution environment
        pass
    else:
        raise Problem(f"of no known kind: {', '.join(map(str, item))}")


def check_inventory(group: dict[str, Any], directory: Path) -> None:
    check_variables(group.get("vars") or {}, directory)
    for variables in (group.get("hosts") or {}).values():
        check_variables(variables or {}, directory)
    for child in (group.get("children") or {}).values():
        check_inventory(child or {}, directory)


def scripts(item: Any) -> Iterator[str]:
    """The shell scripts of a pipeline."""
    for key, value in item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ():
        if key in ("run", "script", "before_script", "after_script"):
            yield value if isinstance(value, str) else "\n".join(value)
        else:
            yield from scripts(value)


# --- commands ---------------------------------------------------------------------------------------------------------


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def run(command: list[str], directory: Path) -> None:
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("ANSIBLE_") or key == "ANSIBLE_COLLECTIONS_PATH"
    }
    result = subprocess.run(
        command,
        cwd=directory,
        env={**environ, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # ansible-doc only warns of what it does not find.
    if result.returncode or "was not found" in result.stderr:
        raise Problem(f"{' '.join(command)}\n{result.stdout}{result.stderr}")


@functools.cache
def _syntax_check(command: tuple[str, ...], directory: Path, _state: str) -> None:
    run(list(command), directory)


def syntax_check(arguments: list[str], directory: Path) -> None:
    inventory = (
        [] if {"-i", "--inventory"} & set(arguments) or (directory / "ansible.cfg").exists() else ["-i", "localhost,"]
    )
    state = "".join(sorted(f"{path.name}{path.stat().st_mtime_ns}" for path in directory.iterdir()))
    _syntax_check(("ansible-playbook", *arguments, *inventory, "--syntax-check"), directory, state)


@functools.cache
def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def check_script(block: Block, directory: Path) -> None:
    parsed = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    if parsed.returncode:
        raise Problem(f"no shell script: {parsed.stderr}")
    here, made = directory, set()
    for words in commands(block.text):
        program, arguments = words[0], words[1:]
        if program == "cd":
            here = change_directory(here, directory, arguments[0], made)
        elif program == "mkdir":
            made |= set(arguments)
        elif program == "make":
            unknown = {word for word in arguments if "=" not in word and not word.startswith("-")} - targets()
            if unknown:
                raise Problem(f"make has no target {', '.join(sorted(unknown))}")
        elif program == "ansible-playbook":
            try:
                check_ansible_playbook(arguments, here)
            except Problem as problem:
                # Of a collection that the reader is told to install, and that is not here, nothing more can be said.
                missing = re.search(r"couldn't resolve module/action '(\w+\.\w+)\.", str(problem))
                if not missing or f"collection install {missing[1]}" not in block.text:
                    raise
        elif program in ("ansible-doc", "ansible-inventory"):
            run(words, here)
        elif program in ("python", "python3"):
            if arguments[0] != "-m":
                need(ROOT, arguments[0])
        elif program == "kubectl":
            check_kubectl(arguments, here)
        elif program.startswith("./"):
            need(here, program)
        elif program not in PROGRAMS:
            raise Problem(f"{program}: a command that this test does not know")


def change_directory(here: Path, start: Path, name: str, made: set[str]) -> Path:
    """Where `cd` leads, as it stands in a document: from the project's root, or from where the reader is."""
    if name in made:
        write(here / name, ".keep", "")
        return here / name
    for candidate in (here / name, start.parents[1] / name):
        if candidate.is_dir():
            return candidate
    raise Problem(f"cd {name}: there is no such directory")


def need(directory: Path, name: str) -> None:
    if not (directory / name).exists() and not (ROOT / name).exists():
        raise Problem(f"there is no {name}")


def check_ansible_playbook(arguments: list[str], directory: Path) -> None:
    for flag, value in zip(arguments, [*arguments[1:], ""]):
        if flag in ("-i", "--inventory") and not value.endswith(",") and not (directory / value).exists():
            raise Problem(f"there is no inventory {value}")
        if flag == "-e" and not value.startswith(("@", "{")):
            name, _equals, text = value.partition("=")
            playbook = next((word for word in arguments if word.endswith((".yml", ".yaml"))), "")
            own = (directory / playbook).read_text() if playbook and (directory / playbook).is_file() else ""
            if name != "version" and not name.startswith("bluegreen_") and name not in own:
                raise Problem(f"-e {value}: no variable of the role")
            if name.startswith("bluegreen_"):
                check_variables({name: yaml.safe_load(text)}, directory)
        if flag == "-e" and value.startswith("@") and (directory / value[1:]).exists():
            check_variables(yaml.load((directory / value[1:]).read_text(), Loader), directory)
    syntax_check(arguments, directory)


def check_kubectl(arguments: list[str], directory: Path) -> None:
    words = [word for word in arguments if not word.startswith("-")]
    if not KUBECTL & set(words[:2]):
        raise Problem(f"kubectl {' '.join(arguments)}: no command that this test knows")
    for flag, value in zip(arguments, [*arguments[1:], ""]):
        if flag in ("-f", "-k") and value != "-":
            need(directory, value)


# --- the tests --------------------------------------------------------------------------------------------------------


def workplace(block: Block, examples: Path, tmp_path: Path) -> Path:
    """Where its reader stands: in the example that it belongs to, else in examples/myapp; with the document's own files."""
    files = files_of(block.document)
    project = examples.parent  # shared, so that what was checked for one document is not checked again for the next
    if files or block.kind not in ("shell", "inline"):
        project = shutil.copytree(examples, tmp_path / "project" / "examples").parent
    directory = project / Path(block.document).parent
    if not (directory / "release.yml").exists():
        directory = project / "examples" / "myapp"
    for name, text in files.items():
        write(directory, name, text)
    return directory


def check(block: Block, examples: Path, tmp_path: Path) -> None:
    """Raises Problem when it does not hold."""
    if block.kind == "text":
        return
    directory = workplace(block, examples, tmp_path)
    if block.kind == "yaml":
        check_yaml(block, directory)
    elif block.kind in ("shell", "inline"):
        check_script(block, directory)
    elif block.kind == "bash":
        run(["shellcheck", "--shell=bash", str(write(directory, "block.sh", block.text))], directory)
    elif block.kind == "json":
        try:
            json.loads(block.text)
        except ValueError as error:
            raise Problem(f"no JSON: {error}") from error
    elif block.kind == "ini":
        run(
            ["ansible-config", "dump", "--only-changed", "-c", str(write(directory, "block.cfg", block.text))],
            directory,
        )
    else:
        raise Problem(
            f"a block of the kind {block.kind!r}: write ```shell, ```bash, ```yaml, ```json, ```ini or ```text before it"
        )


@pytest.mark.parametrize(
    ("document", "block"), PAIRS, ids=[f"{block}-{block.kind or 'none'}" for _document, block in PAIRS]
)
def test_block(document: str, block: Block, examples: Path, tmp_path: Path) -> None:
    try:
        check(block, examples, tmp_path)
    except Problem as problem:
        pytest.fail(f"{block}\n{block.text}\n{problem}", pytrace=False)


@pytest.mark.parametrize("what", ["modules", "role"])
def test_examples_of_the_reference(what: str, examples: Path, tmp_path: Path) -> None:
    """What ansible-doc shows as examples."""
    shown = (
        [module["examples"] for module in modules().values()]
        if what == "modules"
        else [spec["examples"] for spec in role_specs().values()]
    )
    directory = shutil.copytree(examples / "myapp", tmp_path / "project")
    try:
        check_yaml(Block(what, 1, "yaml", "\n".join(shown)), directory)
    except Problem as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.mark.parametrize("path", FILES)
def test_file(path: str, tmp_path: Path) -> None:
    """The options and variables in files; ansible-lint knows no options of modules that are actions."""
    try:
        for item in yaml.load_all((ROOT / path).read_text(), Loader):
            if isinstance(item, list) and all(isinstance(entry, dict) for entry in item):
                # The role sets most options once for all of its files.
                check_options(item, required=not path.startswith("roles/"))
            elif isinstance(item, dict) and "_vars/" in path:
                check_variables(item, tmp_path)
    except Problem as problem:
        pytest.fail(f"{path}: {problem}", pytrace=False)


BROKEN = {
    "a kind that nobody knows": "```perl\nprint 1\n```",
    "no kind": "```\nmake demo\n```",
    "indented": "    make demo\n",
    "a make target that is gone": "```shell\nmake gone\n```",
    "one in a sentence": "See `make gone`.",
    "a playbook that is gone": "```shell\nansible-playbook gone.yml -e version=2.0\n```",
    "an inventory that is gone": "```shell\nansible-playbook -i gone/ release.yml\n```",
    "a variable that is gone": "```shell\nansible-playbook release.yml -e bluegreen_gone=1\n```",
    "a file with variables that is gone": "```shell\nansible-playbook release.yml -e @gone.yml\n```",
    "a module that is gone": "```shell\nansible-doc bluegreen.kubernetes.bg_gone\n```",
    "an unknown command": "```shell\nfrobnicate\n```",
    "shell that does not parse": "```shell\nmake 'demo\n```",
    "a manifest that is gone": "```shell\nkubectl apply -f gone.yml\n```",
    "YAML that does not parse": "```yaml\na: [\n```",
    "YAML of no known kind": "```yaml\ngone: 1\n```",
    "a role variable that is gone": "```yaml\nbluegreen_gone: 1\n```",
    "a role variable of another type": "```yaml\nbluegreen_services: {a: 1}\n```",
    "a choice that is none": "```yaml\nbluegreen_retire_mode: never\n```",
    "a check with a mistake": "```yaml\nbluegreen_checks: [{name: health, htpp: /health}]\n```",
    "a variable of a host": "```yaml\nall: {hosts: {myapp: {bluegreen_gone: 1}}}\n```",
    "a task for a module that is gone": "```yaml\n- name: Gone\n  bluegreen.kubernetes.bg_gone:\n```",
    "an option that is gone": "```yaml\n- name: Wait\n  bluegreen.kubernetes.bg_wait: {services: [myapp], gone: 1}\n```",
    "an option that is missing": "```yaml\n- name: Wait\n  bluegreen.kubernetes.bg_wait: {namespace: shop}\n```",
    "an option that is gone, with a template": "```yaml\n- name: Wait\n  bluegreen.kubernetes.bg_wait: {services: [myapp], gone: '{{ gone }}'}\n```",
    "an option that is gone, in another one": (
        "```yaml\n- name: Switch\n  bluegreen.kubernetes.bg_switch:\n    services: [myapp]\n    color: green\n"
        "    probe: {url: '{{ url }}', gone: '{{ gone }}', color_from: {json: color}}\n```"
    ),
    "an option that is missing beside module_defaults": (
        "```yaml\nmodule_defaults:\n  group/bluegreen.kubernetes.bg: {services: [myapp]}\nblock:\n  - name: Switch\n"
        "    bluegreen.kubernetes.bg_switch: {namespace: shop}\n```"
    ),
    "a role variable that is gone, with a template": "```yaml\nbluegreen_gone: '{{ gone }}'\n```",
    "a strategy that is gone": "```yaml\nstrategy: ansible.builtin.gone\n```",
    "a play that is none": "```yaml\n- hosts: all\n  gone: 1\n```",
    "JSON that does not parse": "```json\n{\n```",
    "a script with a mistake": "```bash\n#!/bin/bash\ncd $1\n```",
    "a pipeline whose command is gone": "```yaml\njobs: {release: {steps: [{run: make gone}]}}\n```",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_hold_is_found(name: str, examples: Path, tmp_path: Path) -> None:
    found = blocks("README.md", BROKEN[name] + "\n")
    assert len(found) == 1
    with pytest.raises(Problem):
        check(found[0], examples, tmp_path)
