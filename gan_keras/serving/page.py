"""The page to try the models, laid out with Gradio; what it does is in `tryout`.

A handler that makes files is a generator with one `yield`: Gradio copies them while it waits there,
and then the folder goes. The copies go after an hour.
"""

import contextlib
import functools
import html
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gan_keras.data.photo_files import photo_paths
from gan_keras.errors import UserError
from gan_keras.restoration.blending import realism_tasks
from gan_keras.restoration.enhancer import Enhancer
from gan_keras.restoration.files import IMAGE_SUFFIXES
from gan_keras.serving import tryout

TITLE = """# gan_keras: try the models
The computer that serves this page does all the work, asks no other, and deletes the photographs
after an hour."""
WALK = """Each seed draws a vector from N(0, I). The walk between two follows the arc, not the
straight line: in many dimensions N(0, I) is a thin shell, and the line would lead through its
inside, where no generator was trained."""
PICTURE = {"interactive": False, "type": "filepath", "format": "png"}
PLAIN = {**PICTURE, "show_label": False}  # a label would lie on the picture


def build_page(models=()):
    """Build the page.

    Args:
        models: `.keras` files or run folders, offered beside what ships.

    Returns:
        A `gradio.Blocks`, with its queue.
    """
    import gradio as gr

    enhancers, generators = tryout.gather(models)
    options = {"analytics_enabled": False, "delete_cache": (600, 3600)}  # seconds: every, older
    with gr.Blocks(title="gan_keras", **options) as page:
        gr.Markdown(TITLE)
        with gr.Tab("Enhance"):
            _enhance(enhancers)
        with gr.Tab("Digits"):
            _digits(generators, page)
    return page.queue(max_size=20)


@contextlib.contextmanager
def _in_words(*paths):
    """Show in the page what a visitor can mend; what is a bug goes on to the terminal."""
    import gradio as gr

    try:
        yield
    except (UserError, OSError, MemoryError) as error:
        message = str(error) or "too large for this computer's memory"
        for path in filter(None, paths):
            message = message.replace(path, Path(path).name)
        raise gr.Error(html.escape(message), duration=None, print_exception=False) from error


def _enhance(enhancers):
    import gradio as gr

    def choose(name):
        dial = gr.Slider(value=0, visible=name in dialled)
        return tryout.words(name), gr.File(visible=enhancers[name].masked), dial

    first, dialled = next(iter(enhancers)), realism_tasks()
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            source = gr.File(label="Photograph", file_types=[*IMAGE_SUFFIXES], height=140)
            with gr.Row():
                names = [path.stem for path in photo_paths(split="test")]
                examples = [gr.Button(f"Example: {name}", size="sm") for name in names]
            task = gr.Dropdown([*enhancers], label="Task")
            label = "Mask: white where to fill in; or erase that in the photograph"
            options = {"file_types": [*IMAGE_SUFFIXES], "visible": enhancers[first].masked}
            mask = gr.File(label=label, height=110, **options)
            strength = gr.Slider(0, 1, 1, step=0.05, label="Strength: share of the change")
            label = "Realism: above 0, detail may be invented"
            realism = gr.Slider(0, 1, 0, step=0.05, label=label, visible=first in dialled)
            best = gr.Checkbox(label="Best: the mean over eight turns, eight times as long")
            button = gr.Button("Restore", variant="primary")
            card = gr.Markdown(tryout.words(first))
        with gr.Column(scale=3, min_width=320):
            slider = gr.ImageSlider(label="Before and after", elem_id="slider", **PICTURE)
            facts = gr.Markdown(elem_id="facts")
            file = gr.DownloadButton(
                "Download every pixel as PNG", elem_id="file", interactive=False
            )
            gr.Markdown("**What was changed**: four times the difference; mid-grey is as it was")
            changes = gr.Image(elem_id="changes", buttons=["download", "fullscreen"], **PLAIN)

    def look(name, path):
        if not path:
            yield None, "", None, gr.DownloadButton(value=None, interactive=False)
            return
        with _in_words(path), TemporaryDirectory() as folder:
            picture, line = tryout.preview(path, folder, enhancers[name].scale)
            yield (picture, picture), line, None, gr.DownloadButton(value=None, interactive=False)

    def restore(name, path, strength, best, mask, realism, progress=gr.Progress()):  # noqa: B008
        with _in_words(path, mask), TemporaryDirectory() as folder:
            if not path:
                raise UserError("drop a photograph first, or take an example")
            on_tile = functools.partial(progress, desc="restoring")
            blended = realism and name in dialled
            enhancer = Enhancer.load(name, realism) if blended else enhancers[name]
            done = tryout.restore(enhancer, path, folder, strength, best, mask, on_tile)
            link = gr.DownloadButton(value=done.file, interactive=True)
            yield (done.before, done.after), done.facts, done.changes, link

    def take(index, name):
        with _in_words(), TemporaryDirectory() as folder:
            yield str(tryout.examples(name, folder)[index])

    results = [slider, facts, changes, file]
    task.change(choose, task, [card, mask, realism])
    source.change(look, [task, source], results, show_progress_on=slider)
    dials = [strength, best, mask, realism]
    button.click(restore, [task, source, *dials], results, show_progress_on=slider)
    for index, example in enumerate(examples):
        example.click(functools.partial(take, index), task, source, show_progress_on=source)


def _digits(generators, page):
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            model = gr.Dropdown([*generators], label="Generator")
            label = gr.Dropdown([], label="Class", visible=False)
            with gr.Row():
                first = gr.Number(5, label="Seed A", precision=0)
                second = gr.Number(9, label="Seed B", precision=0)
            others = gr.Button("Other seeds", size="sm")
            share = gr.Slider(0, 1, 0.5, step=0.01, label="t: from A to B")
            gr.Markdown(WALK)
            card = gr.Markdown()
        with gr.Column(scale=3, min_width=320):
            gr.Markdown("**From A to B** in ten steps of t")
            row = gr.Image(elem_id="walk", buttons=[], **PLAIN)
            gr.Markdown("**At t**, pixel by pixel")
            one = gr.Image(elem_id="one", buttons=["download"], height=400, **PLAIN)

    def choose(name):
        classes = getattr(generators[name], "classes", None) or 0
        known = gr.Dropdown([*range(classes)], value=0 if classes else None, visible=classes > 0)
        return known, tryout.words(name)

    def draw_row(name, a, b, label):
        with _in_words():
            images = tryout.walk(generators[name], (a, b), np.linspace(0, 1, 11), label)
            return tryout.strip(images)

    def draw_one(name, a, b, label, share):
        with _in_words():
            return tryout.large(tryout.walk(generators[name], (a, b), [share], label)[0])

    def draw_seeds():
        return random.randrange(10_000), random.randrange(10_000)

    walk = [model, first, second, label]
    quick = {"show_progress": "hidden", "trigger_mode": "always_last"}
    others.click(draw_seeds, None, [first, second])
    chosen = gr.on([page.load, model.change], choose, model, [label, card], show_progress="hidden")
    chosen.then(draw_row, walk, row, show_progress="hidden")
    chosen.then(draw_one, [*walk, share], one, show_progress="hidden")
    changed = [first.change, second.change, label.input]
    gr.on(changed, draw_row, walk, row, **quick)
    gr.on([*changed, share.change], draw_one, [*walk, share], one, **quick)
