# SPDX-License-Identifier: Apache-2.0
"""Nothing heavy is imported before it is needed. How long it takes is measured in benchmarks/startup.py."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "av",
    "ctranslate2",
    "datasets",
    "faster_whisper",
    "lhotse",
    "librosa",
    "numpy",
    "onnxruntime",
    "pandas",
    "pocketsphinx",
    "pyarrow",
    "scipy",
    "soxr",
    "torch",
}
HELP = """
import sys
sys.argv = ["speechmill", "--help"]
from speechmill.cli.main import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
"""
EVERY_BACKEND = """
from speechmill.core import registry
for family in registry.FAMILIES:
    for name in registry.names(family):
        registry.load(family, name)
"""


def modules_after(code):
    """Return the top-level modules that a fresh interpreter has after running some code."""
    report = "\nimport json, sys\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("code", ["import speechmill", HELP], ids=["import", "help"])
def test_starting_imports_nothing_heavy(code):
    found = modules_after(code)
    assert "speechmill" in found
    assert found & HEAVY == set()


def test_listing_every_backend_imports_no_runtime():
    """A backend's module is loaded to be listed and fingerprinted; what it runs on isn't."""
    found = modules_after(EVERY_BACKEND)
    assert found & (HEAVY - {"av", "numpy", "pyarrow", "soxr"}) == set()


def test_an_unknown_name_is_an_attribute_error():
    import speechmill

    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = speechmill.runn
