"""Azure: what its APIs say and do, through its own SDK."""
