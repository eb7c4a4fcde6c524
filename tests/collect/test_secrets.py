"""What looks like a secret is masked, in whatever shape it comes; the rest is left readable."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cloud_errors import Asked, Denied
from models.errors import raise_alone
from models.secrets import LONGEST, without_secrets

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
PLAIN = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (json.dumps(json.dumps({"client_secret": PLAIN})), PLAIN),
        (json.dumps(json.dumps(json.dumps({"clientSecret": PLAIN}))), PLAIN),
        (json.dumps({"password": f'a"{PLAIN}'}), PLAIN),
        (f"AKIAIOSFODNN7EXAMPLE:{KEY}", KEY),
        (f"AKIAIOSFODNN7EXAMPLE {KEY} eu-west-1", KEY),
        (f"the secret {KEY} is not valid", KEY),
        (f"key={KEY}", KEY),
        ("grant 1//0gAbCdEf-GhIjKlMnOp_QrSt failed", "1//0gAbCdEf-GhIjKlMnOp_QrSt"),
        (f"client-secret: {PLAIN}", PLAIN),
        (json.dumps({"adminPassword": PLAIN}), PLAIN),
        (json.dumps({"SecretString": PLAIN}), PLAIN),
        (f"x-api-key: {PLAIN}", PLAIN),
        (f"X-Goog-Api-Key: {PLAIN}", PLAIN),
        (f"Ocp-Apim-Subscription-Key: {PLAIN}", PLAIN),
        (f"Server=db;Uid=me;Pwd={PLAIN};", PLAIN),
        (f"https://me:pass/{PLAIN}@host/path", PLAIN),
        (f"https://me:p@ss{PLAIN}@host/path", PLAIN),
        (f"https://:{PLAIN}@host/path", PLAIN),
        (f"https://{PLAIN}@proxy:8080/", PLAIN),
        (f"<Credentials><SecretAccessKey>{PLAIN}</SecretAccessKey></Credentials>", PLAIN),
        (f"AWS_SECRET_ACCESS_KEY={PLAIN}", PLAIN),
        (f"Cookie: {PLAIN}", PLAIN),
        (f"'refresh_token': '{PLAIN}'", PLAIN),
        (f"app secret abc8Q~{'0a' * 17}", "0a0a0a"),
        (f"AccountKey={'aB3/' * 21}aB==;", "aB3/aB3/"),
    ],
)  # fmt: skip
def test_secrets_are_masked(text: str, secret: str) -> None:
    assert secret not in without_secrets(text)
    assert "***" in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "User: arn:aws:sts::123456789012:assumed-role/read/me is not authorized to perform: ec2:X",
        "The security token included in the request is expired",
        "request id 0123456789abcdef0123456789abcdef01234567 failed",
        "GET https://compute.googleapis.com:443/compute/v1/projects/shop-prod/zones: 503",
        "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop is not there",
        "DefaultAzureCredential failed to retrieve a token from the included credentials.",
        "quota CPUS exceeded: limit 24.0 in region europe-west1",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text(alphabet="a-_.=:\"'\\ secrtokn/@", max_size=3000))
def test_any_text_is_cut(text: str) -> None:
    assert len(without_secrets(text)) <= LONGEST


@pytest.mark.parametrize("piece", ["a-", "x_", '\\"', "secret=", "://a:", "token:\\'", "AaA/"])
def test_what_patterns_could_search_for_ever_is_cut(piece: str) -> None:
    assert len(without_secrets(piece * 50_000)) <= LONGEST


def _fail() -> None:
    try:
        raise ValueError(PLAIN)
    except ValueError as error:
        raise_alone(Denied(Asked("aws", "Describe"), "AuthFailure", type(error).__name__))


def test_errors_are_raised_alone() -> None:
    with pytest.raises(Denied) as caught:
        _fail()
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


LOGGING = """
import logging, sys
from optimizer.cli.main import run
sys.argv = ["trimtab", "version"]
try:
    run()
except SystemExit:
    pass
logging.getLogger("azure.identity").warning("no token for hunter2")
"""


def test_what_sdks_log_goes_nowhere() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", LOGGING], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("trimtab ")
    assert done.stderr == ""
    assert logging.lastResort is not None
