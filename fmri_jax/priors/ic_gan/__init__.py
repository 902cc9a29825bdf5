"""Images from the features of one instance and noise (Casanova et al. 2021)."""
