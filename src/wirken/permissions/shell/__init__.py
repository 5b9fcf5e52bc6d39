"""A text becomes commands: what a shell would run of it, and every doubt about that. Knows words, and no program.

`words` are what all speak of. `reading` is the position of our own reader; `quoting` reads one word, `arithmetic`
what is counted in it, `redirecting` redirections, `grammar` everything around them, but the forms
that are `odd`. `tree` is the second reader, tree-sitter's. `understanding` holds one against the other: what both
read the same way is certain.
"""

from wirken.permissions.shell.understanding import Script, understand

__all__ = ["Script", "understand"]
