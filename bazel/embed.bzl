"""In: text files. Out: one file with a C++ raw string literal that holds them, one after the other, to be included."""

def embed_text(name, srcs):
    """Writes <name>.inc: `constexpr char kText[] = #include "<name>.inc";` (on lines of its own)."""
    native.genrule(
        name = name,
        srcs = srcs,
        outs = [name + ".inc"],
        cmd = "{ printf 'R\"ONESHOT_TEXT('; cat $(SRCS); printf ')ONESHOT_TEXT\"\\n'; } > $@",
    )
