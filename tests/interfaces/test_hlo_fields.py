# SPDX-License-Identifier: Apache-2.0
"""The pass's field numbers and element types of HLO's protos, against the descriptors inside each supported jaxlib.

jaxlib holds the serialized `FileDescriptorProto` of every proto it is built with. `google.protobuf` comes with flax.
"""

from __future__ import annotations

import importlib.util
import mmap
import pathlib
import re
from collections.abc import Iterator

import pytest
from google.protobuf import descriptor_pb2  # type: ignore[import-untyped]  # without stubs
from jax_process import JAX_VERSIONS, REPOSITORY

HLO_VIEW = REPOSITORY / "xla_pass" / "hlo_view"
FILES = ("xla/service/hlo.proto", "xla/xla_data.proto")
# The namespaces of fields.h whose message is not their own name, with "Proto" at the end or not.
MESSAGES = {
    "input_output_alias": "HloInputOutputAliasProto",
    "alias_entry": "HloInputOutputAliasProto.AliasEntryProto",
    "buffer_donor": "HloBufferDonorProto",
    "computation_device": "DeviceAssignmentProto.ComputationDevice",
    "dim_sharding": "NamedShardingProto.DimensionSharding",
    "mesh_axis": "MeshProto.MeshAxis",
    "iota_transform": "MeshProto.IotaTransform",
    "sub_axis": "AxisRefProto.SubAxis",
}
TYPES = {"kInvalid": "PRIMITIVE_TYPE_INVALID", "kOpaque": "OPAQUE_TYPE"}
# (message, field) that older versions wrote, and these must have reserved.
RETIRED = {("CollectiveDeviceListProto", "iota_replica_group_list")}

type Messages = dict[str, descriptor_pb2.DescriptorProto]


def serialized(library: mmap.mmap, name: str) -> bytes:
    """A FileDescriptorProto: it begins with its name, and ends before the first tag that is none of its fields."""
    start = library.find(b"\n" + bytes([len(name)]) + name.encode() + b"\x12\x03xla")
    assert start >= 0, f"jaxlib holds no descriptor of {name}"
    known = {field.number for field in descriptor_pb2.FileDescriptorProto.DESCRIPTOR.fields}
    at = start
    while True:
        tag, after = varint(library, at)
        if tag >> 3 not in known or tag & 7 not in (0, 2):
            return library[start:at]
        value, after = varint(library, after)
        at = after + (value if tag & 7 == 2 else 0)


def varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


@pytest.fixture(scope="module", params=list(JAX_VERSIONS), ids=list(JAX_VERSIONS))
def descriptors(request: pytest.FixtureRequest) -> list[descriptor_pb2.FileDescriptorProto]:
    folder = JAX_VERSIONS[request.param]
    if folder is None:
        spec = importlib.util.find_spec("jaxlib")
        assert spec is not None
        assert spec.origin is not None
        jaxlib = pathlib.Path(spec.origin).parent
    else:
        jaxlib = folder / "jaxlib"
    with (jaxlib / "libjax_common.so").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [descriptor_pb2.FileDescriptorProto.FromString(serialized(data, name)) for name in FILES]


@pytest.fixture(scope="module")
def messages(descriptors: list[descriptor_pb2.FileDescriptorProto]) -> Messages:
    return {name: message for file in descriptors for name, message in nested("", file.message_type)}


def nested(
    prefix: str, given: Iterator[descriptor_pb2.DescriptorProto]
) -> Iterator[tuple[str, descriptor_pb2.DescriptorProto]]:
    for message in given:
        yield prefix + message.name, message
        yield from nested(f"{prefix}{message.name}.", message.nested_type)


def snake(constant: str) -> str:
    """ "kIsFusionComputation" -> "is_fusion_computation"; "kS32s" -> "s32s"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", constant.removeprefix("k")).lower()


def numbers_in_code() -> list[tuple[str, str, int]]:
    """(namespace, field, number) of every field in fields.h."""
    text = (HLO_VIEW / "fields.h").read_text()
    found = [
        (namespace, snake(constant), int(number))
        for namespace, body in re.findall(r"namespace (\w+) \{\nenum : uint32_t \{(.*?)\};", text, re.DOTALL)
        for constant, number in re.findall(r"(k\w+) = (\d+)", body)
    ]
    assert len(found) == len(re.findall(r"\bk\w+ = ", text))  # none is left out
    return found


def message_of(namespace: str, messages: Messages) -> str:
    if namespace in MESSAGES:
        return MESSAGES[namespace]
    name = "".join(word.capitalize() for word in namespace.split("_"))
    return next(one for one in (name + "Proto", name) if one in messages)


def test_every_field_number_of_the_pass_is_that_of_jaxlib(messages: Messages) -> None:
    wrong = []
    for namespace, field, number in numbers_in_code():
        name = message_of(namespace, messages)
        message = messages[name]
        if (name, field) in RETIRED:
            if not any(one.start <= number < one.end for one in message.reserved_range):
                wrong.append(f"{name}.{field} = {number}: not reserved")
            continue
        theirs = {one.name: one.number for one in message.field}.get(field)
        if theirs != number:
            wrong.append(f"{name}.{field}: {number} in fields.h, {theirs} in jaxlib")
    assert wrong == []


def test_every_element_type_of_the_pass_is_that_of_jaxlib(
    descriptors: list[descriptor_pb2.FileDescriptorProto],
) -> None:
    (theirs,) = [one for file in descriptors for one in file.enum_type if one.name == "PrimitiveType"]
    numbers = {one.name: one.number for one in theirs.value}
    text = (HLO_VIEW / "shape.h").read_text()
    body = re.search(r"enum class PrimitiveType : \w+ \{(.*?)\};", text, re.DOTALL)
    assert body is not None
    ours = {TYPES.get(name, name[1:].upper()): int(number) for name, number in re.findall(r"\b(k\w+) = (\d+)", body[1])}
    assert len(ours) == body[1].count("=")
    assert {name: numbers.get(name) for name in ours} == ours
