# SPDX-License-Identifier: Apache-2.0
"""Registers our hook and handlers with JAX. The only file that uses JAX's internals.

Tested with jax and jaxlib of SUPPORTED_VERSIONS. For another version, compare this file with its source: each function
names the internals that it uses. They are imported when a function is called, so importing this file costs nothing.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

# Oldest first. Nothing else names them but pins for pip, which tests/interfaces/test_versions.py holds against these.
SUPPORTED_VERSIONS = ("0.11.2", "0.12.0.1")

HloCallback = Callable[[bytes], bytes | None]


def untried_version() -> str:
    """One sentence if the loaded jax is not among SUPPORTED_VERSIONS; empty: it is."""
    version = getattr(importlib.import_module("jax"), "__version__", "unknown")
    if version in SUPPORTED_VERSIONS:
        return ""
    tried = " and ".join(SUPPORTED_VERSIONS)
    return f"jax {version} is not among the versions that jax-oneshot was tried with, {tried}"


# The stage of `jax.extend.xla.PipelineStage.PRE_SCHEDULER`. That module's own register function cannot be used:
# it initialises the backends, which deadlocks on the lock that JAX holds while it loads plug-ins.
_PRE_SCHEDULER = 0

_TYPED_FFI = 1  # api_version of `jax.ffi.register_ffi_target`


def register_cpu_transform(name: str, callback: HloCallback) -> None:
    """Makes XLA:CPU pass every module to `callback`. Uses `jaxlib._xla.register_xla_transform`.

    Args:
      name: name of the pass.
      callback: takes a serialized HloModuleProto, returns the new one, or None to leave it as is.
    """
    _internal("jaxlib._xla").register_xla_transform(name, _PRE_SCHEDULER, callback)


def register_cuda_transform(name: str, callback: HloCallback, on_error: Callable[[Exception], None]) -> None:
    """Makes XLA:GPU pass every module to `callback`, once JAX has loaded a CUDA plug-in; without one, does nothing.

    Uses `xla_bridge.register_plugin_callbacks`, which calls back once per plug-in (CUDA or not) with its C API,
    `xla_bridge._backend_factories` to tell which one is CUDA's, and `jaxlib._xla.register_xla_transform_c_api`.

    Args:
      name: name of the pass.
      callback: takes a serialized HloModuleProto, returns the new one, or None to leave it as is.
      on_error: called if the registration fails, which happens after this function returns.
    """
    xla_bridge = _internal("jax._src.xla_bridge")
    _internal("jaxlib._xla")  # if it is missing, the error comes now

    def on_plugin(c_api: Any) -> None:
        try:
            if c_api is not None and cuda_c_api() is c_api:
                register_plugin_transform(c_api, name, callback)
        except Exception as error:  # An exception here would take all of JAX's plug-ins down with it.
            on_error(error)

    xla_bridge.register_plugin_callbacks(on_plugin)


def combine_limits() -> tuple[int, int]:
    """Bytes and number of all-reduces up to which XLA:GPU combines them into one, with `XLA_FLAGS` applied.

    Uses the debug options that `jaxlib._jax.CompileOptions` serializes, and their field numbers.

    Raises:
      KeyError: the debug options lack one of them.
    """
    options = _internal("jaxlib._jax").CompileOptions().SerializeAsString()
    debug_options = _field(_field(options, 3), 3)  # executable_build_options.debug_options
    return _field(debug_options, 157), _field(debug_options, 461)


def _field(message: bytes, number: int) -> Any:
    """A field of a serialized protobuf message: an int or bytes. Raises KeyError if it is not set."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        value: Any
        if kind == 0:
            value = varint()
        else:
            size = varint() if kind == 2 else 8 if kind == 1 else 4
            value, at = message[at : at + size], at + size
        if key >> 3 == number:
            return value
    raise KeyError(f"the message has no field {number}")


def register_cpu_handlers(target: str, handlers: dict[str, Any], state_name: str, state: dict[str, Any]) -> None:
    """Registers a typed-FFI target for CPU, and the type of its state, immediately.

    `jax.ffi` would queue both until the CPU client is created and register the target before the type. XLA rejects that
    order, and creating the client fails. Uses `jaxlib._jax.register_custom_type` and `register_custom_call_target`, the
    functions that the queue calls.

    Args:
      target: name of the custom-call target.
      handlers: PyCapsules by stage ("instantiate", "execute").
      state_name: name of the state's type, unique within the process.
      state: PyCapsules "type_id" and "type_info".
    """
    jaxlib = _internal("jaxlib._jax")
    jaxlib.register_custom_type(state_name, state)
    jaxlib.register_custom_call_target(target, handlers, "cpu", _TYPED_FFI)


def register_cuda_handlers(targets: dict[str, dict[str, Any]], state_name: str, state: Any) -> None:
    """As `register_cpu_handlers`, for CUDA; JAX queues all until the plug-in is loaded, and then registers types first.

    Args:
      targets: PyCapsules by stage, for each custom-call target's name.
      state_name: name of the state type that all targets share, unique within the process.
      state: PyCapsules "type_id" and "type_info".
    """
    import jax.ffi

    jax.ffi.register_ffi_type(state_name, state, platform="CUDA")
    for target, handlers in targets.items():
        jax.ffi.register_ffi_target(target, handlers, platform="CUDA")


