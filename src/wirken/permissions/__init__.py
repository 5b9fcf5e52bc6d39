"""The decision: what a call may do, as pure functions over tables. Reads top to bottom in one sitting:
`rules` (the tables), `shell` and `paths` (what a call touches), `decide` (the verdict)."""
