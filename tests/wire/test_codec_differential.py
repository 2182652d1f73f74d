"""Our codec and Google's `protobuf` read each other's messages, in binary and in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    timestamp_pb2,
)
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fake_e2b.wire
from fake_e2b.wire.proto_schema import envd_schema
from fake_e2b.wire.protobuf import ProtoError, decode, encode
from fake_e2b.wire.protojson import from_json, to_json
from tests.wire.strategies import messages

SCHEMA = envd_schema()
FOLDER = Path(fake_e2b.wire.__file__).parent / "schema"
FILES = ("process.proto", "filesystem.proto")

type_names = st.sampled_from(sorted(SCHEMA.messages))
typed_messages = type_names.flatmap(
    lambda name: st.tuples(st.just(name), messages(SCHEMA.messages[name]))
)
many = settings(
    max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pool.DescriptorPool:
    """The shipped .proto files as protoc reads them, in a pool of their own."""
    target = tmp_path_factory.mktemp("protoc") / "envd.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{FOLDER}"]
    subprocess.run([*command, f"--descriptor_set_out={target}", *FILES], check=True)
    own = descriptor_pool.DescriptorPool()
    own.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    for file in descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file:
        own.AddSerializedFile(file.SerializeToString())
    return own


def theirs(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


@many
@given(typed=typed_messages)
def test_binary_messages_cross_over(pool: Any, typed: tuple[str, dict[str, Any]]) -> None:
    name, message = typed
    kind = SCHEMA.messages[name]
    other: Message = theirs(pool, name)
    other.ParseFromString(encode(kind, message))
    assert decode(kind, other.SerializeToString()) == message
    again: Message = theirs(pool, name)
    json_format.Parse(to_json(kind, message), again)
    assert other == again


@many
@given(typed=typed_messages)
def test_json_messages_cross_over(pool: Any, typed: tuple[str, dict[str, Any]]) -> None:
    name, message = typed
    kind = SCHEMA.messages[name]
    other: Message = theirs(pool, name)
    json_format.Parse(to_json(kind, message), other)
    written = json_format.MessageToJson(other, indent=None)
    assert json.loads(written) == json.loads(to_json(kind, message))
    assert from_json(kind, written.encode()) == message
    snake_case = json_format.MessageToJson(other, preserving_proto_field_name=True)
    assert from_json(kind, snake_case.encode()) == message


@many
@given(name=type_names, data=st.binary(max_size=60))
def test_what_we_read_of_any_bytes_they_read_too(pool: Any, name: str, data: bytes) -> None:
    kind = SCHEMA.messages[name]
    try:
        message = decode(kind, data)
    except ProtoError:
        return  # Go, which we follow, refuses a little more than they do (field number 0).
    other: Message = theirs(pool, name)
    other.ParseFromString(data)
    other.DiscardUnknownFields()
    assert decode(kind, other.SerializeToString()) == message


@many
@given(typed=typed_messages, cut=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_damaged_message_never_crashes_the_reader(
    typed: tuple[str, dict[str, Any]], cut: int, byte: int
) -> None:
    name, message = typed
    kind = SCHEMA.messages[name]
    for data, read in ((encode(kind, message), decode), (to_json(kind, message), from_json)):
        damaged = bytearray(data)
        if damaged:
            damaged[cut % len(damaged)] = byte
        for attempt in (bytes(damaged), data[: cut % (len(data) + 1)]):
            with suppress(ProtoError):
                read(kind, attempt)
