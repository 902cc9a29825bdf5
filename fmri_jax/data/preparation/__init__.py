"""From a recording to standardised training and test trials, fold by fold."""
