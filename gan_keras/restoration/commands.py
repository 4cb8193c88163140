"""The command of restoration: enhance."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

from gan_keras.errors import UserError

AT_ONCE = 2  # photographs in hand: while one is read or written the network has another


def add_commands(add, quiet):
    """Add the command's parser.

    Args:
        add: Callable (name, function, help) → the command's parser.
        quiet: Called before TensorFlow is imported.
    """
    c = add("enhance", _enhance, "Restore photographs: files, or folders with all they hold.")
    c.set_defaults(quiet=quiet)
    c.add_argument("paths", nargs="+", metavar="PATH")
    which = c.add_mutually_exclusive_group()
    which.add_argument("--task", default="denoise", help="a shipped enhancer: see `list`")
    which.add_argument("--model", help="a run or a .keras file of your own")
    c.add_argument("--out", default="restored", help="folder for the results (restored)")
    c.add_argument("--strength", type=float, default=1.0, help="share of the change, 0 to 1")
    add_realism(c)
    c.add_argument("--best", action="store_true", help="mean over eight turns: 8 times as long")
    faster = "bfloat16 where the hardware is fast at it, which is a fraction of a grey level apart"
    c.add_argument("--precision", choices=["float32", "bfloat16"], help=faster)
    where = c.add_mutually_exclusive_group()
    where.add_argument("--mask", help="inpaint: a picture, white where to fill in")
    where.add_argument("--mask-colour", help="inpaint: fill in what a hard brush painted so")
    c.add_argument("--resume", action="store_true", help="leave out what is in OUT already")
    c.add_argument(
        "--show-changes", action="store_true", help="write NAME.changes.png, 4 × the change"
    )


def add_realism(command):
    """Add the dial from fidelity to realism to a command that loads enhancers."""
    dial = "0 (fidelity) to 1 (detail may be invented), where the task has such a version"
    command.add_argument("--realism", type=float, default=0.0, help=dial)
    own = "what --realism leads to: a run of your own, fine-tuned from the model"
    command.add_argument("--realism-model", metavar="MODEL", help=own)


def check_realism(args):
    """Refuse a realism model that would not be used.

    Raises:
        UserError: There is one, and --realism is 0.
    """
    if args.realism_model and not args.realism:
        raise UserError("--realism-model alone does nothing: say how far to go, --realism 0 to 1")


def pick(precision=None):
    """Return an `Enhancer`'s precision: as asked, or bfloat16 where `choose_runtime` picks it."""
    from gan_keras.training.runtime import choose_runtime

    fast = choose_runtime(precision).precision == "mixed_bfloat16"
    return "bfloat16" if fast else "float32"


def changes_of(target):
    """Return where the map of a restored photograph's changes is written."""
    return target.with_name(f"{target.name}.changes.png")


def _enhance(args):
    args.quiet()
    from tqdm import tqdm

    from gan_keras.data.photo_files import pair_up
    from gan_keras.restoration.changes import map_of_changes, marked, read_mask
    from gan_keras.restoration.enhancer import Enhancer
    from gan_keras.restoration.files import write_image

    jobs = pair_up(args.paths, args.out)
    check_realism(args)
    dials = {"strength": args.strength, "best": args.best, "precision": pick(args.precision)}
    model = args.model or args.task
    enhancer = Enhancer.load(model, args.realism, args.realism_model, **dials)
    if args.resume:  # a file that is there is whole
        for target in list(jobs):
            wanted = [target, changes_of(target)] if args.show_changes else [target]
            if all(path.exists() for path in wanted):
                del jobs[target]
    mask = partial(read_mask, args.mask) if args.mask else None
    mask = partial(marked, args.mask_colour) if args.mask_colour else mask
    started, lock, stopped = time.monotonic(), threading.Lock(), threading.Event()

    def restore(job):
        """Restore one photograph; return what is wrong with it, or None."""
        target, source = job
        done = 0.0

        def on_tile(share):
            nonlocal done
            with lock:
                bar.update(share - done)
            done = share
            if stopped.is_set():
                raise InterruptedError

        try:
            before, after = enhancer.enhance_file(source, target, mask, on_tile)
            if args.show_changes:
                changes = map_of_changes(before, after)
                write_image(changes_of(target), changes)
        except (UserError, MemoryError) as error:
            named = str(source) in str(error) or str(target) in str(error)
            return str(error) if named else f"{source}: {str(error) or type(error).__name__}"
        finally:
            with lock:
                bar.update(1.0 - done)

    pool = ThreadPoolExecutor(AT_ONCE)
    line = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} [{elapsed}<{remaining}, {rate_fmt}]"
    options = {"unit": "photo", "desc": "enhance", "disable": None, "bar_format": line}
    with tqdm(total=len(jobs), **options) as bar:
        try:
            futures = [pool.submit(restore, job) for job in jobs.items()]
            reasons = {future: future.result() for future in as_completed(futures)}
        finally:  # after Ctrl-C each photograph in hand ends with its tile
            stopped.set()
            pool.shutdown(cancel_futures=True)
    failed = [reasons[future] for future in futures if reasons[future]]
    if failed and len(failed) == len(jobs):
        raise UserError(failed[0] if len(failed) == 1 else f"none was restored: {failed[0]}")
    for reason in failed:
        print(f"skipped: {reason}", file=sys.stderr)
    count, minutes = len(jobs) - len(failed), max(time.monotonic() - started, 1e-9) / 60
    print(f"{count} of {len(jobs)} restored, {count / minutes:.3g} a minute: {args.out}")
    return 1 if failed else 0
