# SPDX-License-Identifier: Apache-2.0
"""Runs a small program on two devices of a platform and checks that it is fused, with the result of the unfused one.

As a script, it runs that program and prints the result and the number of one-shot calls as JSON.
"""

from __future__ import annotations

import json

from jax_oneshot.doctor import child
from jax_oneshot.doctor.findings import Finding

_DEVICES = 2
_TOLERANCE = 0.05  # for values near 1 in bf16: two roundings
_ENVIRONMENTS = {
    "cpu": {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"--xla_force_host_platform_device_count={_DEVICES}"},
    "cuda": {"JAX_PLATFORMS": "cuda"},
}


def smoke(platform: str) -> Finding:
    """Runs the program twice, off and on, and compares."""
    topic = f"smoke test, {platform}"
    results = []
    for switch in ("0", "1"):
        environment = {**_ENVIRONMENTS[platform], "JAX_ONESHOT": switch, "JAX_ENABLE_COMPILATION_CACHE": "false"}
        answer = child.ask("jax_oneshot.doctor.smoke", environment=environment)
        if answer.failure:
            return Finding(topic, f"JAX_ONESHOT={switch}: {answer.failure}", "stop", platforms=(platform,))
        results.append(answer.facts)
    off, on = results
    if on["devices"] < _DEVICES:
        return Finding(topic, f"left out: it needs {_DEVICES} devices, here is {on['devices']}", platforms=(platform,))
    difference = max(abs(a - b) for a, b in zip(off["values"], on["values"], strict=True))
    if off["calls"] != 0 or on["calls"] != 1:
        found = f"expected 0 one-shot calls off and 1 on, found {off['calls']} and {on['calls']}"
        return Finding(
            topic, found, "stop", "run with JAX_ONESHOT_DUMP_TO=DIR, then `jax-oneshot report DIR`", (platform,)
        )
    if not difference <= _TOLERANCE:
        return Finding(topic, f"fused and unfused differ by {difference:g}", "stop", "please report it", (platform,))
    return Finding(
        topic, f"fused on {_DEVICES} devices; largest difference {difference:g}", "ok", platforms=(platform,)
    )


def main() -> None:
    """An all-reduce, a residual add and an RMSNorm."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.sharding import Mesh, PartitionSpec

    from jax_oneshot.plugin import CALL_TARGET

    devices = jax.devices()[:_DEVICES]
    mesh = Mesh(np.array(devices), ("tp",))

    def step(part: jax.Array, residual: jax.Array) -> jax.Array:
        wide = (residual + jax.lax.psum(part, "tp")).astype(jnp.float32)
        return (wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + 1e-6)).astype(jnp.bfloat16)

    split, whole = PartitionSpec("tp"), PartitionSpec()
    mapped = jax.shard_map(step, mesh=mesh, in_specs=(split, whole), out_specs=whole, check_vma=False)
    random = np.random.default_rng(0)
    part, residual = (jnp.asarray(random.standard_normal((rows, 256)), jnp.bfloat16) for rows in (_DEVICES, 1))
    compiled = jax.jit(mapped).lower(part, residual).compile()
    values = np.asarray(compiled(part, residual), np.float32).ravel().tolist()
    calls = (compiled.as_text() or "").count(f'custom_call_target="{CALL_TARGET}"')
    print(json.dumps({"values": values, "calls": calls, "devices": len(devices)}))


if __name__ == "__main__":
    main()
