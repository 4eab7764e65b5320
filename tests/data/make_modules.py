# SPDX-License-Identifier: Apache-2.0
"""Writes the serialized HLO modules that the C++ tests and fuzz targets read, `tests/data/*.pb`.

Writes one `.pb` file per module into this folder: modules as the compilers pass them to the hook, for 8 virtual CPU
devices and, with `--gpu_target_config`, for GPUs through JAX's CUDA plug-in; and one from HLO text, for notations that
JAX does not produce.

Run it again after a change of jaxlib: `python tests/data/make_modules.py [--gpu_target_config FILE.txtpb]`, where the
file describes the GPU (XLA's GpuTargetConfigProto as text). The results depend on the jaxlib that wrote them.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "0")
os.environ.setdefault("JAX_HLO_SOURCE_FILE_CANONICALIZATION_REGEX", ".*/")  # no paths of this machine in the modules

import jax
import jax.extend.xla
import jax.numpy as jnp
import numpy as np
from absl import app, flags, logging
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxlib import _hlo  # type: ignore[attr-defined]

_GPU_TARGET_CONFIG = flags.DEFINE_string(
    "gpu_target_config", None, "Text GpuTargetConfigProto; also write GPU modules."
)

_FOLDER = pathlib.Path(__file__).parent
_LAYERS, _TOKENS, _WIDTH = 3, 4, 256

_NOTATIONS = """
HloModule notations, num_partitions=8

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%body (state: (s32[], f32[4,64])) -> (s32[], f32[4,64]) {
  %state = (s32[], f32[4,64]) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %one = s32[] constant(1)
  %next = s32[] add(%i, %one)
  %x.1 = f32[4,64] get-tuple-element(%state), index=1
  %in_loop = f32[4,64] all-reduce(%x.1), channel_id=7, use_global_device_ids=true, \
replica_groups=mesh['dp'=2,'tp'=4] {'tp'}, to_apply=%add
  ROOT %out = (s32[], f32[4,64]) tuple(%next, %in_loop)
}

%condition (state.1: (s32[], f32[4,64])) -> pred[] {
  %state.1 = (s32[], f32[4,64]) parameter(0)
  %i.1 = s32[] get-tuple-element(%state.1), index=0
  %limit = s32[] constant(3)
  ROOT %less = pred[] compare(%i.1, %limit), direction=LT
}

ENTRY %main (x: f32[4,64], y: f32[4,8]) -> (f32[4,64], f32[4,8], f32[4,64]) {
  %x = f32[4,64] parameter(0)
  %y = f32[4,8] parameter(1)
  %explicit = f32[4,64] all-reduce(%x), channel_id=1, use_global_device_ids=true, \
replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add
  %iota = f32[4,64] all-reduce(%explicit), channel_id=2, use_global_device_ids=true, \
replica_groups=[2,4]<=[4,2]T(1,0), to_apply=%add
  %sub_axis = f32[4,64] all-reduce(%iota), channel_id=3, use_global_device_ids=true, \
replica_groups=mesh['x'=8] {'x':(2)2}, to_apply=%add
  %ordered = f32[4,64] all-reduce(%sub_axis), channel_id=4, use_global_device_ids=true, \
replica_groups=mesh['a'=2,'b'=4], device_ids=([4,2]T(1,0)) {'b'}, to_apply=%add
  %everybody = f32[4,64] all-reduce(%ordered), replica_groups={}, to_apply=%add
  %both = (f32[4,64], f32[4,8]) all-reduce(%everybody, %y), channel_id=5, replica_groups={{0}}, to_apply=%add
  %first = f32[4,64] get-tuple-element(%both), index=0
  %second = f32[4,8] get-tuple-element(%both), index=1, control-predecessors={%first}
  %zero = s32[] constant(0)
  %start = (s32[], f32[4,64]) tuple(%zero, %first)
  %loop = (s32[], f32[4,64]) while(%start), condition=%condition, body=%body
  %last = f32[4,64] get-tuple-element(%loop), index=1
  %padded = f32[4,64] reduce-window(%last, f32[] constant(0)), window={size=1x3 stride=1x1 pad=0_0x1_1}, to_apply=%add
  ROOT %result = (f32[4,64], f32[4,8], f32[4,64]) tuple(%first, %second, %padded)
}
"""

_captured: list[bytes] = []


def _capture(module: bytes) -> None:
    """Records every module with an all-reduce, without changing it."""
    if b"all-reduce" in module:
        _captured.append(module)


def _norm(x: jax.Array, weight: jax.Array) -> jax.Array:
    """RMSNorm of `x` bf16[tokens, width] with `weight` bf16[width], computed in f32."""
    wide = x.astype(jnp.float32)
    scale = jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + 1e-5)
    return (wide * scale).astype(x.dtype) * weight


def _block(x: jax.Array, layer: tuple[jax.Array, ...]) -> jax.Array:
    """One residual MLP block: norm, up, silu, down, add. `x` is bf16[tokens, width]; `layer` is (up, down, norm)."""
    up, down, weight = layer
    return x + jax.nn.silu(_norm(x, weight) @ up) @ down


def _scanned(x: jax.Array, *layers: jax.Array) -> jax.Array:
    return jax.lax.scan(lambda h, layer: (_block(h, layer), None), x, layers)[0]


def _unrolled(x: jax.Array, *layers: jax.Array) -> jax.Array:
    for i in range(_LAYERS):
        x = _block(x, (layers[0][i], layers[1][i], layers[2][i]))
    return _norm(x, layers[2][0])


def _arguments(mesh: Mesh, shard_norms: bool) -> list[jax.ShapeDtypeStruct]:
    """Abstract bf16 arguments of the two models, with Megatron's sharding over `mesh` (axes 'dp' and 'tp')."""

    def abstract(shape: tuple[int, ...], *axes: str | None) -> jax.ShapeDtypeStruct:
        sharding = NamedSharding(mesh, PartitionSpec(*axes))
        return jax.ShapeDtypeStruct(shape, jnp.bfloat16, sharding=sharding)

    return [
        abstract((_TOKENS, _WIDTH), "dp"),
        abstract((_LAYERS, _WIDTH, 2 * _WIDTH), None, None, "tp"),
        abstract((_LAYERS, 2 * _WIDTH, _WIDTH), None, "tp"),
        abstract((_LAYERS, _WIDTH), None, "tp" if shard_norms else None),
    ]


