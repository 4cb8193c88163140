"""The commands of serving: export, check, remote, app."""

import shlex
import sys
from pathlib import Path

from gan_keras.errors import UserError
from gan_keras.restoration.commands import add_realism, check_realism

DOCKER = (
    "docker run --rm -p 8500:8500 -p 8501:8501 -v {out}:/models tensorflow/serving "
    "--model_config_file=/models/models.config --rest_api_timeout_in_ms=600000"
)


def add_commands(add, quiet):
    """Add the commands' parsers.

    Args:
        add: Callable (name, function, help) → the command's parser.
        quiet: Called before TensorFlow is imported.
    """
    c = add("export", _export, "Write models as SavedModels for servers: OUT/NAME/VERSION.")
    c.set_defaults(quiet=quiet)
    c.add_argument("models", nargs="*", metavar="MODEL", help="runs, .keras files, shipped names")
    c.add_argument("--all", action="store_true", help="every shipped enhancer and generator")
    c.add_argument("--name", help="the served name (that of the run or file)")
    c.add_argument("--out", default="saved_models")
    kinds = ["saved-model", "litert", "litert-int8", "onnx"]
    c.add_argument("--format", choices=kinds, default="saved-model", help="others: OUT/NAME.…")
    c.add_argument("--max-pixels", type=int, help="refuse larger pictures (40,000,000)")
    add_realism(c)

    c = add("check", _check, "Look for what keeps servers from serving a SavedModel.")
    c.set_defaults(quiet=quiet)
    c.add_argument("folder", help="a SavedModel, or a folder with several")

    c = add("remote", _remote, "Restore photographs by a server: remote enhance PATH ….")
    c.set_defaults(quiet=quiet)
    c.add_argument("action", choices=["enhance"])
    c.add_argument("paths", nargs="+", metavar="PATH")
    where = c.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="REST: http://localhost:8501")
    where.add_argument("--grpc", help="gRPC: localhost:8500")
    c.add_argument("--model", default="denoise", help="the served name")
    c.add_argument("--out", required=True, help="folder for the restored files; names are kept")
    c.add_argument("--strength", type=float, help="share of the change, 0 to 1")
    c.add_argument("--timeout", type=float, default=300.0, help="seconds a photograph may take")
    c.add_argument("--retries", type=int, default=3, help="tries after the first")

    c = add("app", _app, "Serve a page to try the models in a browser (extra [app]).")
    c.set_defaults(quiet=quiet)
    c.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other computers in")
    c.add_argument("--port", type=int, default=7860, help="0 takes a free one")
    models = "runs or .keras files of your own, beside what ships"
    c.add_argument("--model", nargs="+", default=[], metavar="PATH", help=models)


def _export(args):
    if bool(args.models) == args.all:
        raise UserError("export: name models, or give --all")
    if args.name and len(args.models) != 1:
        raise UserError(f"--name {args.name} is one name: export one model with it")
    if args.realism and len(args.models) != 1:
        raise UserError(f"--realism {args.realism} is one enhancer's: export one model with it")
    check_realism(args)
    args.quiet()
    if args.format != "saved-model":
        return _export_as(args)
    from gan_keras.serving.export import export, exportable
    from gan_keras.serving.signatures import MAX_PIXELS
    from gan_keras.serving.warmup import WARM_UP

    limit = MAX_PIXELS if args.max_pixels is None else args.max_pixels
    for model in exportable() if args.all else args.models:
        dial = (args.realism, args.realism_model)
        version = export(model, args.name, args.out, limit, *dial)
        print(version)
        if not (version / WARM_UP).exists():
            print("  without a warm-up file: pip install 'gan_keras[serve]'", file=sys.stderr)
    print(f"serve: {DOCKER.format(out=shlex.quote(str(Path(args.out).resolve())))}")


def _export_as(args):
    from gan_keras.restoration.enhancer import Enhancer
    from gan_keras.serving.formats import SUFFIXES, export_as

    if args.all:
        raise UserError(f"--all is for SavedModels: name the models for --format {args.format}")
    for model in args.models:
        path = Path(args.out) / f"{args.name or Path(model).stem}{SUFFIXES[args.format]}"
        enhancer = Enhancer.load(model, args.realism, args.realism_model)
        export_as(enhancer, args.format, path)
        print(path)


def _check(args):
    args.quiet()
    from gan_keras.serving.check import check, find_saved_models

    found = {folder: check(folder) for folder in find_saved_models(args.folder)}
    for folder, problems in found.items():
        for problem in problems:
            print(f"{folder}: {problem}")
        if not problems:
            print(f"{folder}: nothing found that keeps a server from serving it")
    return 1 if any(found.values()) else 0


def _remote(args):
    if args.timeout <= 0 or args.retries < 0:
        raise UserError("--timeout is more than 0 seconds, --retries at least 0")
    if args.strength is not None and not 0 <= args.strength <= 1:
        raise UserError(f"--strength {args.strength}: a number from 0 to 1 is wanted")
    if args.grpc:  # its messages import TensorFlow; REST needs nothing
        args.quiet()
    from gan_keras.data.photo_files import pair_up
    from gan_keras.serving.client import GrpcServer, RestServer, enhance_file

    server = RestServer(args.url, args.timeout) if args.url else GrpcServer(args.grpc, args.timeout)
    jobs, failed = pair_up(args.paths, args.out), []
    for target, source in jobs.items():
        try:
            enhance_file(source, target, server, args.model, args.retries, args.strength)
            print(target)
        except UserError as error:
            failed.append(error)
    if failed and len(failed) == len(jobs):
        raise UserError(str(failed[0]))
    for error in failed:
        print(f"skipped: {error}", file=sys.stderr)
    print(f"{len(jobs) - len(failed)} of {len(jobs)} restored: {args.out}")
    return 1 if failed else 0


def _app(args):
    from gan_keras.serving.app import bound, require_gradio, serve

    require_gradio()
    with bound(args.host, args.port) as listener:
        args.quiet()
        serve(listener, args.model)
