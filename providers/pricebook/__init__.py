"""Price books: what every cloud asks for an hour of every machine shape, region by region.

``embedded`` builds the book that ships with the product, ``files`` reads one that a person
brings, ``search`` looks offerings up.
"""
