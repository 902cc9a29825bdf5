"""Several runs side by side: one table, one page, paired tests."""
