"""From a world and its demand to a ``Problem``: one function and one family of rows per rule."""
