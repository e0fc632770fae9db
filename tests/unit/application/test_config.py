# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a version: what files may hold, how objects are named, and who refers to them."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application import config, references
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._errors import BlueGreenError

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {LEVEL: info}\n"
CREDENTIALS = "apiVersion: v1\nkind: Secret\nmetadata: {name: credentials}\nstringData: {PASSWORD: correct-horse}\n"
NAMES = {"ConfigMap/settings": "settings-1111111111", "Secret/credentials": "credentials-2222222222"}


def parsed(*texts: str, application: str = "shop") -> list[dict[str, Any]]:
    return config.parse(json.dumps({f"{number}.yml": text for number, text in enumerate(texts)}), application)


def named(*texts: str, **options: Any) -> dict[str, str]:
    return config.names_of(parsed(*texts, **options))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# --- what files hold


def test_an_object_is_whole_immutable_and_ours() -> None:
    (item,) = parsed(CREDENTIALS.replace("{name: credentials}", "{name: credentials, labels: {team: a}}"))
    name = item["metadata"].pop("name")
    assert name.startswith("credentials-") and len(name) == len("credentials-") + 10
    assert item == {
        "apiVersion": "v1",
        "kind": "Secret",
        "immutable": True,
        "type": "Opaque",
        "data": {"PASSWORD": encoded("correct-horse")},
        "metadata": {
            "labels": {"team": "a", "bluegreen.kubernetes/application": "shop"},
            "annotations": {"bluegreen.kubernetes/config": "credentials"},
        },
    }


# what is written, and whether it is another object than SETTINGS
CONTENTS = [
    (SETTINGS, False),
    ("---\n" + SETTINGS + "---\n", False),
    (SETTINGS + "binaryData: {}\n", False),
    (SETTINGS + "immutable: false\n", False),
    (SETTINGS.replace("info", "debug"), True),
    (SETTINGS.replace("LEVEL", "LEVELS"), True),
    (SETTINGS + "binaryData: {A: YQ==}\n", True),
]


@pytest.mark.parametrize("text, another", CONTENTS)
def test_the_name_says_what_an_object_holds(text: str, another: bool) -> None:
    assert (named(text) != named(SETTINGS)) is another


def test_the_same_content_is_the_same_object_however_it_is_written() -> None:
    as_data = CREDENTIALS.replace(
        "stringData: {PASSWORD: correct-horse}", f"data: {{PASSWORD: {encoded('correct-horse')}}}"
    )
    folded = CREDENTIALS.replace("stringData: {PASSWORD: correct-horse}", 'data: {PASSWORD: "Y29ycmVj\\ndC1ob3JzZQ=="}')
    assert named(CREDENTIALS) == named(as_data) == named(folded)
    assert named(CREDENTIALS) != named(CREDENTIALS + "type: example.com/login\n")


def test_two_applications_have_two_objects() -> None:
    assert named(SETTINGS) != named(SETTINGS, application="other")


@pytest.mark.parametrize(
    "change, ours",
    [
        ({}, True),
        ({"immutable": False}, False),
        ({"data": {"LEVEL": "debug"}}, False),
        ({"kind": "Secret"}, False),
        ({"metadata": {"name": "settings-0000000000"}}, False),
        ({"metadata": {"name": "settings", "labels": {"bluegreen.kubernetes/application": "shop"}}}, False),
    ],
)
def test_an_object_is_ours_as_long_as_it_is_what_it_was(change: dict[str, Any], ours: bool) -> None:
    (item,) = parsed(SETTINGS)
    assert config.is_ours({**item, **change}, "shop") is ours
    assert not config.is_ours({**item, **change}, "other")


# what is written, and the mistake
MISTAKES = [
    ("kind: Deployment", "0.yml: it holds ConfigMaps and Secrets, not 'Deployment'"),
    ("[]", "0.yml: it holds ConfigMaps and Secrets, not 'list'"),
    ("kind: ConfigMap", "a ConfigMap has no name (metadata.name), or none that Kubernetes takes: None"),
    (SETTINGS.replace("settings", "Not_A_Name"), "none that Kubernetes takes: 'Not_A_Name'"),
    (SETTINGS.replace("settings", "a" * 243), "its name is too long to get a hash"),
    (SETTINGS.replace("v1", "v2"), "ConfigMap settings: apiVersion is v1, not 'v2'"),
    (SETTINGS.replace("{name:", "{namespace: shop, name:"), "metadata.namespace is the application's, leave it out"),
    (SETTINGS + "spec: {}", "ConfigMap settings: it has no field 'spec'"),
    (SETTINGS.replace("info", "8080"), "ConfigMap settings: data.LEVEL is text, so quote it"),
    (SETTINGS.replace("{LEVEL: info}", "text"), "ConfigMap settings: data is a dictionary"),
    (SETTINGS + "binaryData: {A: '%'}", "ConfigMap settings: binaryData.A is not base64"),
    (CREDENTIALS.replace("stringData", "data"), "data.PASSWORD is not base64; stringData takes plain text"),
    (SETTINGS + "---\n" + SETTINGS, "ConfigMap/settings is there twice"),
    (CREDENTIALS.replace("}", ""), "0.yml: it is no YAML at line 4 (ParserError)"),
]


@pytest.mark.parametrize("text, mistake", MISTAKES)
def test_every_mistake_is_named_and_no_value_is_shown(text: str, mistake: str) -> None:
    with pytest.raises(BlueGreenError) as caught:
        parsed(text)
    assert caught.value.reason == "bad_input"
    assert mistake in str(caught.value)
    assert "correct-horse" not in str(caught.value)


