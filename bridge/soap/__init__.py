"""Bytes to message and back: media type, hardened parsing, envelope, faults, addressing. No network, no clock, no store."""
