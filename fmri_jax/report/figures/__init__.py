"""Figures of the report: charts, curves, montages, and their theme."""
