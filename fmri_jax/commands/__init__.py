"""The subcommands of `fmri-jax`, one module each with `main(arguments) -> exit code`."""