def _write(name: str, module: bytes) -> None:
    path = _FOLDER / f"{name}.pb"
    path.write_bytes(module)
    logging.info("%s: %d bytes", path.name, len(module))


def _compile_and_write(
    name: str, model: Callable[..., jax.Array], devices: np.ndarray, *, shard_norms: bool = False
) -> None:
    """Compiles `model` for `devices`, an array [dp, tp], and writes the module that the hook received."""
    _captured.clear()
    mesh = Mesh(devices, ("dp", "tp"))
    sharding = NamedSharding(mesh, PartitionSpec("dp"))
    jax.jit(model, out_shardings=sharding).lower(*_arguments(mesh, shard_norms)).compile()
    if len(_captured) != 1:
        raise RuntimeError(f"{name}: expected one module with an all-reduce, got {len(_captured)}")
    _write(name, _captured[0])


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; this program takes flags only")
    logging.set_verbosity(logging.INFO)
    jax.extend.xla.register_hlo_module_transformation(_capture, name="capture", platforms="cpu")
    cpus = np.array(jax.devices("cpu"))
    _compile_and_write("cpu_scanned_tp8", _scanned, cpus.reshape(1, 8))
    _compile_and_write("cpu_unrolled_dp2_tp4", _unrolled, cpus.reshape(2, 4))
    _compile_and_write("cpu_sharded_tp8", _scanned, cpus.reshape(1, 8), shard_norms=True)
    _write("notations", _hlo.hlo_module_from_text(_NOTATIONS).as_serialized_hlo_module_proto())
    if _GPU_TARGET_CONFIG.value is not None:
        jax.extend.xla.register_hlo_module_transformation(_capture, name="capture", platforms="cuda")
        config = pathlib.Path(_GPU_TARGET_CONFIG.value).read_text()
        topology = topologies.get_topology_desc(
            platform="cuda", topology_name="", topology="1x1x8", target_config=config
        )
        gpus: np.ndarray = np.array(topology.devices)
        _compile_and_write("gpu_scanned_tp8", _scanned, gpus.reshape(1, 8))
        _compile_and_write("gpu_unrolled_dp2_tp4", _unrolled, gpus.reshape(2, 4))
        _compile_and_write("gpu_sharded_dp2_tp4", _unrolled, gpus.reshape(2, 4), shard_norms=True)


if __name__ == "__main__":
    app.run(main)
