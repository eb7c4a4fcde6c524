"""Traces, logs and metrics by OTLP over HTTP, as signals of services and of the calls they make."""
