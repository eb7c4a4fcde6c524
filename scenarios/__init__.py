"""Worlds and what-ifs: the files that people write, read into the nouns of ``models``.

``documents`` reads a world file, ``build`` turns it into a world, ``whatif`` changes a world, and
``schema`` publishes both formats as JSON Schema.
"""
