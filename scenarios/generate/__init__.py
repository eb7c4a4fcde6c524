"""Synthetic demand and worlds: seeded, and the same on every machine."""
