# SPDX-License-Identifier: Apache-2.0
"""Random JAX programs as users write them, run with the pass off and on and compared; see docs/developing.md."""
