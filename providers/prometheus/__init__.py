"""Signals from servers that speak Prometheus' HTTP API."""
