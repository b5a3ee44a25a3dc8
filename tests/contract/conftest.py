"""Hands the OpenAPI checks to the tests: in importlib mode a test module cannot import its neighbour."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def openapi() -> ModuleType:
    """The module `tests/contract/openapi.py`."""
    location = importlib.util.spec_from_file_location("contract_openapi", Path(__file__).with_name("openapi.py"))
    assert location is not None
    assert location.loader is not None
    module = importlib.util.module_from_spec(location)
    location.loader.exec_module(module)
    return module


@pytest.fixture
def teamleader_spec(openapi: ModuleType) -> Any:
    return openapi.spec("teamleader")


@pytest.fixture
def twikey_spec(openapi: ModuleType) -> Any:
    return openapi.spec("twikey")
