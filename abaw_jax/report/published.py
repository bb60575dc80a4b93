"""What the authors of the systems report: of their data and encoders, not to be set against ours."""

SCORES = {
    "va_interactive": "first in VA at the 8th ABAW, no score given (arXiv 2503.10523)",
    "expr_dilated_fusion": "none that could be quoted (arXiv 2503.11935)",
    "expr_text_guided": "F1 0.32, split not stated, baseline 0.25 (arXiv 2603.11971)",
    "va_soft_prompt": "CCC 0.53, test of the 10th ABAW, if IMLAB is this team (arXiv 2603.13415)",
    "masked_transformer": "none given (arXiv 2403.13731)",
    "au_local_global": "F1 in the mid-50s over six folds, by a summary (arXiv 2503.11115)",
}
"""File of a config ▶ in words, for a table."""


def published(config: str) -> str:
    """Of a config with or without its variant; nothing of the flagship, which is ours."""
    return SCORES.get(config.partition(":")[0], "")
