"""Training: the mesh, the loop, checkpoints and logs. A method brings its own pure step."""
