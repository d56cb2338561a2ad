import hashlib

import pytest

from benchmarks.honesty import DishonestError, answered, complaints, verify

_UNITS = [hashlib.sha256(f"unit {number}".encode()).digest() for number in range(4000)]
_WALLET = {digest.encode(): unit for unit in _UNITS if (digest := hashlib.sha256(unit).hexdigest()).startswith("0")}


def test_an_honest_run_has_no_complaint() -> None:
    assert complaints(4000, _WALLET, {"rng": 4000, "hasher": 4003}) == []
    assert complaints(0, {}) == []


def test_hashes_that_were_counted_but_not_done_leave_too_few_coins() -> None:
    (found,) = complaints(8000, _WALLET)
    assert found.startswith("8000 hashes give about 500 coins")


def test_bytes_that_repeat_leave_too_few_coins() -> None:
    one = dict([next(iter(_WALLET.items()))])
    assert any("4000 hashes give about 250 coins" in found for found in complaints(4000, one))


def test_a_digest_that_is_not_of_its_bytes_is_found() -> None:
    forged = _WALLET | {next(iter(_WALLET)): bytes(32)}
    assert f"1 of {len(_WALLET)} coins are not the SHA-256 of their bytes" in complaints(4000, forged)


def test_coins_of_other_lengths_are_found() -> None:
    short = next(bytes([n]) for n in range(256) if hashlib.sha256(bytes([n])).hexdigest().startswith("0"))
    wallet = _WALLET | {hashlib.sha256(short).hexdigest().encode(): short}
    assert complaints(4000, wallet) == [f"1 of {len(wallet)} coins were not made from 32 bytes"]


def test_bytes_that_are_not_random_are_found() -> None:
    units = [number.to_bytes(32) for number in range(4000)]
    wallet = {d.encode(): u for u in units if (d := hashlib.sha256(u).hexdigest()).startswith("0")}
    assert any("random bits are 1" in found for found in complaints(4000, wallet))


def test_work_that_nobody_was_asked_for_is_found() -> None:
    assert complaints(4000, _WALLET, {"rng": 4000, "hasher": 12}) == [
        "4000 hashes were counted, but hasher answered 12 requests"
    ]


def test_a_dishonest_run_is_refused_with_all_that_shows_it() -> None:
    verify(4000, _WALLET, {"rng": 4000})
    with pytest.raises(DishonestError, match=r"^8000 hashes give about 500 coins.*; .*but rng answered 4000 requests$"):
        verify(8000, _WALLET, {"rng": 4000, "hasher": 8000})


def test_requests_of_every_kind_and_status_are_added_up() -> None:
    metrics = """# TYPE dockercoins_http_request_duration_seconds histogram
dockercoins_http_request_duration_seconds_count{route="/",status="200"} 1200.0
dockercoins_http_request_duration_seconds_count{route="/",status="503"} 3.0
dockercoins_http_request_duration_seconds_sum{route="/",status="200"} 7.0
dockercoins_http_requests_in_flight 9.0
"""
    assert answered(metrics) == 1203
