# SPDX-License-Identifier: Apache-2.0
"""Read weights out of an ONNX file, cut a part out of its graph, or write a graph, without the `onnx` package.

Speaks just enough of protobuf's wire format: messages are split into fields, kept as they are or left
out, and joined again. Field numbers are those of onnx.proto, https://github.com/onnx/onnx.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import FormatError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_VARINT = 10  # bytes of 64 bits
MODEL_IR, MODEL_GRAPH, MODEL_OPSET = 1, 7, 8
GRAPH_NODE, GRAPH_NAME, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 1, 2, 5, 11, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR, NODE_ATTRIBUTE = 1, 2, 4, 5
TENSOR_DIMS, TENSOR_TYPE, TENSOR_FLOATS, TENSOR_NAME, TENSOR_RAW = 1, 2, 4, 8, 9
FLOAT, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7  # TensorProto.DataType
IR_VERSION, OPSET = 8, 17  # of graphs that are written here; every onnxruntime from 1.12 on knows them

Field = tuple[int, int, bytes]  # number, wire type, content (a varint's own bytes)
Shape = Sequence[int | str]  # a string names a dimension that may vary


def weights(model: bytes) -> dict[str, NDArray[np.float32]]:
    """Every float32 initializer of a model: name -> array. Raises FormatError where it is no model."""
    graph = _one(_fields(model), MODEL_GRAPH)
    tensors = (list(_fields(content)) for number, _, content in _fields(graph) if number == GRAPH_INITIALIZER)
    return {_text(tensor, TENSOR_NAME): _tensor(tensor) for tensor in tensors if _number(tensor, TENSOR_TYPE) == FLOAT}


def cut(model: bytes, inputs: Mapping[str, Shape], outputs: Sequence[str]) -> bytes:
    """A model of the nodes between some float32 values and others.

    inputs: name of a value in the graph -> its shape. outputs: names of values that follow from them.
    Raises FormatError where a name isn't in the graph, or an output needs what isn't given.
    """
    fields = list(_fields(model))
    graph = list(_fields(_one(fields, MODEL_GRAPH)))
    kept = _needed(graph, set(inputs), outputs)
    part = b"".join(_join(field) for field in kept)
    part += b"".join(_message(GRAPH_INPUT, _value_info(name, shape)) for name, shape in inputs.items())
    part += b"".join(_message(GRAPH_OUTPUT, _value_info(name, None)) for name in outputs)
    rest = b"".join(_join(field) for field in fields if field[0] != MODEL_GRAPH)
    return rest + _message(MODEL_GRAPH, part)


def written(
    nodes: Iterable[bytes],
    constants: Mapping[str, NDArray[Any]],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
) -> bytes:
    """A model of nodes in the order in which they can be computed; inputs and outputs are float32."""
    graph = b"".join(_message(GRAPH_NODE, one) for one in nodes)
    graph += _message(GRAPH_NAME, b"speechmill")
    graph += b"".join(_message(GRAPH_INITIALIZER, _constant(name, array)) for name, array in constants.items())
    graph += b"".join(_message(GRAPH_INPUT, _value_info(name, shape)) for name, shape in inputs.items())
    graph += b"".join(_message(GRAPH_OUTPUT, _value_info(name, shape)) for name, shape in outputs.items())
    version = _join((MODEL_IR, VARINT, _encode(IR_VERSION)))
    return version + _message(MODEL_GRAPH, graph) + _message(MODEL_OPSET, _join((2, VARINT, _encode(OPSET))))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: float | Sequence[int]) -> bytes:
    """One operator of a model; an empty name stands for an input or output that isn't used."""
    parts = [_message(NODE_INPUT, name.encode()) for name in inputs]
    parts += [_message(NODE_OUTPUT, name.encode()) for name in outputs]
    parts.append(_message(NODE_OPERATOR, operator.encode()))
    parts += [_message(NODE_ATTRIBUTE, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join(parts)


def _attribute(name: str, value: float | Sequence[int]) -> bytes:
    """AttributeProto{name, f, i or ints, type: FLOAT, INT or INTS}; no integer is negative here."""
    if isinstance(value, float):
        content = _join((2, FIXED32, struct.pack("<f", value)))
        return _message(1, name.encode()) + content + _join((20, VARINT, _encode(1)))
    one = isinstance(value, int)
    number, kind = (3, 2) if one else (8, 7)
    values = [value] if isinstance(value, int) else value
    content = b"".join(_join((number, VARINT, _encode(each))) for each in values)
    return _message(1, name.encode()) + content + _join((20, VARINT, _encode(kind)))


def _constant(name: str, array: NDArray[Any]) -> bytes:
    dims = b"".join(_join((TENSOR_DIMS, VARINT, _encode(size))) for size in array.shape)
    kind = {"float32": FLOAT, "uint8": UINT8, "int8": INT8, "int32": INT32, "int64": INT64}[array.dtype.name]
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
    numbers = dims + _join((TENSOR_TYPE, VARINT, _encode(kind)))
    return numbers + _message(TENSOR_NAME, name.encode()) + _message(TENSOR_RAW, little.tobytes())


def _needed(graph: Sequence[Field], given: set[str], outputs: Sequence[str]) -> list[Field]:
    """Walk back from the outputs; ONNX lists nodes in an order in which they can be computed."""
    wanted, kept = set(outputs) - given, []
    for field in reversed(graph):
        if field[0] == GRAPH_NODE:
            node = list(_fields(field[2]))
            made = {content.decode() for number, _, content in node if number == NODE_OUTPUT}
            if made & wanted:
                needs = {content.decode() for number, _, content in node if number == NODE_INPUT}
                wanted = (wanted - made) | (needs - given - {""})
                kept.append(field)
    constants = {_text(_fields(field[2]), TENSOR_NAME): field for field in graph if field[0] == GRAPH_INITIALIZER}
    if missing := wanted - set(constants):
        raise FormatError(f"ONNX graph: {', '.join(sorted(missing))} not in it or not given")
    others = (GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO)
    header = [field for field in graph if field[0] not in others]
    return [*header, *(field for name, field in constants.items() if name in wanted), *reversed(kept)]


def _fields(message: bytes) -> Iterator[Field]:
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        start = position
        if wire == VARINT:
            _, position = _varint(message, position)
        elif wire == BYTES:
            length, start = _varint(message, position)
            position = start + length
        elif wire in (FIXED32, FIXED64):
            position += 4 if wire == FIXED32 else 8
        else:
            raise FormatError(f"ONNX graph: wire type {wire} at byte {start}; not an ONNX file")
        if position > len(message):
            raise FormatError("ONNX graph: cut short; not a whole ONNX file")
        yield number, wire, message[start:position]


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Decode a base-128 number; returns it and the position behind it."""
    value = 0
    for index, byte in enumerate(message[position : position + MAX_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise FormatError("ONNX graph: cut short or broken; not a whole ONNX file")


def _encode(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _join(field: Field) -> bytes:
    number, wire, content = field
    length = _encode(len(content)) if wire == BYTES else b""
    return _encode(number << 3 | wire) + length + content


def _message(number: int, content: bytes) -> bytes:
    return _join((number, BYTES, content))


def _value_info(name: str, shape: Shape | None) -> bytes:
    """ValueInfoProto{name, type{tensor_type{elem_type: FLOAT, shape}}}."""
    tensor = _encode(1 << 3 | VARINT) + _encode(FLOAT)
    if shape is not None:
        sizes = (
            _message(2, size.encode()) if isinstance(size, str) else _encode(1 << 3 | VARINT) + _encode(size)
            for size in shape
        )
        tensor += _message(2, b"".join(_message(1, size) for size in sizes))
    return _message(1, name.encode()) + _message(2, _message(1, tensor))


def _one(fields: Iterable[Field], number: int) -> bytes:
    for found, _, content in fields:
        if found == number:
            return content
    raise FormatError(f"ONNX graph: no field {number}; not an ONNX file")


def _text(fields: Iterable[Field], number: int) -> str:
    return _one(fields, number).decode()


def _number(fields: Sequence[Field], number: int) -> int:
    return _varint(_one(fields, number), 0)[0]


def _tensor(fields: Sequence[Field]) -> NDArray[np.float32]:
    """Raw little-endian bytes, or a packed list of floats. Dimensions may be packed or not."""
    shape = []
    for number, wire, content in fields:
        position = 0
        while number == TENSOR_DIMS and position < len(content):
            size, position = _varint(content, position)
            shape.append(size)
            if wire == VARINT:
                break
    raw = [content for number, _, content in fields if number in (TENSOR_RAW, TENSOR_FLOATS) and content]
    return np.frombuffer(b"".join(raw), "<f4").reshape(shape).astype(np.float32)
