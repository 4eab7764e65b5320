# SPDX-License-Identifier: Apache-2.0
"""`jax-oneshot report`: a dump folder in; one HTML page, a table for the terminal, or JSON out.

dump_folder -> hlo_text, row_program -> calls -> document -> page (graph), terminal
"""
