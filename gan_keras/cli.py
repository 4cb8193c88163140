"""The command line. TensorFlow is imported only when a command needs it."""

import argparse
import contextlib
import gc
import os
import sys
import warnings
from pathlib import Path

from gan_keras.errors import UserError
from gan_keras.restoration.commands import add_commands as add_restoration_commands
from gan_keras.serving.commands import add_commands as add_serving_commands

_WRAPPED = ("matplotlib", "pandas", "sklearn")


def _seed(text):
    if not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not an integer in 0 to 2**32 - 1")
    return int(text)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """Say what is wrong in one line, and exit with 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(prog="gan-keras", description="Generative models for image enhancement.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, function, help):
        command = commands.add_parser(name, help=help, description=help)
        command.set_defaults(function=function)
        return command

    c = add("demo", _demo, "Train, measure, export and report on data that ships with the package.")
    c.add_argument("--out", default="runs/demo", help="folder for the runs and report.html")
    c.add_argument("--seed", type=_seed, default=42)
    c.add_argument("--retrain", action="store_true", help="train again what is already there")

    c = add("train", _train, "Train a recipe (see `list`) into a run folder.")
    c.add_argument("recipe")
    c.add_argument("--data", help="mnist-5k, mnist, fashion_mnist, photos, or a folder of photos")
    c.add_argument("--pairs", help="a folder with input/ and target/, in place of a degradation")
    c.add_argument("--epochs", type=int)
    c.add_argument("--seed", type=_seed)
    c.add_argument("--precision", help="float32, bfloat16 or float16; the hardware decides")
    c.add_argument("--xla", choices=["on", "off"], help="on a GPU, off on a CPU")
    c.add_argument("--threads", help="as many as there are cores")
    c.add_argument("--steps-per-execution", help="of training; 8 on a GPU, 1 on a CPU")
    c.add_argument("--strategy", help="mirrored: this machine's GPUs; or multi_worker")
    c.add_argument("--profile", action="store_true", help="trace a few steps, say what takes long")
    c.add_argument("--out", help="the run's folder (runs/RECIPE)")
    existing = c.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on with the run that is there")
    existing.add_argument("--overwrite", action="store_true", help="delete the run that is there")

    c = add("generate", _generate, "Draw digits from a trained generator.")
    c.add_argument("model", help="a run, a .keras file or a shipped name")
    c.add_argument("--count", type=int, default=100)
    c.add_argument("--label", type=int, help="the class to draw, where the generator knows classes")
    c.add_argument("--seed", type=_seed, default=42)
    c.add_argument("--out", default="digits.png", help="one picture with a grid of them")

    add_restoration_commands(add, _quiet)

    for name, help in (
        ("evaluate", "Measure one model on data that it did not see."),
        ("compare", "Measure several models side by side."),
    ):
        c = add(name, _measure, help)
        c.add_argument("models", nargs=1 if name == "evaluate" else "+", metavar="MODEL")
        c.add_argument("--data", help="another digit set, or a folder of photographs")
        c.add_argument("--seed", type=_seed, default=42)

    add_serving_commands(add, _quiet)

    c = add("museum", _museum, "List the course's bug museum, or run one exhibit in seconds.")
    c.add_argument("exhibit", nargs="?", metavar="NUMBER")
    c.add_argument("--out", help="where its picture goes (museum_NUMBER.png)")

    add("list", _list, "List recipes, data sets, shipped models and degradations.")
    add("info", _info, "Print versions, hardware and what was picked for it: for bug reports.")
    return parser


def _demo(args):
    _quiet()
    from gan_keras.demo import run_demo

    run_demo(args.out, args.seed, args.retrain)


def _train(args):
    from gan_keras.recipes import get_recipe

    recipe = get_recipe(args.recipe)
    if args.pairs and args.data:
        raise UserError("--data and --pairs exclude each other: --pairs is a folder of its own")
    source = args.pairs or args.data
    if source and Path(source).exists():
        source = str(Path(source).resolve())
    recipe = recipe.replace(
        data=source,
        degradation={} if args.pairs else None,
        epochs=args.epochs,
        seed=args.seed,
    )
    if args.xla:
        os.environ["GAN_KERAS_XLA"] = str(int(args.xla == "on"))
    for name in ("threads", "steps_per_execution"):
        if getattr(args, name):
            os.environ[f"GAN_KERAS_{name.upper()}"] = getattr(args, name)
    _quiet()
    folder = args.out or f"runs/{recipe.name}"
    if args.profile:
        from gan_keras.training.profiling import profile

        profile(recipe, folder, args.precision)
        return
    if args.strategy == "multi_worker":
        from gan_keras.training.multi_worker import train_worker

        if args.overwrite:
            raise UserError("--overwrite: several workers delete nothing; choose another --out")
        train_worker(recipe, folder, args.precision, args.resume)
        return
    from gan_keras.training.run import train

    flags = {"resume": args.resume, "overwrite": args.overwrite, "strategy": args.strategy}
    train(recipe, folder, args.precision, **flags)
    print(f"next: gan-keras evaluate {folder}")


def _generate(args):
    if args.count < 1:
        raise UserError(f"--count {args.count}: at least 1 is needed")
    if Path(args.out).suffix.lower() != ".png":
        raise UserError(f"--out {args.out}: a name that ends in .png is wanted")
    _quiet()
    from gan_keras.loading import load
    from gan_keras.plots import sample_grid
    from gan_keras.training.callbacks import save_png

    model = load(args.model)
    if not hasattr(model, "generate"):
        raise UserError(f"{args.model} does not generate: name a DCGAN or a VAE")
    asked = {} if args.label is None else {"labels": args.label}
    if asked and getattr(model, "classes", None) is None:
        raise UserError(f"{args.model} takes no --label: name a class-conditional generator")
    save_png(args.out, sample_grid(model.generate(args.count, args.seed, **asked)))
    print(f"{args.count} digits: {args.out}")


def _measure(args):
    _quiet()
    from gan_keras.evaluation import measure

    measure(args.models, args.data, args.seed)


def _museum(args):
    from gan_keras.teaching import museum

    if args.exhibit:
        _quiet()
    museum.visit(args.exhibit, args.out)


def _list(args):
    from gan_keras.data.degradations import DEGRADATIONS
    from gan_keras.recipes import RECIPES
    from gan_keras.restoration.recipes import SUFFIX

    print("recipes (gan-keras train RECIPE)")
    for recipe in RECIPES.values():
        print(f"  {recipe.name:21} {recipe.title}; {recipe.data}")
    print("data sets (--data)\n  mnist-5k, photos: ship inside dependencies")
    print("  mnist, fashion_mnist: through tensorflow_datasets; or a folder of photographs")
    print(f"degradations\n  {', '.join(DEGRADATIONS)}")
    weights = Path(__file__).parent / "weights"
    print("shipped models")
    for path in sorted(weights.glob("*.keras")):
        if path.stem.endswith(SUFFIX):
            continue
        dial = "; --realism 0…1" if path.with_stem(path.stem + SUFFIX).exists() else ""
        card = path.with_suffix(".md")
        print(f"  {path.stem:18} {card.read_text().splitlines()[0].lstrip('# ')}{dial}")


def _info(args):
    _quiet()
    import platform

    from gan_keras.training.run import versions
    from gan_keras.training.runtime import choose_runtime

    runtime = choose_runtime()
    print(f"platform   {platform.platform()}")
    print(f"device     {runtime.device}, {os.cpu_count()} cores")
    print(f"runtime    {runtime.reason}")
    for name, version in versions().items():
        print(f"{name:14} {version}")


def _quiet():
    """Keep TensorFlow's chatter, and Grappler's notes on remappers, off the terminal.

    Its warning of too many traces counts all models together: each is traced once.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return
    if "tensorflow" not in sys.modules:
        _load_tensorflow()
    sys.modules["tensorflow"].get_logger().setLevel("ERROR")


def _load_tensorflow():
    """Import TensorFlow quietly, and in half the time.

    What its libraries say while they load no setting can stop: standard error is away meanwhile.
    So are what Keras can wrap, and the search for garbage, of which loading leaves little.
    """
    hidden = [name for name in _WRAPPED if name not in sys.modules]
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        sys.modules.update(dict.fromkeys(hidden))  # to import it is an ImportError
        gc.disable()
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        for name in hidden:
            sys.modules.pop(name, None)
        gc.freeze()  # what is there now stays
        gc.enable()


def main(arguments=None):
    """Run one command.

    Args:
        arguments: A list of strings; None takes the process' own.

    Returns:
        The exit status: 0, 1 where some files failed, 2 for a mistake that the user can mend, 130
        after Ctrl-C.
    """
    args = _parser().parse_args(arguments)
    try:
        return args.function(args) or 0
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return 0
    except UserError as error:
        print(f"gan-keras: {error}", file=sys.stderr)
        return 2
    except (OSError, MemoryError) as error:
        print(f"gan-keras: {str(error) or type(error).__name__}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = "; the same command with --resume goes on" if "resume" in args else ""
        print(f"\ngan-keras: stopped{hint}", file=sys.stderr)
        return 130
