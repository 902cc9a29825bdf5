"""Metrics, identification, baselines and intervals."""
