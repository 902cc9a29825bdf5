"""What choosing among methods takes for one fold."""

from fmri_jax import methods
from fmri_jax.methods.best.config import Config
from fmri_jax.methods.costs import Cost, FoldSize


def of_fold(config: Config, size: FoldSize) -> Cost | None:
    """Every candidate once per inner fold, and the dearest once more; None where one has no cost.

    Of inner fits nothing is kept.
    """
    k = config.n_inner
    kept = 1 - 1 / k
    inner = size._replace(
        rows=round(size.rows * kept),
        stimuli=round(size.stimuli * kept),
        pictured=round(size.rows / k),
    )
    operations, last = 0.0, Cost(0.0, 0.0)
    for one in config.checked():
        within, whole = (methods.cost(one.name, one.config, each) for each in (inner, size))
        if within is None or whole is None:
            return None
        operations += k * within.operations
        last = Cost(max(last.operations, whole.operations), max(last.disk, whole.disk))
    return Cost(operations + last.operations, last.disk)
