# SPDX-License-Identifier: Apache-2.0
"""The demo: an unmodified tensor-parallel decoder, run with the pass off and on, and compiled for GPUs."""
