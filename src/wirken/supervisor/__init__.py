"""Starts, watches, restarts and stops the other processes, and holds nothing else."""
