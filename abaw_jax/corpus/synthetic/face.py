"""Who a synthetic face is (`Identity`) and what it does in each frame (`Look`).

Lengths are in face units: one unit is the distance between the pupils of an average face. The origin lies
between the eyes, x to the right of the image, y down, z towards the viewer.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

RGB = tuple[float, float, float]

AU_NUMBERS = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
AU_COLUMN = {number: column for column, number in enumerate(AU_NUMBERS)}

HAIR_STYLES = ("bald", "buzz", "short", "fringe", "long", "curly", "tied", "scarf")
GLASSES = ("none", "thin", "thick")

# sRGB, fair to dark; an identity lies anywhere between two neighbours
SKIN_TONES = np.array(
    [
        (244, 214, 194),
        (234, 193, 165),
        (219, 172, 139),
        (196, 143, 108),
        (163, 111, 79),
        (124, 82, 58),
        (92, 61, 45),
    ]
) / np.float32(255)
HAIR_TONES = (
    np.array([(26, 22, 22), (48, 34, 27), (86, 57, 38), (128, 88, 52), (190, 150, 96), (120, 58, 34)]) / 255.0
)
GREY_HAIR = np.array((178, 175, 172)) / 255.0
IRIS_TONES = np.array([(58, 36, 24), (84, 54, 32), (104, 92, 54), (84, 112, 138), (96, 122, 96)]) / 255.0


@dataclasses.dataclass(frozen=True)
class Identity:
    """Everything about a person that does not change from frame to frame. Sizes are factors around 1."""

    seed: int  # of everything drawn on the skin: moles, strands, folds
    skin_rgb: RGB
    lip_rgb: RGB
    hair_rgb: RGB
    iris_rgb: RGB
    wall_rgb: RGB
    accent_rgb: RGB
    cloth_rgb: RGB
    hair_style: str
    hair_length: float  # 0 to the ears, 1 to the shoulders; long styles only
    hairline_y: float
    parting: float  # -1 left to 1 right
    recession: float
    face_width: float
    face_height: float
    jaw_width: float
    eye_spacing: float
    eye_size: float
    eye_slant: float
    brow_y: float
    brow_arch: float
    brow_thickness: float
    nose_length: float
    nose_width: float
    nose_height: float
    mouth_width: float
    lip_fullness: float
    ear_size: float
    age: float  # 0 young to 1 old: depth of the folds
    beard: float  # 0 none, 0.4 stubble, 1 full
    moustache: float
    makeup: float
    freckles: float
    glasses: str


def _rgb(values: np.ndarray) -> RGB:
    red, green, blue = (float(v) for v in np.clip(values, 0.02, 0.98))
    return red, green, blue


def _between(tones: np.ndarray, position: float) -> np.ndarray:
    """Colour at a position in 0..1 along a list of tones."""
    stops = np.linspace(0.0, 1.0, len(tones))
    return np.array([np.interp(position, stops, tones[:, channel]) for channel in range(3)])


def _sample_colours(rng: np.random.Generator, age: float, is_made_up: bool) -> dict[str, RGB]:
    darkness = rng.uniform(0.0, 1.0)
    skin = _between(SKIN_TONES, darkness) * (1 + rng.normal(0, 0.02)) + rng.normal(0, 0.012, 3)
    # lips are the skin with less green; make-up adds its own red
    lip = skin * np.array((0.9, 0.68, 0.68)) + np.array((0.02, 0.0, 0.01))
    if is_made_up:
        lip = 0.5 * lip + 0.5 * np.array(
            (rng.uniform(0.55, 0.78), rng.uniform(0.1, 0.25), rng.uniform(0.18, 0.32))
        )
    # dark skin goes with dark hair and eyes
    hair = HAIR_TONES[rng.integers(0, 2 if darkness > 0.6 else len(HAIR_TONES))] * rng.uniform(0.8, 1.15)
    grey = np.clip(rng.normal(2.4 * age - 1.7, 0.2), 0, 1)
    iris = IRIS_TONES[rng.integers(0, 2 if darkness > 0.55 else len(IRIS_TONES))] * rng.uniform(0.85, 1.2)
    wall = rng.uniform(0.2, 0.8) + rng.normal(0, 0.05, 3)
    cloth = rng.uniform(0.08, 0.8) + rng.normal(0, 0.12, 3)
    return {
        "skin_rgb": _rgb(skin),
        "lip_rgb": _rgb(lip),
        "hair_rgb": _rgb(hair * (1 - grey) + GREY_HAIR * grey),
        "iris_rgb": _rgb(iris),
        "wall_rgb": _rgb(wall),
        "accent_rgb": _rgb(rng.uniform(0.15, 0.7) + rng.normal(0, 0.14, 3)),
        "cloth_rgb": _rgb(cloth),
    }


def sample_identity(rng: np.random.Generator) -> Identity:
    """Draw a person: proportions vary by a few per cent, as between people; styles and colours widely."""
    age = float(rng.uniform(0, 1))
    is_bearded = bool(rng.random() < 0.3)
    is_made_up = bool(not is_bearded and rng.random() < 0.35)
    style_odds = (
        (0.07, 0.13, 0.3, 0.1, 0.02, 0.13, 0.22, 0.03)
        if is_bearded
        else (0.02, 0.05, 0.18, 0.15, 0.27, 0.12, 0.15, 0.06)
    )
    style = str(rng.choice(HAIR_STYLES, p=style_odds))

    def around(centre: float, spread: float) -> float:
        return float(centre + spread * np.clip(rng.normal(), -2, 2))

    return Identity(
        seed=int(rng.integers(2**31)),
        **_sample_colours(rng, age, is_made_up),
        hair_style=style,
        hair_length=float(rng.uniform(0.1, 1)),
        hairline_y=around(-0.95, 0.07),
        parting=float(rng.uniform(-1, 1)),
        recession=float(max(0.0, rng.normal(0.5 * age, 0.3))) if is_bearded else 0.0,
        face_width=around(1.0, 0.045),
        face_height=around(1.0, 0.035),
        jaw_width=around(1.04 if is_bearded else 0.98, 0.06),
        eye_spacing=around(1.0, 0.03),
        eye_size=around(1.0, 0.06),
        eye_slant=around(0.02, 0.02),
        brow_y=around(-0.36, 0.022),
        brow_arch=around(0.05, 0.02),
        brow_thickness=around(1.1 if is_bearded else 0.9, 0.18),
        nose_length=around(1.0, 0.05),
        nose_width=around(1.0, 0.12),
        nose_height=around(1.0, 0.15),
        mouth_width=around(1.0, 0.06),
        lip_fullness=around(1.0, 0.15),
        ear_size=around(1.0, 0.12),
        age=age,
        beard=float(rng.uniform(0.25, 1)) if is_bearded else 0.0,
        moustache=float(rng.uniform(0.2, 1)) if is_bearded else 0.0,
        makeup=float(rng.uniform(0.4, 1)) if is_made_up else 0.0,
        freckles=float(max(0.0, rng.normal(0, 0.5))),
        glasses=str(rng.choice(GLASSES, p=(0.82, 0.1, 0.08))),
    )


@dataclasses.dataclass
class Look:
    """What a face does in n frames; `look[a:b]` or `look[mask]` are the looks of some of them."""

    au: Float[np.ndarray, "n 12"]  # intensities 0..1 in the order of AU_NUMBERS
    yaw: Float[np.ndarray, " n"]  # degrees; positive turns the nose to the right of the image
    pitch: Float[np.ndarray, " n"]  # degrees; positive looks down
    roll: Float[np.ndarray, " n"]  # degrees; positive leans clockwise
    gaze: Float[np.ndarray, "n 2"]  # -1..1, right and down
    blink: Float[np.ndarray, " n"]  # 0 open, 1 closed
    light: Float[np.ndarray, "n 3"]  # where it comes from (x, y in -1..1) and its strength, 1 being normal
    occlusion: Float[np.ndarray, " n"]  # 0 none, 1 nothing of the face can be read
    blur: Float[np.ndarray, " n"]  # sigma in pixels
    noise: Float[np.ndarray, " n"]  # standard deviation of the sensor noise, of a full scale of 1

    @classmethod
    def neutral(cls, n: int) -> Look:
        """A relaxed frontal face in soft light from above, n times."""
        return cls(
            au=np.zeros((n, 12), np.float32),
            yaw=np.zeros(n, np.float32),
            pitch=np.zeros(n, np.float32),
            roll=np.zeros(n, np.float32),
            gaze=np.zeros((n, 2), np.float32),
            blink=np.zeros(n, np.float32),
            light=np.tile(np.array((0.25, -0.5, 1.0), np.float32), (n, 1)),
            occlusion=np.zeros(n, np.float32),
            blur=np.full(n, 0.4, np.float32),
            noise=np.full(n, 0.006, np.float32),
        )

    def __len__(self) -> int:
        return len(self.au)

    def __getitem__(self, rows: slice | np.ndarray) -> Look:
        return Look(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})
