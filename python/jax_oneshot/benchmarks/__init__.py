"""What `jax-oneshot bench` measures: one file per question, each with the numbers as plain values."""
