"""Snapshots: what clouds said at an instant, as dated folders of Parquet files."""
