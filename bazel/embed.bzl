"""Embeds text files in C++: concatenates them into a raw string literal that a source file can include."""

def embed_text(name, srcs):
    """Writes <name>.inc: `constexpr char kText[] = #include "<name>.inc";` (on lines of its own)."""
    native.genrule(
        name = name,
        srcs = srcs,
        outs = [name + ".inc"],
        cmd = "{ printf 'R\"ONESHOT_TEXT('; cat $(SRCS); printf ')ONESHOT_TEXT\"\\n'; } > $@",
    )
