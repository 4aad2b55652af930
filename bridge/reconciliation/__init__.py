"""Story 4: whether two partners hold the same figures; `run.py` has the order of its steps."""
