"""What the world is and what we expect of it.

Nouns and pure functions on them: no input or output, no clock, no SDK, no solver.
Import the module that holds the noun: ``from models.world import World``.
"""
