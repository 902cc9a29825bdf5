"""What a file holds and whether it can be used, before anything is trained."""
