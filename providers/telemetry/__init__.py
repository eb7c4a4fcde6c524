"""Signals that were measured: where they come from, and where they are kept."""