@pytest.mark.parametrize("files", ["[", "[]", '"text"', '{"a": 1}'])
def test_what_is_no_dictionary_of_texts_is_refused(files: str) -> None:
    with pytest.raises(BlueGreenError) as caught:
        config.parse(files, "shop")
    assert caught.value.reason == "bad_input"


# --- who refers to what

POD: dict[str, Any] = {
    "containers": [
        {
            "name": "app",
            "env": [
                {"name": "A", "value": "settings"},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "PASSWORD"}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "X_"}, {"secretRef": {"name": "credentials"}}],
        }
    ],
    "initContainers": [{"name": "init", "envFrom": [{"configMapRef": {"name": "settings-0123456789"}}]}],
    "ephemeralContainers": [{"name": "debug", "envFrom": [{"secretRef": {"name": "credentials"}}]}],
    "volumes": [
        {"name": "a", "configMap": {"name": "settings"}},
        {"name": "b", "secret": {"secretName": "credentials-0123456789"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "credentials"}}]}},
        {"name": "d", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "credentials"}}},
        {"name": "e", "emptyDir": {}},
    ],
    "imagePullSecrets": [{"name": "credentials"}, {}],
}  # fmt: skip


def test_every_place_is_found_and_gets_the_new_name() -> None:
    before = copy.deepcopy(POD)
    template = config.configured({"metadata": {}, "spec": POD}, NAMES)
    assert POD == before
    text = json.dumps(POD).replace("-0123456789", "")
    for plain, name in (("settings", "settings-1111111111"), ("credentials", "credentials-2222222222")):
        text = text.replace(f'ame": "{plain}"', f'ame": "{name}"')
    assert template["spec"] == json.loads(text)
    assert references.referred([template]) == {
        ("ConfigMap", "settings-1111111111"),
        ("Secret", "credentials-2222222222"),
    }
    assert len(list(references.references(POD))) == 12


@pytest.mark.parametrize(
    "kind, name, becomes",
    [
        ("configMapRef", "settings", "settings-1111111111"),
        ("configMapRef", "settings-abcdef0123", "settings-1111111111"),
        ("configMapRef", "settings-abcdef012", "settings-abcdef012"),
        ("configMapRef", "settings-kmh4t5bcdf", "settings-kmh4t5bcdf"),  # kustomize's
        ("configMapRef", "settings-of-others", "settings-of-others"),
        ("configMapRef", "credentials", "credentials"),
        ("secretRef", "settings", "settings"),
        ("secretRef", "credentials", "credentials-2222222222"),
    ],
)
def test_what_is_somebody_elses_stays(kind: str, name: str, becomes: str) -> None:
    spec = {"containers": [{"name": "app", "envFrom": [{kind: {"name": name}}]}]}
    (found,) = references.references(config.configured({"spec": spec}, NAMES)["spec"])
    assert found.name == becomes


@pytest.mark.parametrize(
    "owner",
    [
        {"spec": POD},
        {"spec": {"template": {"spec": POD}}},
        {"spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}}},
    ],
)
def test_of_whatever_has_pods(owner: dict[str, Any]) -> None:
    assert len(references.referred([owner])) == 4
    assert references.referred([{"spec": {}}, {}]) == set()


def test_what_a_template_has_another_one_of() -> None:
    template = config.configured({"spec": POD}, NAMES)
    assert config.other_configs(template, NAMES) == []
    assert config.other_configs(template, {**NAMES, "Secret/credentials": "credentials-3"}) == ["Secret/credentials"]
    assert config.other_configs({"spec": {}}, NAMES) == list(NAMES)
    assert config.versioned(template) == NAMES


def test_what_no_pod_would_get_is_named_with_what_there_is() -> None:
    deployment = {"metadata": {"name": "app-green"}, "spec": {"template": {"spec": POD}}}
    config.refuse_unreferred(deployment, NAMES)
    with pytest.raises(BlueGreenError) as caught:
        config.refuse_unreferred(
            deployment, {**NAMES, "ConfigMap/setings": "setings-1", "Secret/settings": "settings-2"}
        )
    assert caught.value.what == "Nothing in app-green refers to ConfigMap setings, Secret settings of bluegreen_config."
    assert caught.value.why == ["Its pod template refers to ConfigMap settings, Secret credentials."]


# --- what is shown


def test_of_a_secret_only_sizes_are_shown() -> None:
    old, new = (parsed(CREDENTIALS.replace("horse", text))[0] for text in ("battery", "staple"))
    assert config.shown(old) == {"PASSWORD": "(15 bytes)"}
    assert config.shown(new, old) == {"PASSWORD": "(14 bytes, changed)"}
    assert config.shown(new, copy.deepcopy(new)) == {"PASSWORD": "(14 bytes)"}


def test_a_config_map_is_shown() -> None:
    (item,) = parsed(SETTINGS + "binaryData: {A: YQ==}\n")
    assert config.shown(item) == {"LEVEL": "info", "A": "(4 bytes in base64)"}


@pytest.mark.parametrize(
    "text, hidden",
    [
        (CREDENTIALS, {"correct-horse", encoded("correct-horse")}),
        (CREDENTIALS.replace("correct-horse", encoded("other-horse")).replace("stringData", "data"), {"other-horse"}),
        (CREDENTIALS.replace("apiVersion: v1", "apiVersion: v2"), {"correct-horse"}),  # it is shown as little
        (CREDENTIALS.replace("{PASSWORD: correct-horse}", "7"), set()),
        (SETTINGS, set()),
        ("{", set()),
    ],
)
def test_secrets_are_known_whatever_is_wrong_with_their_file(text: str, hidden: set[str]) -> None:
    assert hidden <= config.config_secrets(json.dumps({"a": text}))
    assert bool(config.config_secrets(json.dumps({"a": text}))) is bool(hidden)
