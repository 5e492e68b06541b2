# SPDX-License-Identifier: Apache-2.0
"""Tensors out of PyTorch's .pt files, without PyTorch and without running what a pickle asks for.

Reads both container formats that `torch.save` has had: the zip archive (since 1.6) and the stream of
pickles before it. A pickle may name ordered dictionaries, storages and the functions that rebuild
tensors; any other name is refused, so a file can't run code. It reads, it does not write, and it knows
dense CPU tensors only.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import FormatError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
PREVIEW_PICKLES = 3  # magic number, protocol and platform come before the object
# What pickle and zipfile raise on bytes that are damaged, cut short or something else.
_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",  # widened to float32 below
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _Storage(Struct, frozen=True):
    kind: str
    key: str
    length: int


class _Tensor(Struct, frozen=True):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _Kind(Struct, frozen=True):
    """Stands for torch.FloatStorage and its like."""

    name: str


def read_torch(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor of a .pt file: dotted path -> array.

    `{"model": {"weight": tensor}, "step": 3}` gives `{"model.weight": array}`; what is no tensor is left
    out. bfloat16 becomes float32. Raises FormatError for anything but tensors in plain containers.
    """
    try:
        with path.open("rb") as file:
            tree, storages = _zip(file) if zipfile.is_zipfile(path) else _legacy(file)
        return {name: _array(tensor, storages) for name, tensor in _tensors(tree)}
    except _Refused as error:
        raise FormatError(f"{path}: {error}") from error
    except (
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise FormatError(f"{path}: not a PyTorch file of tensors ({type(error).__name__}: {error})") from error


class _Refused(Exception):
    """What a file asks for is not on the list."""


class _Reader(pickle.Unpickler):
    """An unpickler that knows a handful of names and makes inert descriptions out of them."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8")
        # Fresh closures for each file: a pickle may set attributes on what it is handed.
        self._known: dict[tuple[str, str], object] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor"): _rebuilder(),
            ("torch._utils", "_rebuild_tensor_v2"): _rebuilder(),
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        }

    def find_class(self, module: str, name: str) -> object:
        if module == "torch" and name in _DTYPES:
            return _Kind(name)
        known = self._known.get((module, name))
        if known is None:
            raise _Refused(f"refused: the file asks for {module}.{name}, and only tensors are read")
        return known

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", _Kind(name=kind), str(key), str(), int(length), *rest) if rest in ([], [None]):
                return _Storage(kind, key, length)
        raise _Refused(f"refused: a reference of unknown form {str(pid)[:80]!r}")


def _rebuilder() -> Callable[..., _Tensor]:
    def rebuild(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object) -> _Tensor:
        if not isinstance(storage, _Storage) or any(number < 0 for number in (offset, *shape, *stride)):
            raise _Refused("a tensor of unknown form")
        return _Tensor(storage, offset, tuple(shape), tuple(stride))

    return rebuild


def _zip(file: BinaryIO) -> tuple[object, Mapping[str, NDArray[Any]]]:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise _Refused("a zip archive, but not one of torch.save: no single data.pkl")
        root = pickles[0].removesuffix("data.pkl")
        order = archive.read(f"{root}byteorder").decode() if f"{root}byteorder" in names else "little"
        tree = _Reader(io.BytesIO(archive.read(pickles[0]))).load()
        storages = {
            storage.key: _values(archive.read(f"{root}data/{storage.key}"), storage, order)
            for storage in {tensor.storage.key: tensor.storage for _, tensor in _tensors(tree)}.values()
        }
        return tree, storages


def _legacy(file: BinaryIO) -> tuple[object, Mapping[str, NDArray[Any]]]:
    magic, protocol, platform = (_Reader(file).load() for _ in range(PREVIEW_PICKLES))
    if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL or not isinstance(platform, dict):
        raise _Refused("not a PyTorch file")
    order = "little" if platform.get("little_endian", True) else "big"
    tree = _Reader(file).load()
    wanted = {tensor.storage.key: tensor.storage for _, tensor in _tensors(tree)}
    storages = {}
    for key in _Reader(file).load():
        if key not in wanted:
            raise _Refused(f"storage {key!r} belongs to no tensor")
        length = int.from_bytes(file.read(8), order)  # type: ignore[arg-type]
        storage = wanted[key]
        if length != storage.length:
            raise _Refused(f"storage {key!r} has {length} values where {storage.length} were announced")
        storages[key] = _values(file.read(length * np.dtype(_DTYPES[storage.kind]).itemsize), storage, order)
    return tree, storages


def _values(raw: bytes, storage: _Storage, order: str) -> NDArray[Any]:
    dtype = np.dtype(_DTYPES[storage.kind]).newbyteorder(">" if order == "big" else "<")
    if len(raw) != storage.length * dtype.itemsize:
        raise _Refused(f"storage {storage.key!r} has {len(raw)} bytes where {storage.length} values were announced")
    values = np.frombuffer(raw, dtype=dtype)
    if order != sys.byteorder:
        values = values.astype(dtype.newbyteorder("="))
    if storage.kind == "BFloat16Storage":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def _tensors(tree: object, path: str = "") -> Iterator[tuple[str, _Tensor]]:
    """Walk plain containers depth first."""
    if isinstance(tree, _Tensor):
        yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _tensors(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from _tensors(value, f"{path}.{index}" if path else str(index))


def _array(tensor: _Tensor, storages: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    values = storages[tensor.storage.key]
    if len(tensor.shape) != len(tensor.stride):
        raise _Refused("a tensor whose shape and stride differ in length")
    if math.prod(tensor.shape) == 0:
        return np.zeros(tensor.shape, values.dtype)
    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride, strict=True))
    if last >= len(values) or math.prod(tensor.shape) > len(values):
        raise _Refused(f"a tensor reaches beyond its storage {tensor.storage.key!r}")
    strides = [step * values.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides, writeable=False).copy()
