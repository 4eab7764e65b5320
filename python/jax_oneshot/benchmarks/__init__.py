# SPDX-License-Identifier: Apache-2.0
"""The measurements of `jax-oneshot bench`: one file per question, each returns its figures as plain values."""
