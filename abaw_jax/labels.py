"""The field's facts, once: tasks, classes, action units, ranges, invalid markers, header lines.

Aff-Wild2 and the ABAW challenges (Kollias et al.; annotation files of the 2nd to 11th editions).
"""

TASKS = ("va", "expr", "au", "mtl")
"""The four frame-wise challenges; `mtl` carries the labels of the three others on sparse frames."""
PARTS = {"va": ("va",), "expr": ("expr",), "au": ("au",), "mtl": ("va", "expr", "au")}
"""What each asks for."""

VA = ("valence", "arousal")
VA_RANGE = (-1.0, 1.0)
VA_INVALID = -5.0

EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
EXPR_INVALID = -1

ACTION_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU7", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26")
AU_INVALID = -1

WIDTHS = {"va": len(VA), "expr": len(EXPRESSIONS), "au": len(ACTION_UNITS)}
"""Columns of one task in a table of predictions."""

# Label files: line 1 is the header, data line k is the label of image {k:05d}.jpg.
LABEL_HEADERS = {
    "va": ",".join(VA),
    "expr": ",".join(EXPRESSIONS),
    "au": ",".join(ACTION_UNITS),
    "mtl": "image,valence,arousal,expression,aus",
}
LABEL_FIELDS = {"va": 2, "expr": 1, "au": 12, "mtl": 16}
"""Fields of one data line. The EXPR header has 8 names over 1 value, the MTL header 5 over 16."""

# Predictions handed to the organisers (5th edition on), and their sample files.
SUBMISSION_HEADERS = {
    "va": "image_location," + LABEL_HEADERS["va"],
    "expr": "image_location," + LABEL_HEADERS["expr"],
    "au": "image_location," + LABEL_HEADERS["au"],
    "mtl": LABEL_HEADERS["mtl"],
}

LEGACY_HEADERS = {
    "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise": (
        "7 expression classes of the 1st and 2nd editions; the eighth, Other, came with the 3rd"
    ),
    "AU1,AU2,AU4,AU6,AU12,AU15,AU20,AU25": (
        "8 action units of the 1st edition; the 2nd and later editions annotate 12"
    ),
}
"""Headers that look right and are not: refused by name rather than read as something else."""

LSD_HEADER = "image,expression"
LSD_EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
"""The synthetic-data challenge of the 4th edition: six classes, ids in alphabetical order."""
LSD_FOLDERS = ("ANGRER", "DISGUST", "FEAR", "HAPPINESS", "SADNESS", "SURPRISE")
"""As spelt in the release, `ANGRER` included."""

# What the organisers' own files hold (tracks, rows, valid rows); None where no source gives the number.
OFFICIAL_COUNTS = {
    ("va", 3, "train"): (341, None, 1_581_184),
    ("va", 3, "validation"): (71, None, None),
    ("va", 5, "train"): (356, None, 1_680_144),
    ("va", 5, "validation"): (None, None, None),
    ("va", 6, "train"): (356, 1_682_057, 1_679_857),
    ("va", 6, "validation"): (76, 383_814, 382_021),
    ("va", 6, "test"): (162, 927_210, None),
    ("expr", 6, "train"): (248, None, 597_361),
    ("expr", 6, "validation"): (70, 453_535, 284_230),
    ("expr", 6, "test"): (228, 1_022_655, None),
    ("au", 2, "train"): (None, None, 1_397_512),
    ("au", 3, "train"): (None, None, 1_359_690),
    ("au", 5, "train"): (None, None, 1_359_523),
    ("au", 5, "validation"): (105, None, 445_845),
    ("au", 6, "test"): (141, 729_736, None),
    ("mtl", 4, "train"): (None, 142_333, None),
    ("mtl", 4, "validation"): (None, 26_876, None),
    ("mtl", 4, "test"): (None, 51_159, None),
    ("mtl", 3, "test"): (None, 51_245, None),
}


def official_count(task: str, edition: int | None, split: str) -> tuple[int | None, int | None, int | None]:
    """(tracks, rows, valid rows) of the nearest edition at or before `edition`: later ones reuse files."""
    known = [e for (t, e, s) in OFFICIAL_COUNTS if (t, s) == (task, split) and e <= (edition or e)]
    return OFFICIAL_COUNTS[task, max(known), split] if known else (None, None, None)
