"""Outbound text: Markdown as models write it, read once, laid out in lines, written in a platform's markup, split.

`reader` makes a tree (`tree`), `layout` lines (`lines`), a dialect (`telegram`, `discord`, …) writes them, `split`
finds where a message ends, and `pieces.rendered` does all of it. Nothing here touches a socket, a file or a clock.
"""
