"""The measurements of `jax-oneshot bench`: one file per question, each returns its figures as plain values."""
