"""The decision: what a call may do, as pure functions over tables. In the order in which it is read:

`words`, `reading`, `quoting`, `redirecting`, `grammar`, `tree`, `shell` turn shell text into commands;
`options`, `wrapping`, `opened`, `wrappers`, `searching` open programs that run others;
`rules`, `path_names`, `names`, `paths`, `conditions` say what verbs, programs and paths count as;
`findings`, `commands`, `profiles` judge an exec; `decide` gives the verdict on any call; `gates` refuse.
"""
