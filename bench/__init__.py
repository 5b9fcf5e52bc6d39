"""The figures that docs/performance.md explains: each a median, beside a plain reference of the same run."""
