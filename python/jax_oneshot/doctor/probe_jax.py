"""Prints as JSON: JAX's version, and the outcome of loading its plug-ins with JAX_ONESHOT=1.

Starts no backend, so no GPU is used and no memory allocated. Uses the same internals as jax_internals.py.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from typing import Any


class _Keeper(logging.Handler):
    """Collects log messages."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Stores one message, with its exception if it has one."""
        error = record.exc_info[1] if record.exc_info else None
        self.messages.append(record.getMessage() + (f": {error}" if error else ""))


def main() -> None:
    """Prints the facts; a step that fails leaves the others intact."""
    facts: dict[str, Any] = {"errors": {}}
    os.environ["JAX_ONESHOT"] = "1"
    os.environ.pop("JAX_ONESHOT_DUMP_TO", None)
    keeper = _Keeper()
    logging.getLogger().addHandler(keeper)
    for step in (_versions, _hook, _plugins, _cuda_hook, _ours):
        try:
            step(facts)
        except Exception as error:
            facts["errors"][step.__name__.strip("_")] = f"{type(error).__name__}: {error}"
    facts["log"] = keeper.messages
    print(json.dumps(facts))


def _versions(facts: dict[str, Any]) -> None:
    for name in ("jaxlib", "jax"):
        module = importlib.import_module(name)
        facts[name] = {"version": getattr(module, "__version__", "unknown"), "file": getattr(module, "__file__", None)}


def _hook(facts: dict[str, Any]) -> None:
    xla = importlib.import_module("jaxlib._xla")
    facts["cpu_hook"] = hasattr(xla, "register_xla_transform")
    facts["cuda_hook_api"] = hasattr(xla, "register_xla_transform_c_api")


def _plugins(facts: dict[str, Any]) -> None:
    bridge = importlib.import_module("jax._src.xla_bridge")
    bridge._discover_and_register_pjrt_plugins()
    facts["plugins"] = sorted(name for name, one in bridge._backend_factories.items() if one.c_api is not None)


def _cuda_hook(facts: dict[str, Any]) -> None:
    bridge, xla = importlib.import_module("jax._src.xla_bridge"), importlib.import_module("jaxlib._xla")
    cuda = bridge._backend_factories.get("cuda")
    if cuda is None or cuda.c_api is None:
        return
    facts["cuda_hook"] = False
    xla.register_xla_transform_c_api(cuda.c_api, "jax_oneshot_doctor", 0, lambda module: None)
    facts["cuda_hook"] = True


def _ours(facts: dict[str, Any]) -> None:
    facts["plugin_imported"] = "jax_oneshot.plugin" in sys.modules
    plugin = importlib.import_module("jax_oneshot.plugin")
    targets = importlib.import_module("jaxlib._jax").custom_call_targets("cpu")
    facts["cpu_target"] = plugin.CALL_TARGET in targets


if __name__ == "__main__":
    main()
