"""State, jitted step, mesh, checkpoints and logs."""
