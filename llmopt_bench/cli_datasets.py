"""The command ``datasets``: list them, build one on this machine, see that it is the right one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmopt_bench.cli_console import Advance, Json, grid, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from llmopt_bench.datasets import Dataset
    from llmopt_bench.datasets.corpus.assemble import Differences
    from llmopt_bench.datasets.corpus.corpus import BuildReport, Corpus
    from llmopt_bench.datasets.corpus.staging import Outcome

_SHOWN = 10
"""Packages that a list on the terminal has; the report has all."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    group = typer.Typer(
        help="List the datasets, build one, or verify one that was built.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )
    group.callback()(datasets)
    group.command("build")(build)
    group.command("verify")(verify)
    app.add_typer(group, name="datasets")


def datasets(context: typer.Context, as_json: Json = False) -> None:
    """List the datasets, build one, or verify one that was built."""
    from llmopt_bench.datasets import dataset_names, make_dataset

    if context.invoked_subcommand is not None:
        return
    rows = [_facts(make_dataset(name)) for name in dataset_names()]
    if as_json:
        print_json({"datasets": rows})
        return
    print_table(grid([key.capitalize() for key in rows[0]], [list(row.values()) for row in rows]))


def build(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; all cores by default.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(help="Address of a Debian mirror, if not this machine's.")
    ] = None,
    packages: Annotated[
        str | None, typer.Option(help="Only these packages, separated by commas.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a dataset on this machine; again, it goes on where it was.

    The exit code is 1 if something is missing at the end, or not what it should be.
    """
    from llmopt_bench.datasets import make_dataset

    dataset = make_dataset(name)
    corpus = _corpus_of(dataset)
    if corpus is None:
        dataset.require()
        typer.echo(f"{name} {dataset.version} is ready to use; there is nothing to build.")
        return
    chosen = packages.split(",") if packages else None
    with _watched() as watcher:
        report = corpus.build(watcher, jobs=jobs, mirror=mirror, packages=chosen)
    if as_json:
        print_json(_summary(corpus, report))
    else:
        _print_report(corpus, report)
    if not report.complete:
        raise typer.Exit(1)


def verify(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")], as_json: Json = False
) -> None:
    """Compare a dataset that was built here with its manifest; exit with 1 if they differ."""
    from llmopt_bench.datasets import make_dataset

    corpus = _corpus_of(make_dataset(name))
    if corpus is None:
        typer.echo(f"{name} is not built from a recipe; there is nothing to compare.")
        return
    functions, modules = corpus.verify()
    if as_json:
        print_json({"functions": _counts(functions), "modules": _counts(modules)})
    else:
        for what, found, total in (
            ("functions", functions, len(corpus.functions)),
            ("files", modules, len(corpus.modules)),
        ):
            held = total - len(found.missing) - len(found.different)
            typer.echo(f"{held:,} of {total:,} {what} are those of the manifest.")
            _print_differences(found)
    if functions or modules:
        raise typer.Exit(1)


def _facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "version": dataset.version,
        "programs": dataset.size,
        "installed": dataset.installed,
        "licence": dataset.licence,
        "description": dataset.description,
    }


def _corpus_of(dataset: Dataset) -> Corpus | None:
    from llmopt_bench.datasets.corpus.datasets import CorpusDataset

    return dataset.corpus if isinstance(dataset, CorpusDataset) else None


class _Bar:
    """Shows a build as packages done, and the files of the one that is being compiled."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._packages = self._done = 0
        self._files: dict[str, tuple[int, int]] = {}

    def planned(self, packages: int) -> None:
        """So many packages are to be done."""
        self._packages = packages

    def opened(self, package: str, files: int) -> None:
        """A package is laid out."""
        self._files[package] = (0, files)
        self._show(package)

    def compiled(self, package: str) -> None:
        """One more file is done."""
        done, files = self._files[package]
        self._files[package] = (done + 1, files)
        self._show(package)

    def finished(self, outcome: Outcome) -> None:
        """Say at once what failed; the rest goes on."""
        self._done += 1
        if reason := outcome.failures.get(""):
            typer.echo(f"{outcome.package}: {reason}", err=True)
        self._show(outcome.package)

    def _show(self, package: str) -> None:
        done, files = self._files.get(package, (0, 0))
        self._advance(self._done, self._packages, f"{package} {done}/{files}" if files else package)


@contextmanager
def _watched() -> Iterator[_Bar]:
    with progress_bar() as advance:
        yield _Bar(advance)


def _print_report(corpus: Corpus, report: BuildReport) -> None:
    failed = report.failed_packages
    files = sum(outcome.files for outcome in report.outcomes.values())
    broken = sum(len(outcome.failures) for outcome in report.outcomes.values()) - len(failed)
    typer.echo(
        f"{len(report.outcomes) - len(failed):,} packages, {files:,} files, of which {broken:,} do "
        f"not compile here as the recipe has them; {report.seconds:,.0f} s."
    )
    functions, modules = report.kept
    typer.echo(
        f"{functions:,} of {len(corpus.functions):,} functions are in {corpus.function_table}."
    )
    _print_differences(report.functions)
    typer.echo(f"{modules:,} of {len(corpus.modules):,} files are in {corpus.module_table}.")
    _print_differences(report.modules)
    typer.echo(f"Every failure, with its reason: {corpus.report_file}")


def _print_differences(found: Differences) -> None:
    packages = found.packages()
    for name, (missing, different, extra) in list(packages.items())[:_SHOWN]:
        parts = {"missing": missing, "different": different, "not in the manifest": extra}
        text = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
        typer.echo(f"  {name}: {text}")
    if len(packages) > _SHOWN:
        typer.echo(f"  and {len(packages) - _SHOWN:,} more packages")


def _summary(corpus: Corpus, report: BuildReport) -> Mapping[str, Any]:
    return {
        "functions": _counts(report.functions),
        "modules": _counts(report.modules),
        "failed_packages": dict(report.failed_packages),
        "seconds": report.seconds,
        "report": str(corpus.report_file),
    }


def _counts(found: Differences) -> Mapping[str, Any]:
    return {
        "missing": found.missing,
        "different": found.different,
        "extra": found.extra,
    }
