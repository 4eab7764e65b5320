"""Random JAX programs as users write them, run with the pass off and on and compared; docs/developing.md says how."""
