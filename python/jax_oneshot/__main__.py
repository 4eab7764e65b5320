# SPDX-License-Identifier: Apache-2.0
"""`python -m jax_oneshot ...` is `jax-oneshot ...`."""

import sys

from jax_oneshot import cli

if __name__ == "__main__":
    sys.exit(cli.main())
