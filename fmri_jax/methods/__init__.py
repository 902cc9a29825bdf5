"""One folder a reconstruction method."""
