"""Convolutions in the algorithm that is fastest on the platform; `dispatch` is the only door."""
