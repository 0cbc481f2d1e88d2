"""The served world logs in this very process: not where mediactl's words are read."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _nothing_is_logged() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()
