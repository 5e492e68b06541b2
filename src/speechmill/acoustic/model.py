# SPDX-License-Identifier: Apache-2.0
"""An acoustic model and its file: arrays in one npz, everything else in a JSON card beside them. Nothing is pickled.

What is read is checked before it is used: a file that somebody tampered with is refused, not run.
"""

from __future__ import annotations

import hashlib
import io
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.confidence import Norms, typical
from speechmill.acoustic.features import FeatureConfig
from speechmill.acoustic.gmm import Mixtures
from speechmill.acoustic.graph import Variant
from speechmill.acoustic.lda import MAX_REACH, Projection
from speechmill.acoustic.normalise import Adaptation
from speechmill.acoustic.trees import LEAF, PHONE_STATES, SPECIAL, Tying
from speechmill.acoustic.viterbi import Steps
from speechmill.core import files
from speechmill.core.errors import FormatError

FORMAT = 1
_MAX_BYTES = 1 << 30  # unpacked; a model of ten hours has some 10 MB
_MAX_MEAN, _VARIANCES = 1e6, (1e-8, 1e12)  # beyond it likelihoods aren't numbers; features have a variance of about 1
_LEAST_STEP = -50.0  # logarithm; training gives none below that of 0.01
# What zipfile and numpy raise for files that are none, or that somebody damaged.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, msgspec.MsgspecError,
    KeyError, ValueError, SyntaxError, RuntimeError, MemoryError, EOFError, OSError,
)  # fmt: skip


class Card(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model was made of, for people and for fingerprints."""

    name: str = ""
    language: str = ""
    licence: str = ""
    hours: float = 0.0  # of speech it was trained on
    utterances: int = 0
    speakers: int = 0
    phones: tuple[str, ...] = ()
    lexicon: str = ""  # its digest
    seed: int = 0
    left_out: tuple[str, ...] = ()  # examples that could not be used, "reason: key", the first hundred
    versions: dict[str, str] = {}  # of what made it


class Said(Struct, frozen=True):
    """How often a pronunciation was heard in training, and how often a pause followed."""

    word: str
    phones: tuple[str, ...]
    count: int
    pauses: int


class AcousticModel(Struct, frozen=True):
    """Everything that aligning needs but the lexicon."""

    card: Card
    features: FeatureConfig
    tying: Tying
    mixtures: Mixtures
    steps: Steps
    average: Adaptation  # of all speakers
    norms: Norms  # what is usual for each phone: by it an alignment is judged
    pause: float = -0.7  # log-probability of a pause between words
    said: tuple[Said, ...] = ()
    transforms: bool = False  # trained with speakers' transforms: who aligns should estimate them too
    projection: Projection | None = None  # of neighbouring frames, in the place of slopes

    @property
    def digest(self) -> str:
        """Hex SHA-256 of all that changes an alignment: not of name, language or licence."""
        state = hashlib.sha256(msgspec.json.encode([FORMAT, self.features, self.pause, self.said, self.tying.phones]))
        for name, array in sorted(_arrays(self).items()):
            state.update(f"{name}{array.dtype}{array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()


class _Head(Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the file beside arrays."""

    format: int
    card: Card
    features: FeatureConfig
    phones: tuple[str, ...]
    pause: float
    said: tuple[Said, ...]
    transforms: bool = False


def _arrays(model: AcousticModel) -> dict[str, NDArray[Any]]:
    return {
        **({"projection": model.projection.matrix} if model.projection else {}),
        "roots": model.tying.roots,
        "nodes": model.tying.nodes,
        "questions": model.tying.questions,
        "first": model.mixtures.first,
        "weights": model.mixtures.weights.astype(np.float32),
        "means": model.mixtures.means.astype(np.float32),
        "variances": model.mixtures.variances.astype(np.float32),
        "stay": model.steps.stay,
        "leave": model.steps.leave,
        "mean": model.average.mean,
        "deviation": model.average.deviation,
        "usual": model.norms.mean,
        "usual_deviation": model.norms.deviation,
    }


def save(model: AcousticModel, path: Path) -> None:
    """Write a model, whole or not at all; equal models are equal files."""
    head = _Head(FORMAT, model.card, model.features, model.tying.phones, model.pause, model.said, model.transforms)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("card.json"), msgspec.json.format(msgspec.json.encode(head)))
        for name, array in _arrays(model).items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)
    files.write_bytes(path, buffer.getvalue())


