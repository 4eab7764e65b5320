# SPDX-License-Identifier: Apache-2.0
"""Prints as JSON: JAX's version, and the outcome of loading its plug-ins with JAX_ONESHOT=1.

Starts no backend, so no GPU is used and no memory allocated.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from typing import Any

from jax_oneshot import jax_internals


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
    facts["cpu_hook"], facts["cuda_hook_api"] = jax_internals.transform_hooks()


def _plugins(facts: dict[str, Any]) -> None:
    facts["plugins"] = jax_internals.load_plugins()


def _cuda_hook(facts: dict[str, Any]) -> None:
    c_api = jax_internals.cuda_c_api()
    if c_api is None:
        return
    facts["cuda_hook"] = False
    jax_internals.register_plugin_transform(c_api, "jax_oneshot_doctor", lambda module: None)
    facts["cuda_hook"] = True


def _ours(facts: dict[str, Any]) -> None:
    facts["plugin_imported"] = "jax_oneshot.plugin" in sys.modules
    plugin = importlib.import_module("jax_oneshot.plugin")
    facts["cpu_target"] = plugin.CALL_TARGET in jax_internals.cpu_targets()


if __name__ == "__main__":
    main()
