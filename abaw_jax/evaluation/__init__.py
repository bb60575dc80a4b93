"""From rows of predictions to official scores: tables, gap filling, smoothing, thresholds, intervals."""
