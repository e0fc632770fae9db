# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

PYTHON ?= python3
# What needs no cluster; then what every change has to hold on one, and the suites that are run before a release.
FIRST := lint sanity unit simulate
PROMISES := demo molecule promises
SUITES := demo molecule releases databases retirement recipes quickstart awx validation fidelity faults
# Every recipe that uses the tools enters them first.
IN := . ./activate &&

.PHONY: help env tools cluster cluster-down cluster-load cluster-status images example demo test proof lint sanity unit simulate mutants promises molecule releases databases awx recipes retirement validation faults fidelity quickstart cluster-test bench docs matrix mutation clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

env: tools ## install the tools (cached outside the work tree) and write ./activate
	@echo "ready; in your shell: . ./activate"

tools:
	@$(PYTHON) tests/tools/env.py

cluster: ## start the embedded Kubernetes; the first time it is built
	@$(PYTHON) tests/cluster/cluster.py up

cluster-down: ## stop it and leave nothing behind
	@$(PYTHON) tests/cluster/cluster.py down

cluster-load: ## import images: make cluster-load IMAGE=file.tar
	@: $${IMAGE:?name a docker-archive file: make cluster-load IMAGE=file.tar}
	@$(PYTHON) tests/cluster/cluster.py load $$IMAGE

cluster-status: ## what runs, since when, where
	@$(PYTHON) tests/cluster/cluster.py status

images: cluster ## build the example application's images and load them into the cluster
	@$(PYTHON) tests/tools/images.py

example: tools images ## deploy the example application into namespace shop, to try releases by hand
	@$(IN) kubectl get namespace shop >/dev/null 2>&1 || kubectl create namespace shop
	@$(IN) kubectl -n shop apply -f examples/myapp/manifests/
	@$(IN) kubectl -n shop wait --for=condition=Available deployment --all --timeout=120s
	@echo 'Next: . ./activate && cd examples/myapp && ansible-playbook release.yml -e version=2.0'

demo: tools images ## the main job: a release and a rollback under load, with a count of the requests
	@$(IN) python tests/tools/demo.py

test: tools ## what every change must hold, in half an hour: lint, sanity, unit, and one test per promise on the cluster
	@$(IN) python tests/tools/run.py --first $(FIRST) --on-cluster $(PROMISES)

proof: tools ## every suite, an hour and more, with a page of results; make proof ARGS='faults databases' selects
	@$(IN) python tests/tools/run.py --go-on --only "$(ARGS)" --first $(FIRST) cluster-test --on-cluster $(SUITES)

lint: tools ## style, types, licences, changelog, documentation, and the artifact that would be published
	@$(IN) python tests/tools/lint.py

sanity: tools ## ansible-test sanity
	@$(IN) python tests/tools/sanity/run.py

unit: tools ## unit tests; make unit ARGS='-k switch' selects
	@$(IN) python -m pytest $(ARGS)

simulate: tools ## thousands of releases in virtual time, with the laws as judge; ARGS='release/7 kill@1#23a' repeats one
	@$(if $(ARGS),,$(IN) python -m pytest -n 2 tests/simulation)
	@$(IN) PYTHONPATH="$${ANSIBLE_COLLECTIONS_PATH%%:*}:tests" python -m simulation $(ARGS)

mutants: tools ## whether the simulation notices mistakes that are made on purpose; ARGS=NAME selects
	@$(IN) PYTHONPATH="$${ANSIBLE_COLLECTIONS_PATH%%:*}:tests" python -m simulation.mutants $(ARGS)

promises: tools images ## of all suites on the cluster, the one test of each promise; ARGS='-k kill' selects
	@$(PYTHON) tests/tools/images.py validation
	@$(IN) python -m pytest tests/on_cluster -m promise -n 3 $(ARGS)

molecule: tools images ## the role as a user's playbook has it: the scenarios of extensions/molecule
	@$(IN) molecule test --all

releases: tools images ## releases as users run them: what each way in, each option and each mistake does
	@$(IN) python -m pytest tests/on_cluster/releases -n 2 $(ARGS)

databases: tools images ## releases that change the schema of a real PostgreSQL while users write to it
	@$(IN) python -m pytest tests/on_cluster/databases -n 2 $(ARGS)

awx: tools images ## AWX's path: jobs by ansible-runner, cancelled in each stage, and the workflow with approval
	@$(IN) python -m pytest tests/on_cluster/awx -n 4 $(ARGS)

recipes: tools images ## releases inside other automation, as docs/recipes.md shows them
	@$(IN) python -m pytest tests/on_cluster/recipes -n 3 $(ARGS)

retirement: tools images ## the end of the old color's life, and its way back
	@$(IN) python -m pytest tests/on_cluster/retirement -n 2 $(ARGS)

faults: tools images ## kill, cut, pause and forbid everything, under traffic; ARGS='-k kill' selects
	@$(IN) python -m pytest tests/on_cluster/faults -n 3 $(ARGS)

validation: tools images ## checks, bake and report against the application; ARGS='-k secrets' selects
	@$(PYTHON) tests/tools/images.py validation
	@$(IN) python -m pytest tests/on_cluster/validation -n 2 $(ARGS)

fidelity: tools cluster ## the simulated API server against the real one: the same requests, the same answers
	@$(IN) python -m pytest tests/on_cluster/fidelity $(ARGS)

cluster-test: tools ## the embedded cluster itself: started twice, killed, found stale, stopped without a trace
	@$(IN) python -m pytest tests/cluster $(ARGS)

bench: tools images ## the side-by-side figures
	@$(IN) python tests/tools/bench/bench.py

docs: tools ## the documentation as a site, in docs/build
	@$(IN) python tests/tools/docs/build.py

quickstart: tools images ## the quick start followed from the built artifact, and the smoke test of an execution environment
	@$(IN) python -m pytest tests/on_cluster/quickstart -n 2 $(ARGS)

matrix: tools ## unit tests and sanity with all supported versions; ARGS='units 24.2' selects
	@$(IN) python tests/tools/matrix.py $(ARGS)

mutation: tools ## whether the unit tests notice mistakes in the code that decides
	@$(IN) python tests/tools/mutation.py

clean: ## stop the cluster and remove what was made in the work tree; caches outside it stay
	@env -u KUBECONFIG $(PYTHON) tests/cluster/cluster.py down
	@rm -rf .ansible .cluster .mypy_cache .pytest_cache .ruff_cache activate activate.*.new docs/build tests/output ./*.tar.gz
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
