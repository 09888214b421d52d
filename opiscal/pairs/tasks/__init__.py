"""Counting in independent tasks, whose counts add up: for checkpoints, job arrays and clusters."""
