"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and warnings only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Draw no progress bars.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random choices.", envvar="LEXENC_SEED", metavar="NUMBER")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace results of other settings.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", envvar="LEXENC_DEVICE", metavar="TEXT")]
