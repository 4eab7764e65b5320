# SPDX-License-Identifier: Apache-2.0
"""`bench decode`: decoding steps of full-size models, off and on, with a step driven in each of three ways."""

WAYS = ("loop", "ahead", "waited")  # worker.py says what each is
