"""Shared nodes: many services' pods on as cheap a set of nodes as can be proven."""
