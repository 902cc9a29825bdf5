"""Published weights, ported by strict rules and cached."""
