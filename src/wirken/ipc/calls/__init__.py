"""The questions one process may put to another: types only, encoded as MessagePack by `ipc/link.py`.

Each request names its reply in `Reply`; the unions at the end of each module are what a server decodes.
"""
