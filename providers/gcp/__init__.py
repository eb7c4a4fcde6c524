"""Google Cloud: its prices, its inventory, its measurements, and hands in it."""
