"""The decision: what a call may do, as pure functions over tables. This is the reviewer's guide to it.

The way of a command, in the order in which to read:

1. `shell/`: a text becomes commands. `understand(text)` returns every simple command, and every doubt.
2. `programs/`: a command becomes what it runs besides, destroys, or changes of how the shell reads.
3. The tables. `rules`: which verbs and variables count as what. `paths`: which paths are outside, hold credentials
   or steer. `keys`: by what name a thing is asked for, granted and remembered.
4. `findings`: tier, keys and reasons, as they add up. `judge`: one exec, walked through by 1 to 3.
   `profiles`: what `strict` adds.
5. `reach`: any call classified, with the paths outside that it is given. `decide`: the verdict on it. `gates`, with
   `policy` and `budget`: what no approval lifts. `prices`: what an answer costs, for budgets. `egress`: the verdict
   on one host.

`injection/` stands apart: it flags text for a person and decides nothing.

What holds everywhere, and the tests that show it (all below tests/; unit tests lie where their module lies):

- Nothing is read or asked of the machine: what was granted, spent, installed comes as an argument. `.importlinter`.
- `Findings` only grows: no part of a command can lower what another part raised. No wording, context, quoting or
  nesting lowers a tier. `unit/permissions/test_properties.py`.
- What is not certain is Tier 3 with the key `shell::dynamic:`. Certain is what two readers read alike; what real
  shells then ran was named. `unit/permissions/test_differential.py`, `unit/permissions/shell/test_understanding.py`.
- A program is judged by the worst of its names, its links and all that it opens; one that no table knows, as one
  that runs any code. `hostile/exec.jsonl`.
- A table's word can match, and stands in one table only. `unit/permissions/test_rules.py`.
- A Tier 3 key is never remembered, so no grant answers for one. `unit/permissions/test_keys.py`.
- A gate only refuses, and stands before any grant. `unit/permissions/test_gates.py`.
- Any text at all gets an answer, in bounded time. `unit/permissions/test_properties.py`.
"""
