# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot doctor`: what is installed, what is loaded, what would prevent fusion here, and the fix.

Uses only the standard library. Third-party code is imported in child processes (probe_*.py), so that a broken
installation cannot break the doctor.
"""
