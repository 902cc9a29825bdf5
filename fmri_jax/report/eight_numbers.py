"""The eight numbers of NSD papers as a table, and what is missing from it in sentences."""

from fmri_jax.evaluation.registry import MetricName
from fmri_jax.report.io.scores import Scores
from fmri_jax.report.tables import Cell, Row, Table, score_cell

_TWO_WAY = "Two-way identification among the test images, a tie counting as a failure, on "

NAMES = {
    "pixcorr": MetricName("PixCorr", "higher", "Correlation over all pixels at 425 px."),
    "ssim": MetricName("SSIM", "higher", "Structural similarity of luminance at 425 px."),
    "ssim_columns": MetricName(
        "SSIM of columns",
        "higher",
        "The same by single columns of pixels, which scikit-image before 0.20 made of the papers' "
        "call: compare with tables of that time.",
    ),
    "alexnet2": MetricName(
        "AlexNet(2)", "higher", f"{_TWO_WAY}AlexNet's second convolution at 256 px.", percent=True
    ),
    "alexnet5": MetricName(
        "AlexNet(5)", "higher", f"{_TWO_WAY}AlexNet's fifth convolution at 256 px.", percent=True
    ),
    "inception": MetricName(
        "Inception", "higher", f"{_TWO_WAY}Inception-v3's mean features at 342 px.", percent=True
    ),
    "clip": MetricName(
        "CLIP", "higher", f"{_TWO_WAY}the image embedding of CLIP ViT-L/14.", percent=True
    ),
    "efficientnet_b1": MetricName(
        "EffNet-B", "lower", "1 - correlation of EfficientNet-B1's mean features at 255 px."
    ),
    "swav": MetricName(
        "SwAV", "lower", "1 - correlation of the mean features of SwAV's ResNet-50 at 224 px."
    ),
}


def table(scores: Scores) -> Table | None:
    """One row a number; None where a run did not ask for them."""
    if not scores.eight_numbers and not scores.not_computed:
        return None
    rows = [
        Row(
            name,
            (
                score_cell(name, scores.eight_numbers[number])
                if number in scores.eight_numbers
                else Cell("not computed"),
            ),
        )
        for number, name in NAMES.items()
    ]
    return Table((("this run", "95 % bootstrap interval over stimuli"),), tuple(rows))


def missing(scores: Scores) -> list[str]:
    """Why a number is not there, a sentence each."""
    return [
        f"{NAMES[number].label} is not computed: {reason}" if number in NAMES else reason
        for number, reason in scores.not_computed.items()
    ]