def load(path: Path) -> AcousticModel:
    """Read a model. Raises FormatError where the file isn't one, or what is in it doesn't fit together."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > _MAX_BYTES:
                raise FormatError(f"{path}: unpacked it is larger than {_MAX_BYTES >> 20} MB")
            head = msgspec.json.decode(_member(archive, "card.json"), type=_Head)
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            arrays = {name.removesuffix(".npy"): _parsed(_member(archive, name)) for name in names}
        return _checked(head, arrays)
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file. Train a model with: speechmill train-acoustic") from None
    except _BROKEN as error:
        raise FormatError(f"{path}: not an acoustic model of speechmill ({error})") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read as much as the archive says a file has; without a number zipfile unpacks all, and cuts it then."""
    with archive.open(name) as content:
        return content.read(archive.getinfo(name).file_size)


def _parsed(content: bytes) -> NDArray[Any]:
    """Return the array of a .npy file. Its shape is believed only where its bytes bear it out. Raises ValueError."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array that is not npy 1.0")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise ValueError("an array of objects, which would have to be unpickled")
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if by_column else "C").copy()


def _checked(head: _Head, arrays: dict[str, NDArray[Any]]) -> AcousticModel:
    """Put a model together. Raises ValueError with what doesn't fit, KeyError for an array that is not there."""
    if head.format != FORMAT:
        raise ValueError(f"format {head.format}; this version reads {FORMAT}")
    tying = _tying(head.phones, arrays)
    num_static, num_states = head.features.num_static, tying.num_states
    first = _array(arrays, "first", np.int32, (num_states + 1,))
    if first[0] != 0 or (np.diff(first) < 1).any():
        raise ValueError("first: components of a state are missing")
    projection = _projection(arrays, num_static)
    shape = (int(first[-1]), projection.num_dimensions if projection else head.features.num_dimensions)
    mixtures = Mixtures(
        first,
        _array(arrays, "weights", np.float32, shape[:1]).astype(np.float64),
        _array(arrays, "means", np.float32, shape).astype(np.float64),
        _array(arrays, "variances", np.float32, shape).astype(np.float64),
    )
    _check_mixtures(mixtures)
    _check_probabilities(head)
    steps = Steps(*(_array(arrays, name, np.float64, (num_states,)) for name in ("stay", "leave")))
    if not all(((one >= _LEAST_STEP) & (one <= 0)).all() for one in (steps.stay, steps.leave)):
        raise ValueError(f"stay and leave are logarithms, from {_LEAST_STEP:g} to 0")
    average = Adaptation(*(_array(arrays, name, np.float32, (num_static,)) for name in ("mean", "deviation")))
    if (average.deviation < np.sqrt(_VARIANCES[0])).any():
        raise ValueError("deviation must be above 0")
    norms = _norms(arrays, len(head.phones))
    return AcousticModel(
        head.card,
        head.features,
        tying,
        mixtures,
        steps,
        average,
        norms,
        head.pause,
        head.said,
        head.transforms,
        projection,
    )


def _projection(arrays: dict[str, NDArray[Any]], num_static: int) -> Projection | None:
    """Return what a model projects frames with, if it does; how many of them follows from its size."""
    if "projection" not in arrays:
        return None
    matrix = _array(arrays, "projection", np.float32, (None, None))
    reach, odd = divmod(matrix.shape[1] - num_static, 2 * num_static)
    if odd or not 0 <= reach <= MAX_REACH or not 0 < len(matrix) <= matrix.shape[1]:
        raise ValueError(f"projection: {matrix.shape} projects no frames of {num_static} numbers")
    if (np.abs(matrix) > _MAX_MEAN).any():
        raise ValueError(f"projection must lie within {_MAX_MEAN:g}")
    return Projection(reach, matrix)


