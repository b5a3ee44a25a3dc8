"""How benchmarks tell what they found: figures as they come, a table at the end, and a bar while one waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

console = Console(highlight=False)


@dataclass(slots=True)
class Report:
    """The figures, in order. `title` is the command that prints them."""

    title: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, figure: str, measured: str, wanted: str = "") -> None:
        self.rows.append((figure, measured, wanted))
        console.print(f"  {figure}: [bold]{measured}[/]" + (f"  (wanted: {wanted})" if wanted else ""))

    def table(self) -> Table:
        table = Table("figure", "measured", "wanted", title=self.title)
        for row in self.rows:
            table.add_row(*row)
        return table


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that knows what is left; call what you get with how much is done. Nothing but its end in a file."""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=min(done, total))
