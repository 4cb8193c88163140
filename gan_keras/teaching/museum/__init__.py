"""The bug museum: mistakes that much teaching material makes, each beside the right form.

An exhibit is a small experiment: the broken form, the right form, the one number that shows the
damage, a picture, and a check that catches the mistake. Where today's Keras or this package makes
it harmless, the exhibit says so. The list needs no TensorFlow; running an exhibit does.
"""

import difflib
import importlib
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from gan_keras.errors import UserError


@dataclass(frozen=True)
class Exhibit:
    """A line of the catalogue.

    Attributes:
        number: What `gan-keras museum NUMBER` takes.
        chapter: "02" to "08": where the theory is.
        mistake: What people write.
        measure: The number that shows the damage.
    """

    number: int
    chapter: str
    mistake: str
    measure: str

    @property
    def ready(self):
        """Whether it can be run, or is still to come."""
        return self.chapter in ROOMS


@dataclass(frozen=True)
class Damage:
    """What an exhibit showed.

    Attributes:
        broken: The measure with the mistake.
        right: The measure without it.
        lesson: One or two sentences.
        complaint: What the check says of the broken form.
        passed: What the same check says of the right form: nothing.
        harmless: Where the mistake does no harm, and why; "" where it always does.
        figure: A matplotlib ``Figure``.
    """

    broken: float
    right: float
    lesson: str
    complaint: str
    passed: str
    harmless: str
    figure: Figure = field(repr=False)


ROOMS = {  # chapter → the module with its exhibits, a dictionary `EXHIBITS`
    "02": "chapter_02",
    "03": "chapter_03",
    "05": "chapter_05",
    "06": "chapter_06",
}

CATALOGUE = [
    Exhibit(*line)
    for line in (
        (1, "03", "three stride-2 transposed convolutions from 7×7", "side of the image"),
        (
            2,
            "03",
            "sigmoid output, then `concat`, with from_logits=True",
            "loss of a D that is sure",
        ),
        (
            3,
            "03",
            "noise of the fixed batch size joined to a last, smaller batch",
            "D's mean logit",
        ),
        (4, "02", "one tape on L_D + L_G of the min–max game", "G's gradient"),
        (5, "03", "no training=True: batch normalisation is inert", "std of activations"),
        (6, "03", "discriminator.trainable = False around compile", "how far D moved"),
        (7, "02", "the saturating loss", "ratio of gradients"),
        (8, "04", "mean D(fake) minimised, no Lipschitz constraint", "slope of the loss"),
        (9, "04", "a gradient penalty with three things wrong", "share off the segment"),
        (10, "04", "labels outside [0, 1]; both sides smoothed", "growth of logits"),
        (11, "05", "q(z|x) where p(x|z) belongs", "change of the bound"),
        (12, "05", "a mean over pixels beside a sum over latents: β is 784", "KL in nats"),
        (13, "05", "training on the test set; the last batch as the epoch", "held-out gap"),
        (14, "06", "an 'enhancer' that decodes fresh noise", "class agreement"),
        (15, "06", "scaling to [-1, 1] twice", "std of the images"),
        (16, "06", "batch or instance normalisation at 1×1", "variance of the output"),
        (17, "06", "crops or noise drawn before .cache()", "distinct crops"),
        (18, "06", "PSNR with peak 1 for images in [-1, 1]", "decibels"),
        (19, "07", "down-sampling without anti-aliasing", "decibels"),
        (20, "07", "a feature loss fed the wrong range", "cosine of features"),
        (21, "08", "half of the cycle loss; identity on the wrong pair", "reverse error"),
        (22, "08", "GroupNormalization(groups=1) for instance norm", "mean of a channel"),
        (23, "06", "testing in training mode", "PSNR as batch-mates change"),
        (24, "02", "G trained with BCE(fake, 0)", "D(G(z))"),
        (25, "02", "BCE's arguments swapped", "gradient reaching D"),
        (26, "04", "D minimises D(x) + D(G(z))", "D's accuracy"),
        (27, "06", "the degraded image used as 'real'", "gain over doing nothing"),
        (28, "03", "class-sorted data with a small shuffle buffer", "digits in the first batch"),
    )
]


