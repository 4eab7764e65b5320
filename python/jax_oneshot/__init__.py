# SPDX-License-Identifier: Apache-2.0
"""jax-oneshot: fuses small all-reduces with the row-wise math after them, inside XLA.

A model does not import this package: with JAX_ONESHOT=1 in the environment JAX loads `jax_oneshot.plugin` by itself.
This module imports nothing, so that loading the plug-in stays cheap.
"""

__version__ = "0.1.0"
