"""The entry of the program: requests to stop end it properly even while it is starting."""

from __future__ import annotations

from lexenc_cli import interrupts


def main() -> None:
    """Import and run the program."""
    try:
        interrupts.replace_handlers()
        from lexenc_cli.main import main as run  # here, because importing takes most of the time of starting

        run()
    except KeyboardInterrupt:
        interrupts.leave_at_once()


if __name__ == "__main__":
    main()
