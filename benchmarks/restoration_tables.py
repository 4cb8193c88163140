"""The tables of `restoration.py`: one of each task, and one of all."""

PLAIN = "restorer"  # the row of the foundation's, trained on six photographs


def table(rows, methods, judge=None):
    """Return a task's Markdown lines."""
    distances = ("Fréchet | kernel | ", "---|---|") if judge else ("", "")
    header = f"| method | PSNR (dB) | SSIM | {distances[0]}s/MP | parameters |"
    lines = [header, f"|---|---|---|{distances[1]}---|---|"]
    for name, (quality, similarity, seconds) in rows.items():
        count = methods[name].parameters if name in methods else 0
        size = "–" if count is None else f"{count:,}"
        judged = f"{_written(judge.distances(name))} | " if judge else ""
        lines.append(
            f"| {name} | {quality:.2f} | {similarity:.4f} | {judged}{seconds:.2f} | {size} |"
        )
    if judge:
        lines.append(f"| real (floor) | – | – | {_written(judge.floor())} | – | – |")
        note = "Distances of EfficientNet-lite0's features to those of the originals:"
        lines += ["", f"{note} {judge.places():,} places of the photographs; the floor has half."]
    return lines


def summary(results):
    """Return Markdown lines, a row a task: what there is without us, and what with us.

    Args:
        results: {task: (rows of `run`, methods)}.
    """
    lines = [
        "| task | doing nothing | best classic | fidelity | gain | realism | other |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, (rows, methods) in results.items():
        quality = {name: row[0] for name, row in rows.items()}
        classics = [name for name, method in methods.items() if method.kind == "classic"]
        ours = [name for name, method in methods.items() if method.kind == "ours"]
        networks = [name for name in ours if name != PLAIN]
        if not networks:
            continue
        fidelity, realism = networks[0], f"{networks[0]}, realism 1"
        classic = max(["do nothing", *classics], key=quality.get)
        nothing, reached = quality["do nothing"], quality[fidelity]
        cells = [task, f"{nothing:.2f}", f"{quality[classic]:.2f} ({classic})"]
        cells += [f"**{reached:.2f}** ({fidelity})", f"{reached - nothing:+.2f}"]
        cells.append(f"{quality[realism]:.2f}" if realism in quality else "–")
        single = [n for n in ours if "," not in n or n.endswith(", best")]
        others = [f"{name} {quality[name]:.2f}" for name in single if name != fidelity]
        lines.append(f"| {' | '.join([*cells, ', '.join(others) or '–'])} |")
    return lines


def _written(pair):
    return "– | –" if pair is None else f"{pair[0]:.3g} | {pair[1]:.3g}"
