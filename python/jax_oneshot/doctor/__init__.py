"""`jax-oneshot doctor`: what is installed, what is loaded, what would stop fusion here, and the fix.

Standard library only. Whatever imports somebody else's code runs in a process of its own (probe_*.py), so that nothing
that is broken can break the doctor.
"""
