"""Recordings that are fetched, converted once and read back: one folder a data set."""