def unless(right, complaint):
    """Return what a check says: nothing, or its complaint."""
    return "" if right else complaint


def find(number):
    """Return an exhibit by its number, an integer or a text such as "03".

    Raises:
        UserError: There is none, or it is still to come.
    """
    found = [exhibit for exhibit in CATALOGUE if str(exhibit.number) == str(number).lstrip("0")]
    if not found:
        near = difflib.get_close_matches(str(number), [str(e.number) for e in CATALOGUE], 1, 0.1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"no exhibit {number}: {hint}they are numbered 1 to {len(CATALOGUE)}")
    if not found[0].ready:
        open_now = ", ".join(str(exhibit.number) for exhibit in CATALOGUE if exhibit.ready)
        raise UserError(f"exhibit {number} comes with chapter {found[0].chapter}; open: {open_now}")
    return found[0]


def run(number):
    """Run one exhibit, in seconds.

    Args:
        number: Of the catalogue.

    Returns:
        A `Damage`.

    Raises:
        UserError: There is no such exhibit, or it is still to come.
    """
    exhibit = find(number)
    room = importlib.import_module(f"gan_keras.teaching.museum.{ROOMS[exhibit.chapter]}")
    return room.EXHIBITS[exhibit.number]()


def describe(number, damage):
    """Return what an exhibit showed as lines for people."""
    exhibit = find(number)
    lines = [
        f"{exhibit.number}. {exhibit.mistake} (chapter {exhibit.chapter})",
        f"   {exhibit.measure}: broken {damage.broken:.4g}, right {damage.right:.4g}",
        f"   {damage.lesson}",
        f"   the check says: {damage.complaint}",
    ]
    return "\n".join(lines + [f"   harmless where: {damage.harmless}"] * bool(damage.harmless))


def show(number, heading=True):
    """Run one exhibit and show it in a notebook: what it costs, how to notice, and the picture.

    Args:
        number: Of the catalogue.
        heading: Whether to begin with the exhibit's own heading.
    """
    from IPython.display import display

    from gan_keras.teaching.show import Picture, Text

    exhibit, damage = find(number), run(number)
    stop = "" if damage.complaint.endswith("?") else "."
    lines = [
        f"### Exhibit {exhibit.number}: {exhibit.mistake}",
        f"{exhibit.measure}: **{damage.broken:.3g}** broken, **{damage.right:.3g}** right. "
        f"{damage.lesson}",
        f"*The check says:* {damage.complaint}{stop}",
    ]
    if damage.harmless:
        lines.append(f"*Harmless where* {damage.harmless}")
    display(Text("\n\n".join(lines[0 if heading else 1 :])))
    display(Picture(damage.figure, exhibit.mistake))


def catalogue():
    """Return the list of all exhibits as lines for people."""
    return "\n".join(
        f"{e.number:4}  chapter {e.chapter}  {e.mistake} → {e.measure}"
        + ("" if e.ready else "  (coming)")
        for e in CATALOGUE
    )


def visit(number=None, out=None, say=print):
    """List all exhibits, or run one, print what it showed, and save its picture.

    Args:
        number: Of an exhibit; None lists all.
        out: Where the picture goes; museum_NUMBER.png by default.
        say: Prints a line.

    Raises:
        UserError: There is no such exhibit, or it is still to come.
    """
    if number is None:
        say(f"{catalogue()}\nrun one: gan-keras museum NUMBER")
        return
    damage, path = run(number), out or f"museum_{find(number).number:02}.png"
    damage.figure.savefig(path, dpi=110)
    say(f"{describe(number, damage)}\n   picture: {path}")
