"""What is measured: one file per benchmark, each registers itself.

``python -m benchmarks --list`` names them.
"""
