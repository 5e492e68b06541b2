# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import msgspec
import pytest

from speechmill.core import registry
from speechmill.core.errors import UnknownBackend, UnsupportedLanguage

HEAVY = ("torch", "onnxruntime", "pyarrow", "av", "numpy", "lhotse", "datasets", "faster_whisper", "pocketsphinx")


def test_an_unknown_backend_names_the_nearest():
    with pytest.raises(UnknownBackend, match="did you mean 'pocketsphinx'"):
        registry.load("asr", "pocketsphynx")


def test_a_language_a_backend_does_not_know_names_those_that_do():
    with pytest.raises(UnsupportedLanguage, match=r"does not know the language 'vi'; backends that do: faster_whisper"):
        registry.check_language("asr", "pocketsphinx", "vi")


# What only the user can name; every other option has a default.
NO_DEFAULT = {
    "sources": {"path", "url", "uri", "instance"},
    "g2p": {"path", "model", "language"},
    "align": {"model", "dictionary"},
}


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_every_backend_has_the_shape_of_one(family):
    for name in registry.names(family):
        module = registry.load(family, name)
        assert isinstance(module.VERSION, str), name
        assert module.Config.__struct_config__.frozen, name
        assert module.Config.__struct_config__.forbid_unknown_fields, name
        asked = [field.name for field in msgspec.structs.fields(module.Config) if field.required]
        assert set(asked) <= NO_DEFAULT.get(family, {"model"}), name
        assert callable(module.Backend), name
        assert (module.__doc__ or "").strip(), name


@pytest.mark.parametrize("arguments", [["-c", "import speechmill"], ["-m", "speechmill", "--help"]])
def test_starting_imports_nothing_heavy(arguments):
    code = f"import sys, runpy; sys.argv = {['x', *arguments[2:]]!r}\n"
    code += (
        "import speechmill\n"
        if arguments[0] == "-c"
        else "try: runpy.run_module('speechmill', run_name='__main__')\nexcept SystemExit: pass\n"
    )
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
