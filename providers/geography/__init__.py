"""Where regions are, whose law they stand under, how far apart they are, and what leaving costs."""
