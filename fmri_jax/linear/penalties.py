"""The ridge penalties to choose from where none is given."""

# In units of the mean eigenvalue of the trials' Gram matrix.
PENALTIES = tuple(10.0 ** (step / 2) for step in range(-6, 7))
