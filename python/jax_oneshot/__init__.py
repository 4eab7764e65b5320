"""jax-oneshot: fuses small all-reduces and the row-wise math behind them, inside XLA.

Nothing here needs importing by a model: with JAX_ONESHOT=1 in the environment JAX loads
`jax_oneshot.plugin` by itself. This module stays empty of imports so that doing so is cheap.
"""

__version__ = "0.1.0"
