"""A cloud that runs in memory: the sandbox for everything that acts."""
