"""What networks made of images before, kept in the cache folder (`maps`), and one layer's
activations (`activations`).

It stands apart from `features`, whose code is part of what names kept maps: a change of how they
are kept does not make them void.
"""
