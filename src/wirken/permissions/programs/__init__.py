"""A command becomes what it does: which programs it runs besides, and when its arguments make it worse.

`verbs`: by which name a program is judged, whatever it is called by. `options`: a getopt that admits what it does not
know. `opening`: the two ends of opening a program that runs another; `wrapper_tables`: how each takes its command;
`wrappers`: one level opened; `shells` and `find`: those with a language of their own. `conditions`: arguments with
which a verb destroys, writes unseen or runs others; `shell_verbs`: with which the shell's own run what is not named.
"""
