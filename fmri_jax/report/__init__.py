"""Figures and the HTML page of one run."""