def _check_mixtures(mixtures: Mixtures) -> None:
    """Raises ValueError for Gaussians that would give no number."""
    if ((mixtures.weights <= 0) | (mixtures.weights > 1.001)).any():
        raise ValueError("weights must be above 0, and 1 at most")
    low, high = _VARIANCES
    if (mixtures.variances < low).any() or (mixtures.variances > high).any():
        raise ValueError(f"variances must lie between {low:g} and {high:g}")
    if (np.abs(mixtures.means) > _MAX_MEAN).any():
        raise ValueError(f"means must lie within {_MAX_MEAN:g}")


def _check_probabilities(head: _Head) -> None:
    """Raises ValueError for a pause that is none, and for words that were heard less than never."""
    if not _LEAST_STEP <= head.pause < 0:
        raise ValueError(f"pause: {head.pause:g} is not the logarithm of a probability")
    for said in head.said:
        if not 0 <= said.pauses <= said.count or not said.phones:
            raise ValueError(f"said: {said.word!r} {' '.join(said.phones)}: {said.count} times, {said.pauses} pauses")


def _norms(arrays: dict[str, NDArray[Any]], num_phones: int) -> Norms:
    """Return what is usual for each phone; typical values where a model was made before they were counted."""
    if "usual" not in arrays:
        return typical(num_phones)
    names = ("usual", "usual_deviation")
    norms = Norms(*(_array(arrays, name, np.float64, (num_phones, 2)) for name in names))
    if (norms.deviation < 0).any():
        raise ValueError("usual_deviation must not be below 0")
    return norms


def _tying(phones: tuple[str, ...], arrays: dict[str, NDArray[Any]]) -> Tying:
    if phones[: len(SPECIAL)] != SPECIAL or len(set(phones)) != len(phones):
        raise ValueError("phones: silence and unknown speech must come first, and each phone once")
    roots = _array(arrays, "roots", np.int32, (len(phones), PHONE_STATES))
    nodes = _array(arrays, "nodes", np.int32, (None, 4))
    questions = _array(arrays, "questions", np.bool_, (None, len(phones)))
    leaves = nodes[:, 0] == LEAF
    asking, rows = nodes[~leaves], np.flatnonzero(~leaves)
    # A child lies behind its parent, or the way down would never end.
    sound = (
        leaves.any()
        and (roots >= 0).all()
        and (roots < len(nodes)).all()
        and np.isin(asking[:, 0], (0, 1, 2)).all()
        and ((asking[:, 1] >= 0) & (asking[:, 1] < len(questions))).all()
        and ((asking[:, 2:] > rows[:, None]) & (asking[:, 2:] < len(nodes))).all()
        and len(np.unique(asking[:, 2:])) == asking[:, 2:].size  # nor would a count of what meets again
        and set(nodes[leaves, 1].tolist()) == set(range(int(nodes[leaves, 1].max()) + 1))
    )
    if not sound:
        raise ValueError("nodes: the trees lead nowhere")
    return Tying(phones, roots, nodes, questions)


def _array(arrays: dict[str, NDArray[Any]], name: str, dtype: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return an array as it should be. Raises ValueError, KeyError."""
    array = arrays[name]
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=False)
    )
    if array.dtype != dtype or not fits:
        raise ValueError(f"{name}: {array.dtype} {array.shape}, not {np.dtype(dtype)} {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name}: not finite")
    return np.ascontiguousarray(array)


def variants_of(model: AcousticModel) -> dict[str, dict[tuple[str, ...], Variant]]:
    """Return what training learnt of pronunciations: word -> phones -> probabilities (logarithms)."""
    words: dict[str, list[Said]] = {}
    for said in model.said:
        words.setdefault(said.word, []).append(said)
    return {word: {said.phones: _variant(said, heard, model.pause) for said in heard} for word, heard in words.items()}


def _variant(said: Said, heard: list[Said], pause: float) -> Variant:
    """Relative to the likeliest; a pause as often as heard, with five more words that pause as all do."""
    best = max(one.count for one in heard)
    share = (said.pauses + 5 * float(np.exp(pause))) / (said.count + 5)
    share = min(max(share, 0.01), 0.99)
    probability = float(np.log((said.count + 1) / (best + 1)))
    return Variant(said.phones, probability, float(np.log(share)), float(np.log1p(-share)))
