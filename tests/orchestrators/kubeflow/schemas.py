# SPDX-License-Identifier: Apache-2.0
"""Check manifests against the vendors' own models: unknown fields, missing ones, wrong types. Prints what is wrong.

python schemas.py MANIFEST=CLASS ... A class is katib.NAME, kserve.NAME or kubernetes.NAME; the spec of katib's trials
is checked as Kubernetes' Job. Only model classes are imported: what the packages import else isn't installed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import yaml

PLACES = {"katib": ("kubeflow-katib", "kubeflow.katib"), "kserve": ("kserve", "kserve")}
SIMPLE = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}


def models(name: str) -> Any:
    if name == "kubernetes":
        return importlib.import_module("kubernetes.client")
    distribution, package = PLACES[name]
    root = Path(str(importlib.metadata.distribution(distribution).locate_file("")))
    parts = package.split(".")
    for depth in range(1, len(parts) + 1):
        shell = types.ModuleType(".".join(parts[:depth]))
        shell.__path__ = [str(root.joinpath(*parts[:depth]))]
        sys.modules[shell.__name__] = shell
    return importlib.import_module(f"{package}.models")


class Checker:
    """Compares values with the types that generated models state."""

    def __init__(self, package: Any) -> None:
        self._packages = (package, models("kubernetes"))
        self.problems: list[str] = []

    def check(self, value: Any, kind: str, path: str) -> None:
        if inner := re.fullmatch(r"list\[(.+)\]", kind):
            return self._many(value, list, inner[1], path)
        if inner := re.fullmatch(r"dict\(str, (.+)\)", kind):
            return self._many(value, dict, inner[1], path)
        if kind in SIMPLE or kind in ("ResourceQuantity", "IntstrIntOrString"):
            wanted = SIMPLE.get(kind, (str, int))
            if not isinstance(value, wanted) or (isinstance(value, bool) and kind == "int"):
                self.problems.append(f"{path}: {value!r} is no {kind}")
            return None
        return self._struct(value, self._class(kind), path)

    def _class(self, kind: str) -> Any:
        return next(getattr(package, kind) for package in self._packages if hasattr(package, kind))

    def _many(self, value: Any, container: type, kind: str, path: str) -> None:
        if not isinstance(value, container):
            self.problems.append(f"{path}: {value!r} is no {container.__name__}")
            return
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            self.check(one, kind, f"{path}.{key}")

    def _struct(self, value: Any, model: Any, path: str) -> None:
        if not isinstance(value, dict):
            self.problems.append(f"{path}: {value!r} is no {model.__name__}")
            return
        attributes = {written: name for name, written in model.attribute_map.items()}
        for name in value.keys() - attributes.keys():
            self.problems.append(f"{path}: unknown field {name}")
        known = {attributes[name]: one for name, one in value.items() if name in attributes}
        try:
            model(**known)  # raises where a field is missing, or has none of its values
        except (TypeError, ValueError) as error:
            self.problems.append(f"{path}: {error}")
        for name, one in known.items():
            self.check(one, model.openapi_types[name], f"{path}.{name}")


def main(*asked: str) -> None:
    problems = []
    for one in asked:
        path, _, wanted = one.partition("=")
        name, _, kind = wanted.partition(".")
        checker = Checker(models(name))
        manifest = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        checker.check(manifest, kind, kind)
        if name == "katib":
            checker.check(manifest["spec"]["trialTemplate"]["trialSpec"], "V1Job", "trialSpec")
        problems += checker.problems
    print(json.dumps(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