def before_deserialization(prepare: Callable[[bytes], None]) -> None:
    """Calls `prepare` with each serialized executable before JAX loads it, from any thread.

    Wraps the method `jaxlib._jax.Client.deserialize_executable`, which both `jax.experimental.serialize_executable` and
    the persistent compilation cache call.
    """
    client = _internal("jaxlib._jax").Client
    original = client.deserialize_executable

    @functools.wraps(original)
    def deserialize_executable(self: Any, serialized: bytes, *arguments: Any, **options: Any) -> Any:
        prepare(serialized)
        return original(self, serialized, *arguments, **options)

    client.deserialize_executable = deserialize_executable


def add_to_cache_key(text: Callable[[], str]) -> None:
    """Adds `text()` to the key of every entry of the persistent compilation cache.

    Uses `jax._src.cache_key.custom_hook`. A hook that is already installed there stays in effect.
    """
    cache_key = _internal("jax._src.cache_key")
    previous = cache_key.custom_hook

    def hook() -> str:
        return f"{previous()}{text()}"

    cache_key.custom_hook = hook


def process_index() -> int | None:
    """Index of this process, or None if it is the only one; unlike `jax.process_index()` this starts no backend.

    Uses `jax._src.distributed.global_state`.
    """
    state = _internal("jax._src.distributed").global_state
    return None if state.num_processes in (None, 0, 1) else int(state.process_id)


def local_cpu_ids() -> frozenset[int]:
    """Ids of this process's CPU devices; none before JAX has started its CPU backend. Does not start it.

    Uses `xla_bridge._backends`.
    """
    backend = _internal("jax._src.xla_bridge")._backends.get("cpu")
    return frozenset() if backend is None else frozenset(device.id for device in backend.local_devices())


def gpu_host_count() -> int:
    """Number of hosts that the program's GPUs belong to; 1 before JAX has started its CUDA backend. Does not start it.

    Uses `xla_bridge._backends`, and relies on XLA:GPU giving the devices of one host, or of hosts that share an NVLink
    domain, the same `slice_index`, which newer versions also call `partition_index`.
    """
    backend = _internal("jax._src.xla_bridge")._backends.get("cuda")
    if backend is None:
        return 1
    names = ("slice_index", "partition_index")
    return len({tuple(getattr(device, name, 0) for name in names) for device in backend.devices()})


def hlo_text(module: bytes) -> str:
    """HLO text of a serialized HloModuleProto; raises RuntimeError if it is not one. Uses `jaxlib._hlo`.

    Constants are printed in full: by default XLA elides those of more than ten elements as `{...}`, and the text would
    parse as another program. XLA aborts the process on some invalid modules: call this only with modules that come from
    XLA, or in a separate process (hlo_worker.py).
    """
    hlo = _internal("jaxlib._hlo")
    options = hlo.HloPrintOptions()
    options.print_large_constants = True
    return str(hlo.HloModule.from_serialized_hlo_module_proto(module).to_string(options))


def hlo_proto(text: str) -> bytes:
    """Serialized HloModuleProto of HLO text; like `hlo_text`, only in a separate process if the text is not XLA's."""
    return bytes(_internal("jaxlib._hlo").hlo_module_from_text(text).as_serialized_hlo_module_proto())


def transform_hooks() -> tuple[bool, bool]:
    """Whether jaxlib offers the hook for XLA:CPU, and the one for plug-ins.

    Uses the names of `register_xla_transform` and `register_xla_transform_c_api` in `jaxlib._xla`.
    """
    xla = _internal("jaxlib._xla")
    return hasattr(xla, "register_xla_transform"), hasattr(xla, "register_xla_transform_c_api")


def load_plugins() -> list[str]:
    """Makes JAX load its plug-ins without starting a backend, and returns the names of those with a C API.

    Uses `xla_bridge._discover_and_register_pjrt_plugins` and `xla_bridge._backend_factories`.
    """
    xla_bridge = _internal("jax._src.xla_bridge")
    xla_bridge._discover_and_register_pjrt_plugins()
    return sorted(name for name, one in xla_bridge._backend_factories.items() if one.c_api is not None)


def cuda_c_api() -> Any:
    """C API of the CUDA plug-in that JAX has loaded, or None. Uses `xla_bridge._backend_factories`."""
    factory = _internal("jax._src.xla_bridge")._backend_factories.get("cuda")
    return None if factory is None else factory.c_api


def register_plugin_transform(c_api: Any, name: str, callback: HloCallback) -> None:
    """Makes the compiler of a loaded plug-in pass every module to `callback`. See `register_cuda_transform`."""
    _internal("jaxlib._xla").register_xla_transform_c_api(c_api, name, _PRE_SCHEDULER, callback)


def cpu_targets() -> frozenset[str]:
    """Names of the custom-call targets that are registered for CPU. Uses `jaxlib._jax.custom_call_targets`."""
    return frozenset(_internal("jaxlib._jax").custom_call_targets("cpu"))


def _internal(module: str) -> Any:
    return importlib.import_module(module)
