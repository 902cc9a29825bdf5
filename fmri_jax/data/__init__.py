"""Files in, sessions and prepared trials out."""
