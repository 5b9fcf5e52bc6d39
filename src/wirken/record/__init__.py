"""The record as evidence: its bytes, its chain, and what a verifier does with them. Writes nothing."""
