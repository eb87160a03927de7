"""What the platform says about itself: code announces named events, one place writes the sentences."""

from keystroke.telemetry.announce import announce

__all__ = ["announce"]
