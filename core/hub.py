"""What the Hugging Face Hub's client raises where it is refused or cannot reach the Hub."""

from __future__ import annotations


def hub_errors() -> tuple[type[Exception], ...]:
    """The errors to catch around calls of huggingface_hub; they are imported only where they are needed."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    return HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, HTTPError, OSError
