"""Call an engine's own code, from its own wheel, on FlashInfer releases: what it accepts, and where it breaks.

Each pair of an engine release and a FlashInfer release gets an environment and one process. The engine's BF16
MoE runner and its weight loader are called for every activation, gating, routing and role; its choice of
backends is held against the rule sets. Without an SM100 the kernel itself is answered by the torch fallback
from the arguments that reach it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matrix.cli import choices, options
from matrix.cli.run import add_execution
from matrix.verdicts import Verdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from matrix.run.replay import Finding, Pair

SHOWN = 8
HELP = "call an engine's own code on FlashInfer releases"
EPILOG = """\
examples:
  kernel-matrix replay sglang==0.5.12 --against 0.6.7.post3
  kernel-matrix replay                                     SGLang's default releases, each on the window
  kernel-matrix replay 'sglang>=0.5.11' --against pin      each release on the FlashInfer that it pins
exit codes: 0 every call is right or refused by the engine itself; 1 a call breaks, or rules or contract disagree
with the engine; 3 cells without a result, such as an engine that does not import
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `replay`."""
    parser.epilog = EPILOG
    parser.add_argument(
        "engines",
        nargs="*",
        default=["sglang"],
        metavar="ENGINE==V",
        help="engine releases; an engine alone means its default ones (default: sglang)",
    )
    parser.add_argument(
        "--against",
        action="append",
        metavar="R",
        help="FlashInfer releases: as --releases of `run`, or 'pin', what the engine pins; repeatable "
        "(default: window)",
    )
    parser.add_argument("--cells", default="", metavar="SELECTION", help="which cells (default: all)")
    options.add(parser, "--python")
    parser.add_argument("--torch", default="", metavar="REQUIREMENT", help="default: environment.toml's")
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder")
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="write what each engine release passes, as JSON, there"
    )
    parser.add_argument("--traceback", action="store_true", help="show each error's traceback whole")
    add_execution(parser, report=False)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Replay; prints each pair's verdicts with their reasons."""
    import sys

    from matrix.environments.fingerprint import gpus
    from matrix.errors import Exit
    from matrix.run import replay, session
    from matrix.run.supervisor import Options
    from matrix.surface.library import Library

    if arguments.record:
        _check_writable(arguments.record)
    plan = _plan(arguments, gpu=bool(gpus()))
    session.check(plan, arguments.wheels, None)
    folder = session.create(plan, arguments.out)
    how = Options(jobs=session.jobs(gpus(), arguments.jobs), timeout=arguments.timeout)
    session.execute(plan, folder, how, arguments.wheels)
    pairs = replay.pairs(plan, folder)
    if not arguments.wheels:
        library = Library()
        pairs = [replay.read(pair, library) for pair in pairs]
    for pair in pairs if arguments.record else ():
        why_not = replay.why_no_contract(pair)
        name = f"{pair.engine} {pair.engine_release} on FlashInfer {pair.flashinfer}"
        done = (
            f"not recorded: {why_not}"
            if why_not
            else f"recorded: {replay.write_contract(pair, arguments.record)}"
        )
        print(f"{name}: {done}", file=sys.stderr)
    if arguments.json:
        told = {"schema": replay.SCHEMA, "folder": str(folder), "pairs": [pair.to_json() for pair in pairs]}
        options.print_json(told)
    else:
        told_whole = [line for pair in pairs for line in _lines(pair, whole=arguments.traceback)]
        print("\n".join([*told_whole, *_replaced(pairs), *choices.lines(pairs)]))
        print(f"everything: {folder}/journal.jsonl")
    if any(pair.missing for pair in pairs):
        return Exit.INCOMPLETE
    return Exit.AS_EXPECTED if all(pair.good for pair in pairs) else Exit.UNEXPECTED


def _check_writable(folder: Path) -> None:
    """Find out before the work whether contracts can be written.

    Raises:
        InputError: they cannot.
    """
    import tempfile

    from matrix.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"--record: cannot write into {folder}: {error.strerror}.", "Name another folder."
        ) from error


