"""Where facts come from and where actions go: clouds, price books, geography, telemetry."""
