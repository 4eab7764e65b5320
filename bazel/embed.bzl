# SPDX-License-Identifier: Apache-2.0
"""Embeds text files in C++: concatenates them into a raw string literal that a source file can include."""

def embed_text(name, parts):
    """Writes <name>.inc, used as `constexpr char kText[] = #include "<name>.inc";` (on lines of its own).

    Args:
      name: of the rule and the file.
      parts: files whose texts follow each other in this order; not called `srcs`, which buildifier sorts.
    """
    native.genrule(
        name = name,
        srcs = parts,
        outs = [name + ".inc"],
        cmd = "{ printf 'R\"ONESHOT_TEXT('; cat $(SRCS); printf ')ONESHOT_TEXT\"\\n'; } > $@",
    )
