"""One experiment from its config to its report: folds, scores, diagnostics, sweeps."""