def _plan(arguments: argparse.Namespace, *, gpu: bool) -> Any:
    import sys

    from matrix.cells import axes
    from matrix.engines.replay import recipe
    from matrix.environments import recipes
    from matrix.environments.build import THIS_PYTHON
    from matrix.releases import window
    from matrix.releases.index import published
    from matrix.run import replay
    from matrix.run.plan import Question, make

    loaded = window.load()
    subjects = recipe.subjects(arguments.engines, published)
    terms = arguments.against or ["window"]
    pinned = "pin" in terms
    releases = options.chosen(
        loaded, [term for term in terms if term != "pin"] or ["window"], check=not arguments.wheels
    )
    question = Question(
        releases=() if pinned and len(terms) == 1 else releases,
        pythons=[arguments.python or THIS_PYTHON],
        torch=arguments.torch,
        selection=arguments.cells,
        replayed=replay.recipes_of(subjects),
        pinned={subject.name: recipe.pin(subject) for subject in subjects} if pinned else {},
        replay_only=True,
        gpu=gpu,
    )
    return make(question, axes.load(), recipes.load(), ["kernel-matrix", *sys.argv[1:]])


def _lines(pair: Pair, *, whole: bool) -> list[str]:
    head = f"{pair.engine} {pair.engine_release} on FlashInfer {pair.flashinfer}"
    if pair.reason and not pair.findings:
        return [f"{head}: {pair.reason}"]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in pair.verdicts.items())
    lines = [f"{head} ({pair.seconds:.0f} s): {counts or 'no result'}"]
    for finding in pair.findings:
        lines.append(f"  {finding.verdict:12} {len(finding.cells):3} cells  {finding.reason}")
        lines += [f"{'':24}{line}" for line in _details(finding, whole=whole)]
    for kind, told in pair.weights.items():
        lines.append(f"  weights, {kind}: {'right' if told['right'] else told['reason']}")
    lines += _policy_lines(pair)
    if "error" in pair.contract:
        lines.append(f"  contract: not recorded: {pair.contract['error']}")
    lines += [f"  contract: {difference}" for difference in pair.contract_differences]
    lines += [f"  read: {side}" for side in pair.sides]
    lines += [f"  read: not read: {pair.unread}"] if pair.unread else []
    if pair.missing:
        lines.append(f"  {pair.missing} cells without a result{f': {pair.reason}' * bool(pair.reason)}")
    return lines


def _details(finding: Finding, *, whole: bool) -> list[str]:
    """Which activations do not fare well, and where it happened."""
    activations = dict.fromkeys(cell.split("/")[1] for cell in finding.cells)
    lines = [] if Verdict(finding.verdict).good else [f"activations: {', '.join(activations)}"]
    evidence = finding.evidence
    if whole and "traceback" in evidence:
        return lines + list(evidence["traceback"])
    frames = dict.fromkeys([evidence.get("engine_frame"), evidence.get("frame")])
    return lines + [frame for frame in frames if frame]


def _policy_lines(pair: Pair) -> list[str]:
    policy = pair.policy
    if "error" in policy:
        return [f"  policy: not asked: {policy['error']}"]
    if "asked_beside" in policy:
        return [f"  policy: asked beside FlashInfer {policy['asked_beside']}, on which it does not depend"]
    if not policy:
        return []
    lines = [f"  policy: {policy['summary']}"]
    for one in policy["disagreements"][:SHOWN]:
        point = ", ".join(f"{axis} {value}" for axis, value in one["point"].items() if value is not None)
        lines.append(f"    disagrees: {point}: the engine says {one['engine']}; our rules say {one['rules']}")
    if policy["disagreeing"] > SHOWN:
        lines.append(f"    {policy['disagreeing'] - SHOWN} more (--json)")
    return lines + [f"    {count} not asked: {why}" for why, count in policy["unanswered"].items()]


def _replaced(pairs: Sequence[Pair]) -> list[str]:
    """What stood in for the engine's and FlashInfer's own, each with its reason, once for all pairs."""
    reasons: dict[str, list[str]] = {}
    for pair in pairs:
        for standin in pair.replaced:
            names = reasons.setdefault(standin["why"], [])
            name = standin["name"].rpartition(":")[2]
            if name not in names:
                names.append(name)
    told = [f"  {', '.join(names)}: {why}" for why, names in reasons.items()]
    return ["Replaced while the engine was called:", *told] if told else []
