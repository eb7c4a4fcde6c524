"""Where independent pieces of work run: here, in processes of this machine, or on a Dask cluster.

``optimizer.executor.seam`` says what all of them promise.
"""
