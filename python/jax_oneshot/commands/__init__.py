# SPDX-License-Identifier: Apache-2.0
"""One module per command of `jax-oneshot`; cli.py imports only the one that runs.

Each module provides `add_arguments(parser: argparse.ArgumentParser) -> None` and
`run(arguments: argparse.Namespace) -> int`, which returns the exit status.
"""
